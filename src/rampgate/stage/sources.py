"""What the sources of metrics are given by a stage: clients of the stores, our own probes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from rampgate.errors import ProbeError
from rampgate.io import stores
from rampgate.io.http import ask
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from rampgate.config.settings import Settings
    from rampgate.io.guard import Guard
    from rampgate.stage.context import StageContext

_SCORES = ("lighthouse_performance_score", "lighthouse_accessibility_score")


def handed(stage: StageContext) -> tuple[Any, ...]:
    """Where Prometheus is with its headers, what opens a store, and what probes: of Context, in its order."""
    settings, monitoring = stage.run.settings, stage.run.settings.monitoring
    headers = monitoring.headers.get("prometheus", {}) if monitoring else {}
    place = (monitoring.prometheus or "" if monitoring else "", headers)
    return place, partial(_opened, settings, stage.guard), partial(_probed, stage)


def _opened(
    settings: Settings, guard: Guard, name: Literal["mongodb", "redis"]
) -> AbstractContextManager[Any]:
    """A client of [mongodb] or [redis]; StoreError where it does not answer.

    Raises:
        ProbeError: it is not configured.
    """
    if name == "mongodb" and settings.mongodb:
        return stores.mongodb(settings.mongodb.uri, timeout_s=settings.mongodb.timeout, guard=guard)
    if name == "redis" and settings.redis:
        return stores.redis(settings.redis.url, timeout_s=settings.redis.timeout, guard=guard)
    raise ProbeError(f"[{name}] is not configured")


def _probed(stage: StageContext, metric: str, subject: str) -> Sequence[Measurement]:
    """One of our own metrics: whether a service answers, the scores of pages.

    Args:
        stage: has the clients and browsers.
        metric: ``up``, or a score of Lighthouse.
        subject: a service, or a page of [[pages]]; "": all that there are.

    Raises:
        ProbeError: it is no such metric, or it could not be measured.
    """
    if metric == "up":
        return list(_up(stage, subject))
    if metric in _SCORES:
        return [each for each in _audits(stage, subject) if each.metric == metric]
    raise ProbeError(f"{metric} is none of our own; accepted are up, {', '.join(_SCORES)}")


def _up(stage: StageContext, subject: str) -> Iterator[Measurement]:
    """Asked each time anew: what answered before need not answer now."""
    target = stage.run.settings.target
    for service, address in (("web", target.web), ("api", target.api)):
        if address and subject in {"", service}:
            with stage.client(service, signed_in=False) as http:
                answer = ask(http, "GET", target.health)
            note = "" if answer.ok else answer.trouble
            yield Measurement("up", n=1, value=float(answer.ok), labels={"service": service}, note=note)


def _audits(stage: StageContext, subject: str) -> Iterator[Measurement]:
    for page in stage.run.settings.pages:
        if page.lighthouse and subject in {"", page.name}:
            for each in stage.audit(page).measure(1):
                value = median(each.values) if each.values else None
                yield replace(each, value=value, values=())
