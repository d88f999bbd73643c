"""Whether a monitoring service answers that it is healthy."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from rampgate.clock import Clock, SystemClock
from rampgate.io.http import Answer, ask, find, unusable
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    import httpx

PLACES = {
    "prometheus": ("/-/ready", "/-/healthy"),
    "alertmanager": ("/-/ready", "/-/healthy"),
    "grafana": ("/api/health",),
}
"""Service -> where it tells its health; the next place is asked where there is none (404)."""


@dataclass(frozen=True)
class MonitorProbe:
    """Asks a monitoring service once whether it is healthy.

    Args:
        client: of its address.
        service: the label ``service``.
        places: paths, the first that is there decides.
        clock: for start and end.
    """

    client: httpx.Client
    service: str
    places: tuple[str, ...]
    clock: Clock = field(default_factory=SystemClock)

    def measure(self) -> list[Measurement]:
        """``monitor_up``: 1 for a 2xx answer that is no page for people, else 0.

        Raises:
            ProbeError: we could not measure.
        """
        start = self.clock.now()
        for place in self.places:
            answer = ask(self.client, "GET", place)
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
                note=trouble and f"{_address(self.client)}{place}: {trouble}",
                details={"status": answer.status, "ms": round(answer.ms, 1), "place": place},
            )
        ]


def _grafana(answer: Answer) -> str:
    """What Grafana says of its database, which it needs to show anything."""
    body = answer.json()
    state = find("database", body)
    if state == "ok":
        return ""
    return f"its database is {state!r}" if isinstance(body, dict) and state else "a body that is not its JSON"


def _address(client: httpx.Client) -> str:
    """The client's address, without a user and password."""
    return str(client.base_url.copy_with(username=None, password=None)).rstrip("/")
