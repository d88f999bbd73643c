"""Is it up, and which version answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rampgate.clock import Clock, SystemClock
from rampgate.io.http import Answer, address_of, ask, find
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.config.subjects import VersionSettings
    from rampgate.io.http import ClientFactory

BETWEEN_ATTEMPTS_S = 0.5
"""How long a health probe waits before a retry."""
LOST_IN_A_ROW = 3
"""After that many connections without an answer, and none with one, the rest is not tried."""
MORE_WHEN_LOST = 200
"""Connections that are tried beside, where one is lost."""
COUNTED = 250
"""Among how many of them those that are lost count."""
SURELY_LOST = 16
"""So many of 250 are lost 5 times in 100,000 where 2 % are: P(X >= 16), X binomial(250, 0.02)."""
UNKNOWN = "unknown"
"""What a version or an instance is called when the answer does not say."""


@dataclass(frozen=True)
class HealthProbe:
    """Asks a health address until the first healthy answer, or until patience ends.

    Args:
        client_factory: makes the client.
        path: the health address.
        service: the label ``service`` (web, api).
        clock: measures and waits.
        patience_s: seconds that a restart may take; 0 asks once.
        progress: called once with the reason for waiting.
    """

    client_factory: ClientFactory
    path: str
    service: str
    clock: Clock = field(default_factory=SystemClock)
    patience_s: float = 0.0
    progress: Callable[[str], None] = lambda _: None

    def measure(self) -> list[Measurement]:
        """``up`` (1 or 0) and ``time_to_healthy`` (seconds, no value when it never was).

        Raises:
            ProbeError: we could not measure.
        """
        answers: list[tuple[float, Answer]] = []
        with self.client_factory() as client:
            begun = self.clock.monotonic()
            while True:
                at = self.clock.monotonic() - begun
                answer = ask(client, "GET", self.path)
                answers.append((at, answer))
                elapsed = self.clock.monotonic() - begun
                if answer.ok or elapsed + BETWEEN_ATTEMPTS_S > self.patience_s:
                    break
                if len(answers) == 1:
                    self.progress(answer.trouble)
                self.clock.sleep(BETWEEN_ATTEMPTS_S)
            address = address_of(client) + self.path
        note = "" if answer.ok else f"{address} {answer.sentence}"
        if note and self.patience_s:
            note += f", for {elapsed:.1f} s"
        details = {
            "path": self.path,
            "status": answer.status,
            "statuses": dict(Counter(each.outcome for _, each in answers)),
            "attempts": [_details(self.path, each) | {"at_s": round(at, 3)} for at, each in answers],
        }
        up = Measurement(
            "up",
            n=len(answers),
            value=float(answer.ok),
            labels={"service": self.service},
            note=note,
            details=details,
        )
        healthy = elapsed if answer.ok else None
        return [up, replace(up, metric="time_to_healthy", unit="s", value=healthy, details={})]


@dataclass(frozen=True)
class VersionProbe:
    """Asks over fresh connections which version, and which instance of it, answers.

    Args:
        client_factory: makes one client per connection.
        settings: [version].
        service: the label ``service``.
    """

    client_factory: ClientFactory
    settings: VersionSettings
    service: str = "api"

    def measure(self) -> list[Measurement]:
        """``wrong_version``: how many answers were of another version, or named none; ``version_lost``.

        Without an expected version the one that most answers name stands for it, so that a mix is found.
        Without any answer there is no value.

        Raises:
            ProbeError: we could not measure.
        """
        expected = self.settings.expected
        instances, statuses, lost = self._ask_all()
        versions = {version: count.total() for version, count in sorted(instances.items())}
        answered = sum(versions.values())
        most = max(versions, key=versions.__getitem__, default=UNKNOWN)
        right = expected if expected is not None else most if most != UNKNOWN else None
        wrong = answered - versions.get(right, 0) if right is not None else answered
        note = "" if answered else f"{self.settings.path}: no answer that names a version"
        if answered and (wrong or expected is None):
            counted = ", ".join(f"{count} from {version}" for version, count in versions.items())
            note = f"{counted} (expected {expected or 'version not configured'})"
        return [
            Measurement(
                "wrong_version",
                n=answered,
                value=float(wrong) if answered else None,
                labels={"service": self.service},
                note=note,
                details={
                    "path": self.settings.path,
                    "expected": expected,
                    "versions": versions,
                    "instances": {version: dict(count) for version, count in sorted(instances.items())},
                    "statuses": dict(statuses),
                },
            ),
            self._lost(lost, statuses),
        ]

    def _lost(self, lost: int, statuses: Counter[str]) -> Measurement:
        """How many connections gave no 2xx answer; of a target that never answers, nothing is known."""
        heard = any(outcome.isdigit() for outcome in statuses)
        return Measurement(
            "version_lost",
            n=min(statuses.total(), COUNTED) if heard else 0,
            value=float(lost) if heard else None,
            labels={"service": self.service},
            details={"path": self.settings.path, "statuses": dict(statuses)},
        )

    def _ask_all(self) -> tuple[dict[str, Counter[str]], Counter[str], int]:
        """Version -> instance -> answers, how each request ended, and how many were no 2xx answer.

        Where one is lost, 200 more are asked, until enough are lost to be sure of more than 2 %.
        """
        instances: dict[str, Counter[str]] = {}
        statuses: Counter[str] = Counter()
        asked = lost = 0
        while asked < self.settings.connections + (MORE_WHEN_LOST if lost else 0):
            with self.client_factory() as client:
                answer = ask(client, "GET", self.settings.path)
            asked += 1
            statuses[answer.outcome] += 1
            if not answer.ok:
                lost += asked <= COUNTED
                heard = any(outcome.isdigit() for outcome in statuses)
                if lost == (SURELY_LOST if heard else LOST_IN_A_ROW):
                    break
                continue
            body = answer.json()
            version = _named(find(self.settings.value, body))
            instance = _named(find(self.settings.instance, body))
            instances.setdefault(version, Counter())[instance] += 1
        return instances, statuses, lost


def _named(value: Any) -> str:
    """A version or instance as text; anything but text or a number is unknown."""
    named = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value) if named and value != "" else UNKNOWN


def _details(path: str, answer: Answer) -> dict[str, Any]:
    """One answer as evidence."""
    return {"path": path, "status": answer.status, "ms": round(answer.ms, 1), "error": answer.error}
