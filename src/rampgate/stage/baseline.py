"""What is measured before a deploy, to be compared with afterwards; nothing measured is no baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.probes.lighthouse import AUDITS
from rampgate.probes.page_step import PageStep
from rampgate.probes.vitals import web_vitals
from rampgate.stage.latency import latency_before

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.checks.pages import PageSettings
    from rampgate.config.predeploy import BaselineSettings
    from rampgate.model.measurement import Measurement
    from rampgate.stage.context import StageContext

_ARRIVES_S = 5.0
_POLL_S = 0.2


def endpoint(context: StageContext, settings: EndpointSettings) -> Sequence[Measurement]:
    """Errors, latency and bodies of an API endpoint, in one look at all of them."""
    measured = latency_before(context, settings)
    times = next(measurement for measurement in measured if measurement.metric == "api_response_time")
    if times.histogram is None or not times.histogram.counts:
        why = next((measurement.note for measurement in measured if measurement.note), "no answer")
        pytest.fail(f"no latency to compare with: none of {times.n:,} requests was answered: {why}")
    return measured


def audit(context: StageContext, page: PageSettings) -> list[Measurement]:
    """Lighthouse's scores of a page, of as many audits as the first look makes."""
    measured = context.audit(page).measure(AUDITS[0])
    if down := [measurement for measurement in measured if not measurement.values]:
        pytest.fail(f"no scores to compare with: {down[0].note}")
    return measured


def vitals(context: StageContext, settings: BaselineSettings) -> list[Measurement]:
    """The web vitals of visits; where there were none, of our own to the configured pages."""
    context.need("api")
    if measured := _vitals(context, settings):
        return measured
    run = context.run
    for page in run.settings.pages:
        context.visit(page, PageStep(page.name, context.address(page)).visit)
    until = run.clock.monotonic() + _ARRIVES_S
    while not (measured := _vitals(context, settings)):
        if run.clock.monotonic() > until:
            pytest.fail(f"no vitals to compare with: {settings.vitals} reports no visit, not even ours")
        run.clock.sleep(_POLL_S)
    return measured


def _vitals(context: StageContext, settings: BaselineSettings) -> list[Measurement]:
    with context.admin() as http:
        return web_vitals(http, settings.vitals or "")
