"""Whether a service answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rampgate.clock import Clock, SystemClock
from rampgate.io.http import Answer, address_of, ask
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.io.http import ClientFactory

BETWEEN_ATTEMPTS_S = 0.5
"""How long a health probe waits before a retry."""


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

        Where all that came is HTTP 429, neither has a value: that is no evidence against the target.

        Raises:
            ProbeError: we could not measure.
        """
        answers, elapsed, address = self._attempts()
        answer = answers[-1][1]
        note = "" if answer.ok else f"{address} {answer.sentence}"
        if note and self.patience_s:
            note += f", for {elapsed:.1f} s"
        limited = {each.outcome for _, each in answers} == {"429"}
        if limited:
            note += ": it limits our rate"
        details = {
            "path": self.path,
            "status": answer.status,
            "statuses": dict(Counter(each.outcome for _, each in answers)),
            "attempts": [_details(self.path, each) | {"at_s": round(at, 3)} for at, each in answers],
        }
        up = Measurement(
            "up",
            n=len(answers),
            value=None if limited else float(answer.ok),
            labels={"service": self.service},
            note=note,
            details=details,
        )
        healthy = elapsed if answer.ok else None
        return [up, replace(up, metric="time_to_healthy", unit="s", value=healthy, details={})]

    def _attempts(self) -> tuple[list[tuple[float, Answer]], float, str]:
        """Each answer with when it was asked for, the seconds that they took, and where they came from."""
        answers: list[tuple[float, Answer]] = []
        with self.client_factory() as client:
            begun = self.clock.monotonic()
            while True:
                at = self.clock.monotonic() - begun
                answer = ask(client, "GET", self.path)
                answers.append((at, answer))
                elapsed = self.clock.monotonic() - begun
                if answer.ok or elapsed + BETWEEN_ATTEMPTS_S > self.patience_s:
                    return answers, elapsed, address_of(client) + self.path
                if len(answers) == 1:
                    self.progress(answer.trouble)
                self.clock.sleep(BETWEEN_ATTEMPTS_S)


def _details(path: str, answer: Answer) -> dict[str, Any]:
    """One answer as evidence."""
    return {"path": path, "status": answer.status, "ms": round(answer.ms, 1), "error": answer.error}
