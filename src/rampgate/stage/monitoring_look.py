"""Floor 6. What the checks of the monitoring ask: its services, and what Prometheus knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from rampgate.errors import UnreachableError
from rampgate.io.http import client
from rampgate.probes.monitoring import PLACES, MonitorProbe
from rampgate.probes.prometheus import PrometheusProbe

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rampgate.evidence.run import Run
    from rampgate.model.measurement import Measurement
    from rampgate.stage.look import Look

T = TypeVar("T")
_REPORTED = ("user_feedback_score", "database_connection_failures")
"""Metrics of thresholds that no probe measures: the deployment or its monitoring must tell them."""


class MonitoringLook:
    """Makes the probes of [monitoring].

    Args:
        run: the run that they belong to.
        look: makes the clients of the deployment itself.
    """

    def __init__(self, run: Run, look: Look) -> None:
        told = run.settings.monitoring
        assert told  # noqa: S101  # the plan has these checks only where it is configured
        self._run = run
        self._look = look
        self._told = told

    def health(self, service: str) -> Measurement:
        """Whether a service of the monitoring answers that it is healthy; looked at once per run.

        Args:
            service: prometheus, alertmanager, grafana or performance.
        """
        if service == "performance":
            self._look.need("api")
        return self._run.once(f"monitoring-{service}", lambda: self._health(service))

    def jobs(self) -> Measurement:
        """Scrape jobs that are not up."""
        return self._asked(lambda probe: probe.jobs(self._told.jobs))

    def rules(self) -> Measurement:
        """Alerting rules that are not loaded."""
        return self._asked(lambda probe: probe.rules(self._told.rules))

    def metrics(self) -> Measurement:
        """Metrics that nobody delivers; and, only told, thresholds on metrics of which nobody is asked."""
        seen = self._asked(lambda probe: probe.metrics(self._told.metrics))
        known = {*self._told.metrics, *(metric.name for metric in self._run.settings.metrics)}
        unasked = [name for name in _REPORTED if name not in known and self._run.policy.of(name)]
        if not unasked:
            return seen
        named = f"thresholds on {' and '.join(unasked)} are never judged: no query, no [[metrics]] tells it"
        # What fails the check is told first; this fails nothing.
        return replace(seen, note=seen.note or named, details={**seen.details, "unasked": unasked})

    def number(self, query: str) -> float | None:
        """What a query gives now."""
        return self._asked(lambda probe: probe.number(query))

    def _asked(self, ask: Callable[[PrometheusProbe], T]) -> T:
        """What Prometheus tells.

        Raises:
            UnreachableError: it is not healthy; its own check says why.
        """
        if not self._told.prometheus:
            raise UnreachableError("skipped because monitoring.prometheus is not configured")
        if self.health("prometheus").value != 1:
            raise UnreachableError("skipped because prometheus does not answer")
        with self._client("prometheus") as http:
            return ask(PrometheusProbe(http, self._run.clock))

    def _health(self, service: str) -> Measurement:
        with self._client(service) as http:
            places = PLACES.get(service) or (self._told.performance or "",)
            return MonitorProbe(http, service, places, self._run.clock).look()[0]

    def _client(self, service: str) -> httpx.Client:
        if service == "performance":
            http = self._look.admin()
            http.timeout = self._told.timeout
            return http
        # Not the target's own headers: they may carry a secret that is for the target alone.
        return client(getattr(self._told, service), run_id=self._run.id, timeout_s=self._told.timeout)
