"""Whether a monitoring service answers that it is healthy."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from rampgate.clock import Clock, SystemClock
from rampgate.io.http import Answer, address_of, ask, find, unusable
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    import httpx

PATHS = {
    "prometheus": ("/-/ready", "/-/healthy"),
    "alertmanager": ("/-/ready", "/-/healthy"),
    "grafana": ("/api/health",),
}
"""Service -> where it answers for its health; the next path is asked where there is none (404)."""


@dataclass(frozen=True)
class MonitorProbe:
    """Asks a monitoring service once whether it is healthy.

    Args:
        client: of its address.
        service: the label ``service``.
        paths: the first that is there decides.
        clock: for start and end.
    """

    client: httpx.Client
    service: str
    paths: tuple[str, ...]
    clock: Clock = field(default_factory=SystemClock)

    def measure(self) -> list[Measurement]:
        """``monitor_up``: 1 for a 2xx answer that is no page for people, else 0.

        Raises:
            ProbeError: we could not measure.
        """
        start = self.clock.now()
        for path in self.paths:
            answer = ask(self.client, "GET", path)
            if answer.status != HTTPStatus.NOT_FOUND:
                break
        trouble = unusable(answer) or (_grafana(answer) if self.service == "grafana" else "")
        return [
            Measurement(
                "monitor_up",
                n=1,
                value=0.0 if trouble else 1.0,
                labels={"service": self.service},
                start=start,
                end=self.clock.now(),
                note=trouble and f"{address_of(self.client)}{path}: {trouble}",
                details={"path": path, "status": answer.status, "ms": round(answer.ms, 1)},
            )
        ]


def _grafana(answer: Answer) -> str:
    """What Grafana says of its database, which it needs to show anything."""
    body = answer.json()
    state = find("database", body)
    if state == "ok":
        return ""
    return f"its database is {state!r}" if isinstance(body, dict) and state else "a body that is not its JSON"
