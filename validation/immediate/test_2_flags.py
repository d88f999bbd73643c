"""Does each feature reach exactly the users whom it should reach?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.checks.flag_service import arms
from rampgate.checks.flags import limit, measure

if TYPE_CHECKING:
    from rampgate.checks.flag_service.settings import FlagSettings
    from rampgate.checks.frame.check import Context
    from rampgate.evidence.run import Expect

pytestmark = pytest.mark.immediate


def test_flags_reach_the_users_of_their_bucket(
    flags_known: FlagSettings, check_context: Context, expect: Expect
) -> None:
    """User by user, a flag is on exactly for those whom the reference bucket chooses."""
    for found in measure(flags_known, check_context, "flag_mismatches"):
        expect(found, that=limit(flags_known, found))


def test_flags_reach_the_expected_share(
    flags_unknown: FlagSettings, check_context: Context, expect: Expect
) -> None:
    """Where the algorithm is not known, the share of fresh users is as expected, and both forms agree."""
    for found in measure(flags_unknown, check_context, "flag_share", "flag_mismatches"):
        expect(found, that=limit(flags_unknown, found))
        if found.metric == "flag_share" and expect.run.policy.thresholds(found):
            expect(found)  # [thresholds] may limit the share as well


def test_flags_are_sticky(flags: FlagSettings, check_context: Context, expect: Expect) -> None:
    """Asked again at the end, every user gets the same answer; nobody lost a flag whose percentage rose."""
    for found in measure(flags, check_context, "flag_changed", "flag_nesting_broken"):
        expect(found, that=limit(flags, found))
    if not flags.has_arms and (shown := list(measure(flags, check_context, "flag_mixed_workspaces"))):
        expect.record(*shown)
        expect.run.journal.write("event", text=arms.said(shown))


def test_flags_have_no_mixed_arms(flags_arms: FlagSettings, check_context: Context, expect: Expect) -> None:
    """With `rollout.unit` all users of a workspace read the same, or a user in all workspaces."""
    expect(*measure(flags_arms, check_context, "flag_mixed_workspaces", "flag_mixed_users"))


def test_flags_off_mean_off(flags_off: FlagSettings, check_context: Context, expect: Expect) -> None:
    """A flag that must be off is on for no user."""
    for found in measure(flags_off, check_context, "flag_on_when_off"):
        expect(found, that=limit(flags_off, found))
