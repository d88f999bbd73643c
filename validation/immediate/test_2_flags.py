"""Does each feature reach exactly the users whom it should reach?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.subjects import FlagSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.immediate


def test_flags_reach_the_users_of_their_bucket(
    flags_known: FlagSettings, stage_context: StageContext, expect: Expect
) -> None:
    """User by user, a flag is on exactly for those whom the reference bucket chooses."""
    expect(*stage_context.flags(flags_known).equality())


def test_flags_reach_the_expected_share(
    flags_unknown: FlagSettings, stage_context: StageContext, expect: Expect
) -> None:
    """Where the algorithm is not known, the share of 20,000 fresh users is the expected one."""
    for share, expected in stage_context.flags(flags_unknown).shares():
        expect(share, that=expected)


def test_flags_are_sticky(flags: FlagSettings, stage_context: StageContext, expect: Expect) -> None:
    """On a second request over a fresh connection, every user gets the same answer."""
    expect(*stage_context.flags(flags).sticky())


def test_flags_off_mean_off(flags_off: FlagSettings, stage_context: StageContext, expect: Expect) -> None:
    """A flag that must be off is on for no user."""
    expect(*stage_context.flags(flags_off).off())
