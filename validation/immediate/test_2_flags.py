"""Does each feature reach exactly the users whom it should reach?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.checks.flags import measure

if TYPE_CHECKING:
    from rampgate.checks.flag_service.settings import FlagSettings
    from rampgate.checks.frame.check import Context
    from rampgate.evidence.run import Expect

pytestmark = pytest.mark.immediate


def test_flags_reach_the_users_of_their_bucket(
    flags_known: FlagSettings, check_context: Context, expect: Expect
) -> None:
    """User by user, a flag is on exactly for those whom the reference bucket chooses."""
    for mismatches in measure(flags_known, check_context, "flag_mismatches"):
        expect(mismatches)


def test_flags_reach_the_expected_share(
    flags_unknown: FlagSettings, check_context: Context, expect: Expect
) -> None:
    """Where the algorithm is not known, the share of the fresh users that time allows is as expected."""
    for share in measure(flags_unknown, check_context, "flag_share"):
        expect(share, that=f"flag_share == {flags_unknown.expected[share.labels['flag']]:g}%")


def test_flags_are_sticky(flags: FlagSettings, check_context: Context, expect: Expect) -> None:
    """Asked again at the end, every user gets the same answer; nobody lost a flag whose percentage rose."""
    for changed in measure(flags, check_context, "flag_changed"):
        expect(changed)
    for broken in measure(flags, check_context, "flag_nesting_broken"):
        expect(broken, that="flag_nesting_broken == 0")


def test_flags_off_mean_off(flags_off: FlagSettings, check_context: Context, expect: Expect) -> None:
    """A flag that must be off is on for no user."""
    for on in measure(flags_off, check_context, "flag_on_when_off"):
        expect(on)
