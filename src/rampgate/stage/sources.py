"""What the sources of metrics are given by a stage: clients of the stores, our own probes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from rampgate.errors import ProbeError
from rampgate.io import stores
from rampgate.io.cpu_pressure import cpu_wait_s
from rampgate.io.http import ask
from rampgate.model import formats
from rampgate.model.measurement import DOUBT, Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import httpx

    from rampgate.checks.pages import PageSettings
    from rampgate.config.settings import Settings
    from rampgate.io.guard import Guard
    from rampgate.probes.lighthouse import LighthouseProbe

_MOST_WAIT = 0.5
"""Of the time of an audit; a browser alone makes a small machine wait, too."""


@dataclass(frozen=True)
class Doors:
    """What a stage measures through.

    Args:
        client: opens a client of a service.
        audit: makes the probe of a page.
    """

    client: Callable[..., httpx.Client]
    audit: Callable[[PageSettings], LighthouseProbe]


def handed(settings: Settings, guard: Guard, doors: Doors) -> tuple[Any, ...]:
    """Where Prometheus is with its headers, what opens a store, and what probes: of Context, in its order."""
    monitoring = settings.monitoring
    headers = monitoring.headers.get("prometheus", {}) if monitoring else {}
    place = (monitoring.prometheus or "" if monitoring else "", headers)
    return place, partial(_opened, settings, guard), partial(_probed, settings, doors)


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


def _probed(settings: Settings, doors: Doors, metric: str, subject: str) -> Sequence[Measurement]:
    """One of our own metrics: whether a service answers, the scores of pages.

    Args:
        settings: name the services and pages.
        doors: to them.
        metric: ``up``, or a score of Lighthouse.
        subject: a service, or a page of [[pages]]; "": all that there are.

    Raises:
        ProbeError: it could not be measured.
    """
    if metric == "up":
        return list(_up(settings, doors, subject))
    return [each for each in _audits(settings, doors, subject) if each.metric == metric]


def _up(settings: Settings, doors: Doors, subject: str) -> Iterator[Measurement]:
    """Asked each time anew: what answered before need not answer now."""
    target = settings.target
    for service, address in (("web", target.web), ("api", target.api)):
        if address and subject in {"", service}:
            with doors.client(service, signed_in=False) as http:
                answer = ask(http, "GET", target.health)
            note = "" if answer.ok else answer.trouble
            yield Measurement("up", n=1, value=float(answer.ok), labels={"service": service}, note=note)


def _audits(settings: Settings, doors: Doors, subject: str) -> Iterator[Measurement]:
    for page in settings.pages:
        if page.lighthouse and subject in {"", page.name}:
            began, before = time.monotonic(), cpu_wait_s()
            for each in doors.audit(page).measure(1):
                value = median(each.values) if each.values else None
                details = {**each.details, **_starved(began, before)}
                yield replace(each, value=value, values=(), details=details)


def _starved(began: float, before: float | None) -> dict[str, str]:
    """What makes a bad score of an audit doubtful: for most of its time something waited for a processor."""
    after, seconds = cpu_wait_s(), time.monotonic() - began
    if before is None or after is None or (after - before) <= _MOST_WAIT * seconds:
        return {}
    share = formats.percent((after - before) / seconds)
    return {DOUBT: f"this machine was starved: {share} of the time something waited for a processor"}
