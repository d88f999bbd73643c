"""Asks the flag service of [flags] what users have, and knows what they should have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rampgate.checks.flag_service.probe import FlagProbe
from rampgate.checks.flag_service.users import fresh_users
from rampgate.errors import ProbeError
from rampgate.model.buckets import decide
from rampgate.model.statistics import two_sided
from rampgate.rollout.readers import readers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.actuators.frame import Change
    from rampgate.checks.flag_service.settings import FlagSettings
    from rampgate.checks.flag_service.users import User
    from rampgate.clock import Clock
    from rampgate.config.rollout import RolloutSettings
    from rampgate.io.http import ClientFactory

ALPHA = 1e-4
"""The chance that a share that is right is taken for another, where no user's side is known."""
PER_CENT = 100.0
_ASKING_S = 20.0
"""Beside the time for a change: what asking for everybody takes at our own pace."""


@dataclass
class Asking:
    """Asks the flag service.

    Args:
        flags: [flags].
        rollout: [rollout].
        clients: makes a client of the flag service.
        clock: measures and waits.
    """

    flags: FlagSettings
    rollout: RolloutSettings
    clients: ClientFactory
    clock: Clock

    def expects(self, change: Change, flag: str, user: User) -> bool | None:
        """What a user should read, None where only the share of all is known."""
        having = [each for each in self.rollout.enrolled if each.has(user)]
        own, of_all = (True if any(each.user for each in having) else None), (True if having else None)
        if not change.on or change.percentage in {0.0, PER_CENT}:
            return decide(change.percentage, change.on, own, of_all, 0, self.flags.semantics)
        if not self.known:
            return True if having and self.flags.semantics == "overrides-first" else None
        place = self.flags.place(flag, *user)
        return decide(change.percentage, change.on, own, of_all, place, self.flags.semantics)

    def by_share(self, change: Change) -> bool:
        """Whether no user's side is known, but only how many have it."""
        return not self.known and change.on and change.percentage not in {0.0, PER_CENT}

    @property
    def one_place(self) -> bool:
        """Whether each user has one place that is known, for all flags."""
        return self.known and self.flags.hash == "seed"

    @property
    def known(self) -> bool:
        """Whether it is known which users a percentage reaches."""
        return self.flags.algorithm != "unknown"

    def probe(self, takes: float = 0.0) -> FlagProbe:
        """One that asks for as long as a change may take, and more, however late the service answers."""
        ends = self.clock.monotonic() + self.rollout.propagation + _ASKING_S + takes
        return FlagProbe(self.clients, self.flags, self.flags.bulk, clock=self.clock, ends=ends)

    def decided(self, names: Sequence[str], users: Sequence[User]) -> dict[str, list[bool | None]]:
        """The decisions on some flags.

        Raises:
            ProbeError: there is none on one of them.
        """
        got = self.probe().decisions(names, users)
        if silent := [name for name in names if set(got[name]) <= {None}]:
            raise ProbeError(f"the flag service gave no decision on {', '.join(silent)}")
        return got

    def taken(self, change: Change) -> str:
        """Which feature a change would take from users who have it, as a sentence; "" for none.

        Raises:
            ProbeError: we could not ask.
        """
        users, share = readers(change, self.flags, self.rollout), change.percentage / PER_CENT
        got = self.decided(change.features, users)
        for flag in change.features:
            sides = [self.expects(change, flag, user) for user in users]
            pairs = list(zip(got[flag], sides, strict=True))
            open_ones = [decision for decision, side in pairs if side is None]
            too_many = open_ones.count(True) > len(open_ones) * share and not may_be(open_ones, share)
            if too_many or (True, False) in pairs:
                fresh = fresh_users(self.rollout.users)
                on = self.decided([flag], fresh)[flag].count(True)
                return f"users who have {flag} ({on} of {len(fresh)} who were asked at random)"
        return ""


def may_be(decisions: Sequence[bool | None], share: float) -> bool:
    """Whether so many of them are on as a share says, and none is without a decision."""
    on = sum(decision is True for decision in decisions)
    return None not in decisions and two_sided(on, len(decisions), share) >= ALPHA
