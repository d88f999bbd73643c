"""What the flag checks measure: the reference bucket, shares, stickiness, off means off."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from rampgate.model.buckets import bucket, decide
from rampgate.probes.flag_users import User, fresh_users
from rampgate.probes.flags import FlagProbe

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rampgate.clock import Clock
    from rampgate.config.subjects import FlagSettings
    from rampgate.model.measurement import Measurement
    from rampgate.probes.flag_users import Decisions

KNOWN_USERS = 2_000
"""Users for equality, where the algorithm is known: no chance is involved."""
UNKNOWN_USERS = 20_000
"""Users for a share, where it is not."""
FIRST_USERS = 500
"""How many are asked for before the time for all of them is estimated."""
LONG_S = 5.0
"""A wait that is worth announcing."""


class FlagDecisions:
    """What the flag service decides, for users that nobody could prepare for.

    Args:
        settings: the flags and what they must be.
        client: makes a client of the flag service.
        clock: times the first users, so that a long wait is announced.
        progress: shows a line of progress.
    """

    def __init__(
        self,
        settings: FlagSettings,
        client: Callable[[], httpx.Client],
        clock: Clock,
        progress: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._probe = FlagProbe(client, settings.path, settings.value, settings.bulk, clock=clock)
        self._clock = clock
        self._progress = progress
        self._users = fresh_users(KNOWN_USERS)

    @cached_property
    def _decisions(self) -> dict[str, Decisions]:
        return self._ask(list(self._settings.expected), self._users)

    def equality(self) -> list[Measurement]:
        """Each flag's decisions against the reference bucket, and single answers against bulk ones."""
        compared = [
            self._probe.mismatches(flag, self._users, self._decisions[flag], self._reference(flag))
            for flag in self._settings.expected
        ]
        return compared + self._probe.consistency(self._users, self._decisions)

    def shares(self) -> list[tuple[Measurement, str]]:
        """Each flag's share among many fresh users, and the threshold that it is judged by."""
        users = fresh_users(UNKNOWN_USERS)
        return [
            (
                self._probe.share(flag, self._ask([flag], users)[flag]),
                f"flag_share == {percentage:g}%",
            )
            for flag, percentage in self._settings.expected.items()
        ]

    def sticky(self) -> list[Measurement]:
        """The same users asked again, over fresh connections."""
        return self._probe.sticky(self._users, self._decisions)

    def off(self) -> list[Measurement]:
        """Users who get a flag that must be off for everybody."""
        return [
            self._probe.off_means_off(flag, self._users, self._decisions[flag])
            for flag, percentage in self._settings.expected.items()
            if percentage == 0
        ]

    def _ask(self, flags: list[str], users: list[User]) -> dict[str, Decisions]:
        """Ask for some users first, and announce how long all of them will take when that is long."""
        began = self._clock.monotonic()
        first = self._probe.decisions(flags, users[:FIRST_USERS])
        rest = users[FIRST_USERS:]
        seconds = (self._clock.monotonic() - began) / FIRST_USERS * len(rest)
        if seconds > LONG_S:
            names = ", ".join(flags)
            self._progress(
                f"flags {names}: asking for {len(users):,} users, about {seconds:.0f} s at this rate"
            )
        more = self._probe.decisions(flags, rest)
        return {flag: first[flag] + more[flag] for flag in flags}

    def _reference(self, flag: str) -> list[bool]:
        percentage = self._settings.expected[flag]
        return [self._on(flag, percentage, user) for user in self._users]

    def _on(self, flag: str, percentage: float, user: User) -> bool:
        salt = flag if self._settings.hash == "salted" else None
        place = bucket(user.user, user.workspace, salt)
        return decide(percentage, percentage > 0, None, None, place, self._settings.semantics)
