"""What the decisions of a flag come to: how many are wrong, changed, on though off, and what share is on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rampgate.checks.flag_service.users import mixed
from rampgate.model import formats
from rampgate.model.measurement import Measurement
from rampgate.model.statistics import rarest_seen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rampgate.checks.flag_service.users import Decisions, User

LEAST_USERS = 100
"""Of fewer, an error of 7 % of the users may not be among them, at 99.9 %."""
_EXAMPLES = 5


@dataclass(frozen=True)
class FlagCounts:
    """Makes measurements of decisions.

    Args:
        path: where they were asked for.
        start: when the first of them was, seconds since the epoch.
        end: when the last of them was.
        troubles: why decisions are missing, or had to be retried -> how often.
    """

    path: str
    start: float = 0.0
    end: float = 0.0
    troubles: Mapping[str, int] = field(default_factory=dict)

    def mismatches(
        self,
        flag: str,
        users: Sequence[User],
        decisions: Decisions,
        expected: Sequence[bool | None],
        *,
        form: str = "",
    ) -> Measurement:
        """``flag_mismatches``: decisions that differ from what they should be, those not given included.

        Args:
            flag: the flag.
            users: whom it was asked for.
            decisions: one per user.
            expected: what they should be, one per user.
            form: how they were asked for, where that is not said by the settings.

        Raises:
            ValueError: not one expectation and one decision per user.
        """
        wrong = [
            {**_name(user), "observed": got, "expected": want}
            for user, got, want in zip(users, decisions, expected, strict=True)
            if got is None or got != want
        ]
        share = formats.percent(rarest_seen(len(users)))
        return self._measurement(
            "flag_mismatches",
            {"flag": flag} | ({"form": form} if form else {}),
            decisions.count(None),
            note="" if wrong or not users else f"so many show an error of {share} at 99.9 %",
            n=len(users),
            value=float(len(wrong)) if users else None,
            details={
                "on_observed": sum(got is True for got in decisions),
                "on_expected": sum(want is True for want in expected),
                "examples": wrong[:_EXAMPLES],
            },
        )

    def changed(self, flag: str, users: Sequence[User], first: Decisions, second: Decisions) -> Measurement:
        """``flag_changed``: the same users asked again, over fresh connections.

        No value when nothing changed, but some decision is missing on either side.
        """
        pairs = list(zip(users, first, second, strict=True))
        known = [(user, a, b) for user, a, b in pairs if a is not None and b is not None]
        changed = [{**_name(user), "first": a, "second": b} for user, a, b in known if a != b]
        return self._count(
            "flag_changed",
            flag,
            changed,
            len(pairs) - len(known),
            len(pairs),
            note=f"within {formats.duration(self.end - self.start)}",
        )

    def on_when_off(self, flag: str, users: Sequence[User], decisions: Decisions) -> Measurement:
        """``flag_on_when_off``: users who get a flag that must be off for everybody.

        No value when no user gets it, but some decision is missing.
        """
        on = [_name(user) for user, got in zip(users, decisions, strict=True) if got]
        return self._count("flag_on_when_off", flag, on, decisions.count(None), len(users))

    def nesting(self, flag: str, users: Sequence[User], decisions: Decisions) -> Measurement:
        """``flag_nesting_broken``: users who had a flag at a lower percentage, and have it no more."""
        off = [_name(user) for user, got in zip(users, decisions, strict=True) if got is False]
        return self._count("flag_nesting_broken", flag, off, decisions.count(None), len(users))

    def share(self, flag: str, decisions: Decisions) -> Measurement:
        """``flag_share``: n users, of whom ``failures`` have it on; no count when a decision is missing."""
        lost = decisions.count(None)
        return self._measurement(
            "flag_share",
            {"flag": flag},
            lost,
            n=len(decisions),
            failures=None if lost else decisions.count(True),
            details={"on": decisions.count(True)},
        )

    def mixed(
        self, metric: str, flag: str, users: Sequence[User], decisions: Decisions, size: int
    ) -> Measurement:
        """How many groups of ``fresh_groups`` have a flag for some and not for others.

        No value when none is, but some decision is missing.
        """
        found = [_name(user) for user in mixed(users, decisions, size)]
        of = "user" if metric == "flag_mixed_users" else "workspace"
        note = ", ".join(str(each[of]) for each in found[:_EXAMPLES])
        lost = decisions.count(None)
        seen = self._count(metric, flag, found, lost, len(users) // size)
        return replace(seen, note=note) if found else seen

    def _count(
        self, metric: str, flag: str, bad: Sequence[dict[str, Any]], lost: int, n: int, note: str = ""
    ) -> Measurement:
        """A count of what was certainly bad; no value when none was, but some decision is missing."""
        return self._measurement(
            metric,
            {"flag": flag},
            lost,
            note="" if bad else note,
            n=n,
            value=float(len(bad)) if n and (bad or not lost) else None,
            details={"examples": bad[:_EXAMPLES]},
        )

    def _measurement(
        self,
        metric: str,
        labels: Mapping[str, str],
        lost: int,
        *,
        details: dict[str, Any],
        note: str = "",
        **counted: Any,
    ) -> Measurement:
        """A measurement that names the decisions it did not get."""
        details = {"path": self.path} | details | ({"unanswered": lost} if lost else {})
        if self.troubles:
            details["troubles"] = dict(list(self.troubles.items())[:_EXAMPLES])
        if counted["n"] < LEAST_USERS:
            note = "a longer [flags] duration gives more"
        if lost:
            note = f"{lost:,} decisions not given: {next(iter(self.troubles), 'no reason')}"
        return Measurement(
            metric,
            labels=dict(labels),
            details=details,
            start=self.start,
            end=self.end,
            note=note,
            **counted,
        )


def _name(user: User) -> dict[str, Any]:
    """A user in evidence."""
    return {"user": user.user, "workspace": user.workspace}
