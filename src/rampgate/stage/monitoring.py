"""What the checks of the monitoring measure: its services, and what Prometheus knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from rampgate.errors import UnreachableError
from rampgate.io.http import client
from rampgate.io.prometheus import Prometheus
from rampgate.probes.monitoring import PATHS, PrometheusProbe, monitor_up

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rampgate.config.predeploy import MonitoringSettings
    from rampgate.model.measurement import Measurement
    from rampgate.stage.context import StageContext

T = TypeVar("T")
_REPORTED = ("user_feedback_score", "database_connection_failures")
"""Metrics of thresholds that no probe measures: the deployment or its monitoring must report them."""


def health(context: StageContext, settings: MonitoringSettings, service: str) -> Measurement:
    """Whether a service of the monitoring answers that it is healthy; measured once per run.

    Args:
        context: of the stage.
        settings: where the services are.
        service: prometheus, alertmanager, grafana or performance.

    Raises:
        UnreachableError: the deployment's own page of performance is due, and the API does not answer.
    """
    if service == "performance":
        context.need("api")

    def measure() -> Measurement:
        with _client(context, settings, service) as http:
            paths = PATHS.get(service) or (settings.performance or "",)
            return monitor_up(http, service, paths)

    return context.run.once(f"monitoring-{service}", measure)


def jobs(context: StageContext, settings: MonitoringSettings) -> Measurement:
    """Scrape jobs that are not up.

    Raises:
        UnreachableError: Prometheus is not configured or not healthy; its own check says why.
    """
    return _ask(context, settings, lambda probe: probe.jobs(settings.jobs or ()))


def rules(context: StageContext, settings: MonitoringSettings) -> Measurement:
    """Alerting rules that are not loaded; raises as jobs."""
    return _ask(context, settings, lambda probe: probe.rules(settings.rules))


def metrics(context: StageContext, settings: MonitoringSettings) -> Measurement:
    """Metrics that are not delivered; and, in its note, thresholds that no query feeds. Raises as jobs."""
    measured = _ask(context, settings, lambda probe: probe.metrics(settings.metrics))
    known = {*settings.metrics, *(metric.name for metric in context.run.settings.table("metrics"))}
    unasked = [name for name in _REPORTED if name not in known and context.run.policy.of(name)]
    if not unasked:
        return measured
    named = f"thresholds on {' and '.join(unasked)} are never judged: no query and no [[metrics]] reports it"
    # What fails the check stands first; this fails nothing.
    return replace(measured, note=measured.note or named, details={**measured.details, "unasked": unasked})


def number(context: StageContext, settings: MonitoringSettings, query: str) -> float | None:
    """What a query of Prometheus gives now; raises as jobs."""
    return _ask(context, settings, lambda probe: Prometheus(probe.client).number(query))


def _ask(context: StageContext, settings: MonitoringSettings, query: Callable[[PrometheusProbe], T]) -> T:
    if not settings.prometheus:
        raise UnreachableError("skipped because monitoring.prometheus is not configured")
    if health(context, settings, "prometheus").value != 1:
        raise UnreachableError("skipped because prometheus does not answer")
    with _client(context, settings, "prometheus") as http:
        return query(PrometheusProbe(http))


def _client(context: StageContext, settings: MonitoringSettings, service: str) -> httpx.Client:
    if service == "performance":
        http = context.admin()
        http.timeout = settings.timeout
        return http
    # Not the target's own headers: they may carry a secret that is for the target alone.
    headers = next((own for name, own in settings.headers.items() if name == service), None)
    base, timeout_s = getattr(settings, service), settings.timeout
    return client(base, run_id=context.run.id, timeout_s=timeout_s, headers=headers, guard=context.guard)
