"""Is every feature off, for everybody?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.checks.flags import measure
from rampgate.stage import rollback

if TYPE_CHECKING:
    from rampgate.checks.flag_service.settings import FlagSettings
    from rampgate.checks.frame.check import Context
    from rampgate.config.rollout import EnrolledSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.rollback


def test_features_are_off_for_everybody(
    rollback_flags: FlagSettings, check_context: Context, expect: Expect
) -> None:
    """A feature that was rolled back is on for none of the users who are asked for, whoever they are."""
    for found in measure(rollback_flags, check_context, "flag_on_when_off"):
        expect(found)


def test_features_are_off_for_those_enrolled(
    rollback_enrolled: list[EnrolledSettings], stage_context: StageContext, expect: Expect
) -> None:
    """Nor is it on for users who had it by an override."""
    expect(rollback.of_enrolled(stage_context, rollback_enrolled))
