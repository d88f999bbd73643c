"""Floor 6. The watches of a load run: one abort test for each threshold that may end it early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.load.abort import Watch
from rampgate.model.measurement import Measurement
from rampgate.model.metrics import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.config.policy import Policy
    from rampgate.judging.threshold import Threshold
    from rampgate.load.seconds import Second

ABORT = "load/abort"
EVIDENCE = "abort_evidence"
CHANCY = {Kind.RATE, Kind.LATENCY}


def watched(policy: Policy) -> list[Threshold]:
    """The thresholds that are watched: those of chance that may abort and that are about all requests."""
    return [
        rule.threshold
        for rule in policy.rules
        if rule.abort and not rule.where and policy.metrics[rule.threshold.metric].kind in CHANCY
    ]


class Watches:
    """Looks at every complete second of a run.

    Args:
        policy: names the thresholds.
        alpha: the chance that one watch may ever fire on a healthy target.
    """

    def __init__(self, policy: Policy, alpha: float) -> None:
        self._thresholds = {threshold.name: threshold for threshold in watched(policy)}
        self.of: dict[str, Watch] = {
            name: Watch(threshold.allowed, alpha) for name, threshold in self._thresholds.items()
        }
        self._alpha = alpha

    def add(self, second: Second) -> None:
        """Tell one complete second to every watch."""
        for name, threshold in self._thresholds.items():
            if threshold.edge is None:
                self.of[name].add(second.second, second.failures, second.n)
            else:
                self.of[name].add(second.second, second.exceedances[threshold.edge], second.timed)

    def fired(self) -> list[tuple[str, int]]:
        """The thresholds whose watch has fired, each with its second, the earliest first."""
        fired = [(name, watch.fired_at) for name, watch in self.of.items() if watch.fired_at is not None]
        return sorted(fired, key=lambda pair: pair[1])

    def measured(self) -> Iterator[tuple[Threshold, Watch, Measurement]]:
        """The evidence of each watch, as the journal keeps it."""
        for name, threshold in self._thresholds.items():
            watch = self.of[name]
            yield (
                threshold,
                watch,
                Measurement(
                    EVIDENCE,
                    n=watch.seconds,
                    value=watch.log_evidence if watch.seconds else None,
                    labels={"threshold": name},
                    details={
                        "limit": watch.limit,
                        "alpha": self._alpha,
                        "enough": watch.threshold,
                        "fired_at_s": watch.fired_at,
                    },
                ),
            )
