"""A rollout played through in a store of flags that is made for it and thrown away."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.checks.flag_service.users import User, fresh_users
from rampgate.errors import ProbeError
from rampgate.io.http import ask
from rampgate.model.buckets import bucket, decide
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import httpx

    from rampgate.checks.flag_service.probe import FlagProbe
    from rampgate.checks.flag_service.users import Decisions
    from rampgate.model.buckets import Semantics, Unit

FLAG = "rampgateScratch"
"""The one flag of the store."""
USERS = 2_000
OVERRIDDEN = 20
"""Of these users, so many are overridden on and so many off by name; as many again by workspace."""
_EXAMPLES = 5


class Cast(NamedTuple):
    """The users of a scenario, and who of them has an override."""

    users: list[User]
    by_user: dict[str, bool]
    by_workspace: dict[str, bool]


@dataclass(frozen=True)
class ScratchRollout:
    """Plays the percentages of a plan through.

    Args:
        admin: makes, fills and removes the store.
        path: of the store, with its name in it.
        probe: evaluates the store's flag.
        salted: whether the bucket depends on the flag's name.
        semantics: whether overrides come before the percentage.
        progress: takes a line of progress.
        unit: what a percentage is a percentage of.
    """

    admin: httpx.Client
    path: str
    probe: FlagProbe
    salted: bool
    semantics: Semantics
    progress: Callable[[str], None]
    unit: Unit = "user+workspace"

    def measure(self, percentages: Sequence[float]) -> list[Measurement]:
        """Who is on at each percentage, whether it stays so, and who loses the flag as it rises.

        Returns:
            ``flag_scenario_mismatches`` for each percentage, ``flag_changed``, ``flag_nesting_broken`` and
            ``testers_unreached``.

        Raises:
            ProbeError: the store cannot be made, or we could not measure.
        """
        cast = _cast(fresh_users(USERS))
        by_percentage: dict[float, Decisions] = {}
        found: list[Measurement] = []
        with self._store():
            for percentage in percentages:
                self._fill(percentage, cast)
                decisions = self.probe.decisions([FLAG], cast.users)
                by_percentage[percentage] = decisions[FLAG]
                found.append(self._compared(percentage, cast, decisions[FLAG]))
            repeated = self.probe.decisions([FLAG], cast.users)
            last = by_percentage[percentages[-1]]
            found.append(self.probe.counts.changed(FLAG, cast.users, last, repeated[FLAG]))
        testers = self._testers(cast, by_percentage[percentages[0]], percentages[0])
        return [*found, _nesting(cast, by_percentage), testers]

    @contextmanager
    def _store(self) -> Iterator[None]:
        """The store, removed whatever happens."""
        try:
            yield
        finally:
            removed = ask(self.admin, "DELETE", self.path)
            if not removed.ok:
                self.progress(f"{self.path}: could not be removed: {removed.trouble}")

    def _fill(self, percentage: float, cast: Cast) -> None:
        flag = {
            "name": FLAG,
            "enabled": True,
            "percentage": int(percentage) if percentage == int(percentage) else percentage,
            "userOverrides": cast.by_user,
            "workspaceOverrides": cast.by_workspace,
        }
        answer = ask(self.admin, "PUT", self.path, body={"flags": [flag]})
        if not answer.ok:
            raise ProbeError(f"flags.scratch: PUT {self.path}: {answer.trouble}; accepted is a 2xx answer")

    def _expected(self, percentage: float, cast: Cast) -> list[bool]:
        salt = FLAG if self.salted else None
        return [
            decide(
                percentage,
                enabled=True,
                user_override=cast.by_user.get(user.user),
                workspace_override=cast.by_workspace.get(user.workspace),
                bucket=bucket(user.user, user.workspace, salt, self.unit),
                semantics=self.semantics,
            )
            for user in cast.users
        ]

    def _compared(self, percentage: float, cast: Cast, got: Decisions) -> Measurement:
        wanted = self._expected(percentage, cast)
        wrong = [
            {**_named(user, cast), "observed": on, "expected": want}
            for user, on, want in zip(cast.users, got, wanted, strict=True)
            if on is not want
        ]
        return Measurement(
            "flag_scenario_mismatches",
            n=len(wanted),
            value=float(len(wrong)),
            labels={"percentage": f"{percentage:g} %"},
            note=_first(wrong),
            details={"on": got.count(True), "on_expected": sum(wanted), "examples": wrong[:_EXAMPLES]},
        )

    def _testers(self, cast: Cast, got: Decisions, percentage: float) -> Measurement:
        """Whether testers, who are on by name, have the flag at the plan's first percentage."""
        testers = [
            on for user, on in zip(cast.users, got, strict=True) if cast.by_user.get(user.user) is True
        ]
        lost = sum(on is not True for on in testers)
        note = (
            f"at {percentage:g} % an override reaches no user: internal testing is not possible before the "
            "rollout begins (the percentage comes before overrides)"
        )
        return Measurement("testers_unreached", n=len(testers), value=float(lost), note=note if lost else "")


def scratch_name(prefix: str) -> str:
    """A name that no other store has."""
    return f"{prefix}{os.urandom(6).hex()}"


def _cast(users: list[User]) -> Cast:
    by_user = {user.user: True for user in users[:OVERRIDDEN]}
    by_user |= {user.user: False for user in users[OVERRIDDEN : 2 * OVERRIDDEN]}
    by_workspace = {user.workspace: True for user in users[2 * OVERRIDDEN : 3 * OVERRIDDEN]}
    by_workspace |= {user.workspace: False for user in users[3 * OVERRIDDEN : 4 * OVERRIDDEN]}
    # Somebody whose own override contradicts that of the workspace: the user's wins.
    by_workspace[users[0].workspace] = False
    by_workspace[users[OVERRIDDEN].workspace] = True
    return Cast(users, by_user, by_workspace)


def _nesting(cast: Cast, by_percentage: dict[float, Decisions]) -> Measurement:
    """``flag_nesting_broken``: whoever has a flag keeps it while the percentage rises."""
    rising = sorted(by_percentage)
    lost = [
        {"user": user.user, "on_at": lower, "off_at": higher}
        for lower, higher in pairwise(rising)
        for user, before, after in zip(cast.users, by_percentage[lower], by_percentage[higher], strict=True)
        if before and after is False
    ]
    unknown = sum(decisions.count(None) for decisions in by_percentage.values())
    steps = max(0, len(rising) - 1)
    return Measurement(
        "flag_nesting_broken",
        n=steps * len(cast.users),
        value=float(len(lost)) if steps and (lost or not unknown) else None,
        note=f"{unknown} decisions not given" if unknown else "",
        details={"examples": lost[:_EXAMPLES]},
    )


def _first(wrong: Sequence[Mapping[str, Any]]) -> str:
    """The first decision that is not as planned, in words."""
    if not wrong:
        return ""
    one, said = wrong[0], {True: "on", False: "off", None: "not given"}
    named = "".join(f", {said[on]} for the {who} by name" for who, on in one["overrides"].items())
    wrongly = f"{said[one['observed']]} in place of {said[one['expected']]}"
    return f"the first of them: {wrongly} for {one['user']}{named}"


def _named(user: User, cast: Cast) -> dict[str, Any]:
    overrides = {"user": cast.by_user.get(user.user), "workspace": cast.by_workspace.get(user.workspace)}
    return {"user": user.user, "overrides": {who: on for who, on in overrides.items() if on is not None}}
