"""Do the journeys of users come to their end?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage.journeys import expect_journey

if TYPE_CHECKING:
    from rampgate.checks.journeys import JourneySettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext
    from rampgate.stage.stage_watch import StageWatch

pytestmark = pytest.mark.extended


def test_journey_works(
    journey: JourneySettings, stage_context: StageContext, stage_watch: StageWatch, expect: Expect
) -> None:
    """Each journey comes to its end, visit after visit, and what it measures keeps its limits."""
    expect_journey(journey, stage_context, expect, over=stage_watch.over)
