"""Floor 6. What is measured before a deploy, to be compared with afterwards; nothing seen is no baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.probes.page_step import PageStep
from rampgate.probes.vitals import VitalsProbe
from rampgate.stage.look import AUDITS, REQUESTS

if TYPE_CHECKING:
    from rampgate.config.predeploy import BaselineSettings
    from rampgate.config.subjects import EndpointSettings, PageSettings
    from rampgate.evidence.run import Run
    from rampgate.model.measurement import Measurement
    from rampgate.stage.browsing import Browsing
    from rampgate.stage.look import Look

_ARRIVES_S = 5.0
_POLL_S = 0.2


class BaselineLook:
    """Measures what a deploy may change.

    Args:
        run: the run that it belongs to.
        look: makes the probes.
        browsing: visits pages.
    """

    def __init__(self, run: Run, look: Look, browsing: Browsing) -> None:
        self._run = run
        self._look = look
        self._browsing = browsing

    def endpoint(self, endpoint: EndpointSettings) -> list[Measurement]:
        """Errors, latency and bodies of an API endpoint, of as many requests as the first look makes."""
        seen = self._look.endpoint(endpoint).look(REQUESTS[0])
        times = next(measurement for measurement in seen if measurement.metric == "api_response_time")
        if times.histogram is None or not times.histogram.counts:
            why = next((measurement.note for measurement in seen if measurement.note), "no answer")
            pytest.fail(f"no latency to compare with: none of {times.n:,} requests was answered: {why}")
        return seen

    def audit(self, page: PageSettings) -> list[Measurement]:
        """Lighthouse's scores of a page, of as many audits as the first look makes."""
        seen = self._look.audit(page).look(AUDITS[0])
        if down := [measurement for measurement in seen if not measurement.values]:
            pytest.fail(f"no scores to compare with: {down[0].note}")
        return seen

    def vitals(self, told: BaselineSettings) -> list[Measurement]:
        """The web vitals of visits; where there were none, of our own to the configured pages."""
        self._look.need("api")
        if seen := self._told_vitals(told):
            return seen
        for page in self._run.settings.pages:
            step = PageStep(page.name, self._browsing.address(page))
            self._browsing.visit(page, step.visit)
        until = self._run.clock.monotonic() + _ARRIVES_S
        while not (seen := self._told_vitals(told)):
            if self._run.clock.monotonic() > until:
                pytest.fail(f"no vitals to compare with: {told.vitals} tells of no visit, not even of ours")
            self._run.clock.sleep(_POLL_S)
        return seen

    def _told_vitals(self, told: BaselineSettings) -> list[Measurement]:
        with self._look.admin() as http:
            return VitalsProbe(http, told.vitals or "", self._run.clock).look()
