"""What the flag checks measure: the reference bucket, shares, stickiness, off means off."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from rampgate.evidence import flag_history
from rampgate.model import formats
from rampgate.model.buckets import bucket, decide
from rampgate.model.measurement import Measurement
from rampgate.probes.flag_users import Asked, User, fresh_users
from rampgate.probes.flags import RATE, FlagProbe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

    from rampgate.config.subjects import FlagSettings
    from rampgate.evidence.run import Run
    from rampgate.probes.flag_counts import FlagCounts

KNOWN_USERS = 2_000
"""Users for equality, where the algorithm is known: no chance is involved."""
UNKNOWN_USERS = 20_000
"""Users for a share, where it is not: at most so many, as far as the time goes."""
SINGLE_USERS = 100
"""Users who are asked for one by one beside the bulk form."""
FORMER_USERS = 100
"""Of those who had a flag at the percentage before, so many are asked for whether they have it still."""
LONG_S = 5.0
"""A wait that is worth announcing."""


class FlagDecisions:
    """What the flag service decides, for users that nobody could prepare for.

    Every user is asked for twice: all of them first, then all of them again, so that whatever changes while
    the check lasts is seen. All of it happens once in a run, and takes ``[flags] duration`` at most.

    Args:
        settings: the flags and what they must be.
        client: makes a client of the flag service.
        run: shares what is measured among its processes, and says when its time is up.
    """

    def __init__(self, settings: FlagSettings, client: Callable[[], httpx.Client], run: Run) -> None:
        self._settings = settings
        self._flags = list(settings.expected)
        self._run = run
        self._known = settings.algorithm != "unknown"
        self._seed = random.SystemRandom().getrandbits(64)
        self._users = fresh_users(KNOWN_USERS if self._known else UNKNOWN_USERS, self._seed)
        self._probe = FlagProbe(
            client, settings.path, settings.value, settings.bulk, clock=run.clock, ends=run.deadline
        )
        self._interrupted: KeyboardInterrupt | None = None

    def of(self, metric: str) -> Iterator[Measurement]:
        """What was measured of one metric, for each flag.

        Args:
            metric: ``flag_mismatches``, ``flag_share``, ``flag_changed``, ``flag_on_when_off``, or
                ``flag_nesting_broken`` of flags whose percentage has risen since an earlier run.

        Raises:
            ProbeError: we could not measure.
            KeyboardInterrupt: it was cut off; what was measured until then has come out before.
        """
        yield from (measurement for measurement in self._measured if measurement.metric == metric)
        if self._interrupted:
            raise self._interrupted

    @cached_property
    def _measured(self) -> list[Measurement]:
        found = self._run.shared("flags", lambda: [each.to_json() for each in self._measure()])
        return [Measurement.from_json(each) for each in found]

    def _measure(self) -> list[Measurement]:
        """Ask for all users, for some of them one by one as well, and for all of them again."""
        probe, clock = self._probe, self._run.clock
        seconds = self._settings.duration
        begun = clock.monotonic()
        first = Asked(self._flags, self._users)
        single = Asked(self._flags, self._users[:SINGLE_USERS] if self._settings.bulk else ())
        again, former = first, self._former()
        self._announce(len(single.users))
        try:
            probe.fill(first, until=begun + seconds / 2)
            again = Asked(self._flags, [self._users[at] for at in first.whole])
            for asked in former:
                probe.fill(asked, until=begun + seconds * 5 / 8)
            probe.fill(single, until=begun + seconds * 3 / 4, one_by_one=True)
            probe.fill(again, until=begun + seconds)
        except KeyboardInterrupt as interrupted:
            self._interrupted = interrupted
        counts = probe.counts
        return [
            *self._counted(counts, first, single, again),
            *(counts.nesting(a.flags[0], a.users, a.of(a.flags[0], range(len(a.users)))) for a in former),
        ]

    def _former(self) -> list[Asked]:
        """For each flag whose percentage has risen, users who had it before."""
        former = []
        for flag, (seed, on) in flag_history.who_was_on(self._run.settings).items():
            some = on[:FORMER_USERS]
            users = fresh_users(max(some, default=-1) + 1, seed)
            former.append(Asked([flag], [users[at] for at in some]))
        return former

    def _counted(
        self, counts: FlagCounts, first: Asked, single: Asked, again: Asked
    ) -> Iterator[Measurement]:
        """What the decisions come to, of the users whose flags were all asked."""
        asked = first.whole
        users = [self._users[at] for at in asked]
        twice = again.whole if again is not first else []
        for flag, percentage in self._settings.expected.items():
            got = first.of(flag, asked)
            second = again.of(flag, twice)
            if self._known:
                found = counts.mismatches(flag, users, got, self._reference(flag, users))
            else:
                found = counts.share(flag, got)
            on = [at for at, decision in zip(asked, got, strict=True) if decision]
            decided = {flag_history.KEY: flag_history.packed(self._seed, on)}
            yield replace(found, details={**found.details, **decided})
            if single.users:
                both = [at for at in single.whole if at in set(asked)]
                yield counts.mismatches(
                    flag,
                    [self._users[at] for at in both],
                    single.of(flag, both),
                    first.of(flag, both),
                    form="single",
                )
            yield counts.changed(flag, [users[at] for at in twice], [got[at] for at in twice], second)
            if percentage == 0:
                yield counts.on_when_off(flag, [*users, *(users[at] for at in twice)], [*got, *second])

    def _announce(self, singles: int) -> None:
        """Say how long it may take, where that is long."""
        settings = self._settings
        each = len(self._users) * len(self._flags)
        bulk = settings.bulk
        requests = (-(-len(self._users) // bulk.chunk) if bulk else each) * 2 + singles * len(self._flags)
        seconds = min(requests / RATE, settings.duration)
        if seconds > LONG_S:
            self._run.progress(
                f"flags: {len(self._flags)} flags, at most {RATE:g} requests a second, every user asked for "
                f"twice: up to {formats.duration(seconds)}"
            )

    def _reference(self, flag: str, users: Sequence[User]) -> list[bool]:
        return [self._on(flag, self._settings.expected[flag], user) for user in users]

    def _on(self, flag: str, percentage: float, user: User) -> bool:
        salt = flag if self._settings.hash == "salted" else None
        place = bucket(user.user, user.workspace, salt)
        return decide(percentage, percentage > 0, None, None, place, self._settings.semantics)
