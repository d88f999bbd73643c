"""Reads back what a change has done: for users in, at and outside of the new percentage."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.checks.flag_service.probe import RATE
from rampgate.checks.flag_service.users import Asked, User, fresh_users
from rampgate.errors import ProbeError
from rampgate.model import formats
from rampgate.rollout.arms import Arms, arms_of
from rampgate.rollout.asking import PER_CENT, Asking, may_be
from rampgate.rollout.readers import readers, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rampgate.actuators.frame import Change

_POLL_S = 0.5
_OTHERS = 20
"""Users for whom the flags that do not move are compared with before, one at each 5 % where that is known."""
_SHARE_OF = 400
_NAMED = 3
_MISSES = 1e-3
"""The chance that of a share of users who read something else none is among those who are asked."""
_ENOUGH = math.ceil(math.log(_MISSES) / math.log(1 - 0.01))
"""Users of whom none is among 1 % no more often than that: 688."""


class Effect(NamedTuple):
    """What users read after a change.

    Args:
        ok: whether all read what they should.
        sentence: as a person reads it.
        details: users, seconds until the median, 99 % and the last of them read it, who does not.
    """

    ok: bool
    sentence: str
    details: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"ok": self.ok, "sentence": self.sentence, **self.details}


@dataclass
class ReadBack(Asking):
    """Asks the flag service of [flags] whether a change has reached its users.

    Args:
        progress: takes a line while users are waited for.
    """

    progress: Callable[[str], None]
    _before: dict[str, list[bool | None]] = field(default_factory=dict, init=False)
    _others: list[User] = field(default_factory=list, init=False)

    def before(self, features: Sequence[str]) -> None:
        """Remember what some users have of the flags that do not move.

        Raises:
            ProbeError: we could not ask.
        """
        if names := self._apart(features):
            self._others = spread(_OTHERS, self.flags) if self.one_place else fresh_users(_OTHERS)
            self._before = self.decided(names, self._others)

    def after(self, change: Change, began: float, *, rises: bool = True) -> Effect:
        """Wait until every user reads what the change says, and see that it stays so.

        Args:
            change: what users are to have.
            began: when the actuators were called first, on the clock's monotonic scale.
            rises: whether users with mixed arms are looked for; no way back waits for that.

        Raises:
            ProbeError: we could not ask.
        """
        users = readers(change, self.flags, self.rollout)
        expected = {flag: [self.expects(change, flag, user) for user in users] for flag in change.features}
        came = self._wait(users, expected, began)
        wrong = [(flag, users[at]) for flag in expected for at in range(len(users)) if (flag, at) not in came]
        at = f"{change.percentage:g} %" if change.on else "off"
        times = _times(sorted(came.values()))
        trouble, n, sees = "", len(users), ""
        if not wrong and not self.known and not self.by_share(change):
            wrong, more = self._beyond(change, self.rollout.users)
            n, sees = n + more, f"; {_missed(self.rollout.users + more)}"
        if not wrong and self.by_share(change):
            trouble = self._share(change, at, began)
            times = {"last_s": round(self.clock.monotonic() - began, 3)}
        if not wrong and not trouble:
            wrong = self._stays(users, expected)
        details: dict[str, Any] = {"users": n, "percentage": change.percentage, "on": change.on}
        arms = self._arms(change, began, once=bool(wrong or trouble)) if rises else Arms()
        details |= times | arms.details
        if wrong:
            details["wrong"] = [[flag, *user] for flag, user in wrong[:_NAMED]]
            of = f"{len(wrong)} of {n * len(expected)} decisions are not those of {at}"
            names = self._named(wrong, change.features)
            return Effect(ok=False, sentence=arms.after(f"{of}: {names}"), details=details)
        if trouble := trouble or arms.trouble or self._moved(change.features):
            return Effect(ok=False, sentence=trouble, details=details)
        last = formats.duration(times.get("last_s", 0.0))
        says = f"{n} users read {at}, the last after {last}{sees}"
        return Effect(ok=True, sentence=arms.after(says), details=details)

    def now(self, change: Change) -> Effect:
        """What users read of a percentage that was brought about before, without waiting for any of them.

        Raises:
            ProbeError: we could not ask.
        """
        return self.after(change, self.clock.monotonic() - self.rollout.propagation, rises=False)

    def _arms(self, change: Change, began: float, *, once: bool) -> Arms:
        """Who has mixed arms: where it must be none, once it is none or at the deadline."""
        if not change.on or change.percentage in {0.0, PER_CENT} or not self.flags.names_workspace:
            return Arms()
        n = max(self.rollout.users, _SHARE_OF) if self.flags.has_arms else self.rollout.users
        takes = 2 * n * len(change.features) / RATE
        while True:
            arms = arms_of(self.probe(takes), change.features, n, self.flags.unit)
            if once or not arms.trouble or self.clock.monotonic() >= began + self.rollout.propagation:
                return arms
            self.clock.sleep(_POLL_S)

    def _named(self, wrong: Sequence[tuple[str, User]], features: Sequence[str]) -> str:
        """Decisions that are wrong, and what changed in their place."""
        names = ", ".join(f"{flag} of {user.user}" for flag, user in wrong[:_NAMED])
        with suppress(ProbeError):  # what is wrong is known without it
            if moved := self._moved(features):
                return f"{names}; {moved}"
        return names

    def _apart(self, features: Sequence[str]) -> list[str]:
        return [name for name in self.flags.expected if name not in features]

    def _wait(
        self, users: Sequence[User], expected: dict[str, list[bool | None]], began: float
    ) -> dict[tuple[str, int], float]:
        """(flag, position of the user) -> seconds until it was read as expected."""
        came: dict[tuple[str, int], float] = {}
        until, said = began + self.rollout.propagation, self.clock.monotonic()
        while True:
            left = sorted({at for flag in expected for at in range(len(users)) if (flag, at) not in came})
            got = self.probe().decisions(list(expected), [users[at] for at in left])
            now = self.clock.monotonic()
            for flag, wanted in expected.items():
                for at, decision in zip(left, got[flag], strict=True):
                    right = decision is not None if wanted[at] is None else decision == wanted[at]
                    if right and (flag, at) not in came:
                        came[flag, at] = now - began
            if len(came) == len(users) * len(expected):
                return came
            if now >= until:
                if set().union(*got.values()) == {None}:
                    raise ProbeError("the flag service gave no decision on any of the flags that move")
                return came
            if now - said >= 1:
                said = now
                missing = len(users) * len(expected) - len(came)
                self.progress(f"{missing} of {len(users) * len(expected)} decisions are still to change")
            self.clock.sleep(_POLL_S)

    def _beyond(self, change: Change, n: int) -> tuple[list[tuple[str, User]], int]:
        """Ask more users, as far as there is time, where chance alone brings one who reads something else.

        Returns:
            Decisions that stay wrong, and how many users were asked.
        """
        users = fresh_users(max(0, _ENOUGH - n))
        until = self.clock.monotonic() + self.rollout.propagation
        asked = Asked(change.features, users)
        self.probe().fill(asked, until=until)
        answered = [at for at in asked.whole if None not in {asked.found[at, flag] for flag in asked.flags}]
        while True:
            wrong = [
                (flag, users[at])
                for flag in change.features
                for at in answered
                if asked.found[at, flag] != self.expects(change, flag, users[at])
            ]
            if not wrong or self.clock.monotonic() >= until:
                return wrong, len(answered)
            self.clock.sleep(_POLL_S)
            late = [at for at in answered if any(user == users[at] for _, user in wrong)]
            for flag, decisions in self.probe().decisions(asked.flags, [users[at] for at in late]).items():
                asked.found.update({(at, flag): got for at, got in zip(late, decisions, strict=True)})

    def _stays(self, users: Sequence[User], expected: dict[str, list[bool | None]]) -> list[tuple[str, User]]:
        """Who reads something else when asked one by one, over connections of their own, for a while."""
        if any(None in wanted for wanted in expected.values()):  # then each keeps what he has now
            now = self.probe().decisions(list(expected), users)
            expected = {
                flag: [got if side is None else side for side, got in zip(wanted, now[flag], strict=True)]
                for flag, wanted in expected.items()
            }
        until = self.clock.monotonic() + self.rollout.settle
        while True:
            for at, user in enumerate(users):
                asked = Asked(list(expected), [user])
                self.probe().fill(asked, one_by_one=True)
                for flag, wanted in expected.items():
                    got = asked.found.get((0, flag))
                    if got is None or got != wanted[at]:
                        return [(flag, user)]
            if self.clock.monotonic() >= until:
                return []

    def _moved(self, features: Sequence[str]) -> str:
        """Which flags that are no part of the rollout changed for somebody all the same; "" for none.

        Raises:
            ProbeError: we could not ask.
        """
        names = self._apart(features)
        if not names or not self._before:
            return ""
        now = self.decided(names, self._others)
        moved = [
            name
            for name in names
            if any(
                {was, got} == {True, False} for was, got in zip(self._before[name], now[name], strict=True)
            )
        ]
        return f"{', '.join(moved)} changed, and is no part of this rollout" if moved else ""

    def _share(self, change: Change, at: str, began: float) -> str:
        """Wait until the share of users who have each feature may be the percentage; "" once it may."""
        users = fresh_users(max(self.rollout.users, _SHARE_OF))
        until = began + self.rollout.propagation
        while True:
            got = self.probe().decisions(change.features, users)
            wrong = [flag for flag in change.features if not may_be(got[flag], change.percentage / PER_CENT)]
            if not wrong:
                return ""
            if self.clock.monotonic() >= until:
                on = got[wrong[0]].count(True)
                return f"{on} of {len(users)} users have {wrong[0]}, where {at} should"
            self.clock.sleep(_POLL_S)


def _missed(n: int) -> str:
    """The smallest share that so many users miss no more often than they may."""
    percent = math.ceil(1000 * (1 - _MISSES ** (1 / n))) / 10
    return f"{percent:g} % who read something else are missed once in {1 / _MISSES:,.0f} times"


def _times(seconds: Sequence[float]) -> dict[str, float]:
    """Seconds to the median, 99 % and the last decision."""
    if not seconds:
        return {}
    late = quantiles(seconds, n=100, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    times = {"median_s": median(seconds), "p99_s": late, "last_s": seconds[-1]}
    return {name: round(value, 3) for name, value in times.items()}
