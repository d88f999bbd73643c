"""Do the flags begin where the rollout begins, and can it reach whom it should, and go back?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage import flag_start
from rampgate.stage.floor import expect_floor

if TYPE_CHECKING:
    from rampgate.checks.flag_service.settings import FlagScratchSettings, FlagSettings, FlagStartSettings
    from rampgate.checks.scratch_data import ScratchDataSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.predeploy


def test_flags_are_at_their_start_values(
    flags_start: FlagStartSettings, flags: FlagSettings, stage_context: StageContext, expect: Expect
) -> None:
    """Dotenv file, running deployment and store have the start values, and agree."""
    expect(*flag_start.start(stage_context, flags, flags_start))


def test_a_rollout_reaches_whom_it_should(
    flags_scenarios: FlagScratchSettings, flags: FlagSettings, stage_context: StageContext, expect: Expect
) -> None:
    """At each percentage of the plan a scratch flag is on for its bucket, as overrides say, and stays so."""
    expect(*flag_start.scenarios(stage_context, flags, flags_scenarios))


def test_data_can_be_read_with_the_features_off(
    scratch_data: ScratchDataSettings, stage_context: StageContext, expect: Expect
) -> None:
    """What is written with the features on is read with them off, or `rollout.floor` says that it is not."""
    expect_floor(stage_context, scratch_data, expect)
