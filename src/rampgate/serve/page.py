"""The page of metrics: the verdict, the rollout and the watch, as Prometheus reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from rampgate.model.text import clean
from rampgate.outcome import Decision
from rampgate.rollout.transitions import Status

if TYPE_CHECKING:
    from rampgate.serve.answer import Answer
    from rampgate.serve.stands import Stands

_LONGEST = 200


def render(answer: Answer, stands: Stands, now: float) -> bytes:
    """The page; what is not known has no line.

    Args:
        answer: the verdict.
        stands: where the rollout and the watch stand.
        now: seconds since the epoch.
    """
    page = _Page()
    release = answer.release.release if answer.release else {}
    about = {name: clean(release.get(name), _LONGEST) for name in ("environment", "version")}
    for each in Decision:
        page.add(
            "verdict", "1 for the verdict in force.", each is answer.decision, **about, result=each.value
        )
    ends = [run.ended for run in answer.release.stages if run.ended] if answer.release else []
    if ends:
        page.add("verdict_age_seconds", "Since the end of the newest required run.", now - max(ends), **about)
    if release.get("percentage") is not None:
        page.add("release_percentage", "Of the release that was judged.", release["percentage"], **about)
    if (rollout := stands.rollout) is not None:
        of = {
            "environment": clean(rollout.environment, _LONGEST),
            "version": clean(rollout.version, _LONGEST),
        }
        for status in Status:
            says = "1 for where the rollout stands."
            page.add("rollout_status", says, status is rollout.status, **of, status=status.value)
        page.add("rollout_percentage", "In force, as it was last confirmed.", rollout.percentage, **of)
        if rollout.is_open:
            page.add("rollout_soak_observed_seconds", "Observed at this percentage.", stands.observed, **of)
            page.add("rollout_soak_needed_seconds", "Needed for the next step.", stands.needed, **of)
    if stands.heartbeat is not None:
        page.add("watch_heartbeat_age_seconds", "Since the newest round.", now - stands.heartbeat)
    for part in ("rollout", "watch"):
        page.add("unread", "1 where the state of this part cannot be read.", part in stands.unread, part=part)
    return generate_latest(page.registry)


class _Page:
    """Gauges of one page."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}

    def add(self, name: str, says: str, value: float, **labels: str) -> None:
        """One line of a gauge."""
        if name not in self._gauges:
            self._gauges[name] = Gauge(f"rampgate_{name}", says, [*labels], registry=self.registry)
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)
