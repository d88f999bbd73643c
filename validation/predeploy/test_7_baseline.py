"""How fast is it before the deploy? Kept to be compared with afterwards; nothing is judged here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage import baseline

if TYPE_CHECKING:
    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.checks.pages import PageSettings
    from rampgate.config.predeploy import BaselineSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.predeploy


@pytest.mark.alone
def test_endpoint_before(
    baseline_endpoint: EndpointSettings, stage_context: StageContext, expect: Expect
) -> None:
    """Latency and errors of each API endpoint."""
    expect.record(*baseline.endpoint(stage_context, baseline_endpoint))


@pytest.mark.alone
def test_page_before(baseline_audit: PageSettings, stage_context: StageContext, expect: Expect) -> None:
    """Lighthouse's scores of each audited page."""
    expect.record(*baseline.audit(stage_context, baseline_audit))


@pytest.mark.alone
def test_visits_before(
    baseline_vitals: BaselineSettings, stage_context: StageContext, expect: Expect
) -> None:
    """What the browsers of visitors measured."""
    expect.record(*baseline.vitals(stage_context, baseline_vitals))
