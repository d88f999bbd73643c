"""The abort monitors of a load run: one test for each threshold that may end it early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.model.always_valid import AlwaysValidTest
from rampgate.model.measurement import Measurement
from rampgate.model.metrics import Kind
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rampgate.config.policy import Policy
    from rampgate.judging.threshold import Threshold
    from rampgate.load.seconds import Second

ABORT = "load/abort"
EVIDENCE = "abort_evidence"
CHANCY = {Kind.RATE, Kind.LATENCY}

GRACE_S = 10
"""Seconds that a run goes on at most once a warning is broken, where a critical one may be broken too ..."""
GAINING = 0.25
"""... which is where so much of its evidence is there (its log wealth, as a part of its threshold) ..."""
FRESH_S = 3
"""... and within so many seconds it has reached a new height."""


def monitored(policy: Policy) -> list[Threshold]:
    """The thresholds that are monitored: those of chance that may abort and that are about all requests."""
    return [
        rule.threshold
        for rule in policy.rules
        if rule.abort and not rule.where and policy.metrics[rule.threshold.metric].kind in CHANCY
    ]


def chains(thresholds: Sequence[Threshold]) -> list[list[Threshold]]:
    """Sets of nested thresholds, as few as there can be, each from its tightest to its loosest.

    Nested: of the same metric, where whatever breaks the looser breaks the tighter, for that counts every
    request that this one counts, and allows no larger part of them. A chain shares one alpha (always_valid).
    """
    found: list[list[Threshold]] = []
    for threshold in sorted(thresholds, key=lambda one: (one.metric, one.edge or 0.0, one.allowed)):
        chain = next((chain for chain in found if _within(chain[-1], threshold)), None)
        if chain is None:
            found.append([threshold])
        else:
            chain.append(threshold)
    return found


def _within(tighter: Threshold, looser: Threshold) -> bool:
    return (
        tighter.metric == looser.metric
        and (tighter.edge or 0.0) <= (looser.edge or 0.0)
        and tighter.allowed <= looser.allowed
    )


class AbortMonitors:
    """Looks at every complete second of a run.

    Args:
        policy: names the thresholds.
        alpha: the chance that any test of one chain may ever fire on a healthy target.
    """

    def __init__(self, policy: Policy, alpha: float) -> None:
        self._thresholds: dict[str, Threshold] = {}
        self.of: dict[str, AlwaysValidTest] = {}
        # Failed requests lie beyond every time too: of both that fire at once, the failures are named.
        for chain in sorted(chains(monitored(policy)), key=lambda chain: chain[0].edge is not None):
            tighter: AlwaysValidTest | None = None
            for threshold in chain:
                tighter = AlwaysValidTest(threshold.allowed, alpha, tighter=tighter)
                self._thresholds[threshold.name] = threshold
                self.of[threshold.name] = tighter
        self.stop: tuple[str, int] | None = None
        """The threshold that ends the run, and the second that showed it; None while it may go on."""
        self._alpha = alpha

    def add(self, second: Second) -> None:
        """Hand one complete second to every test, the tighter ones first."""
        for name, threshold in self._thresholds.items():
            if threshold.edge is None:
                self.of[name].add(second.second, second.failures, second.n)
            else:
                self.of[name].add(second.second, second.exceedances[threshold.edge], second.timed)
        self.stop = self.stop or self._enough(second.second)

    def fired(self) -> list[tuple[str, int]]:
        """The thresholds whose test has fired, each with its second, the earliest first."""
        fired = [(name, test.fired_at) for name, test in self.of.items() if test.fired_at is not None]
        return sorted(fired, key=lambda pair: pair[1])

    def _enough(self, now: int) -> tuple[str, int] | None:
        """What the run ends for: a critical limit at once, a warning when no critical one may follow soon."""
        fired = self.fired()
        if not fired:
            return None
        critical = [pair for pair in fired if self._critical(pair[0])]
        if critical:
            return critical[0]
        in_grace = now < fired[0][1] + GRACE_S
        return None if in_grace and any(self._gaining(name, now) for name in self.of) else fired[0]

    def _critical(self, name: str) -> bool:
        return self._thresholds[name].severity is Severity.CRITICAL

    def _gaining(self, name: str, now: int) -> bool:
        test = self.of[name]
        fresh = test.peaked_at is not None and now - test.peaked_at < FRESH_S
        return self._critical(name) and fresh and test.log_wealth >= GAINING * test.threshold

    def measured(self) -> Iterator[tuple[Threshold, AlwaysValidTest, Measurement]]:
        """The evidence of each test, as the journal keeps it."""
        for name, test in self.of.items():
            yield (
                self._thresholds[name],
                test,
                Measurement(
                    EVIDENCE,
                    n=test.seconds,
                    value=test.log_evidence if test.seconds else None,
                    labels={"threshold": name},
                    details={
                        "limit": test.limit,
                        "alpha": self._alpha,
                        "enough": test.threshold,
                        "fired_at_s": test.fired_at,
                    },
                ),
            )
