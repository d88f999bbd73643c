"""Does each feature reach exactly the users whom it should reach?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.subjects import FlagSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.look import Look

pytestmark = pytest.mark.immediate


def test_flags_reach_the_users_of_their_bucket(flags_known: FlagSettings, look: Look, expect: Expect) -> None:
    """User by user, a flag is on exactly for those whom the reference bucket chooses."""
    expect(*look.flags.equality())


def test_flags_reach_the_expected_share(flags_unknown: FlagSettings, look: Look, expect: Expect) -> None:
    """Where the algorithm is not known, the share of 20,000 fresh users is the expected one."""
    for share, expected in look.flags.shares():
        expect(share, that=expected)


def test_flags_are_sticky(flags: FlagSettings, look: Look, expect: Expect) -> None:
    """Asked again over fresh connections, every user gets the same answer."""
    expect(*look.flags.sticky())


def test_flags_off_mean_off(flags_off: FlagSettings, look: Look, expect: Expect) -> None:
    """A flag that must be off is on for nobody."""
    expect(*look.flags.off())
