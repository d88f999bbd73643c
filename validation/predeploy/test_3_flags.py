"""Do the flags begin where the rollout begins, and would a rollout reach whom it should?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.predeploy import FlagScratchSettings, FlagStartSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.flag_start_look import FlagStartLook

pytestmark = pytest.mark.predeploy


def test_flags_are_at_their_start_values(
    flags_start: FlagStartSettings, flag_start_look: FlagStartLook, expect: Expect
) -> None:
    """Dotenv file, running deployment and store have the start values, and agree."""
    expect(*flag_start_look.start())


def test_a_rollout_reaches_whom_it_should(
    flags_scenarios: FlagScratchSettings, flag_start_look: FlagStartLook, expect: Expect
) -> None:
    """At each percentage of the plan a scratch flag is on for its bucket, as overrides say, and stays so."""
    expect(*flag_start_look.scenarios())
