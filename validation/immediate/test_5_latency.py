"""Does the API answer in time, without errors, with something in it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage.latency import expect_latency

if TYPE_CHECKING:
    from rampgate.checks.endpoints import EndpointSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.immediate


@pytest.mark.alone
def test_endpoint_answers_in_time(
    endpoint: EndpointSettings, stage_context: StageContext, expect: Expect
) -> None:
    """Each API endpoint keeps its limits of latency and errors, and never answers with an empty body."""
    expect_latency(stage_context, endpoint, expect)
