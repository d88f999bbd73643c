"""Whether all users of a workspace, or a user in all workspaces, read the same after a change."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.checks.flag_service.users import Asked, fresh_groups, mixed
from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.checks.flag_service.probe import FlagProbe
    from rampgate.model.buckets import Unit

_PAIR, _COMPANY = 2, 5
"""Users of each workspace that must read the same, and where mixed ones are only counted."""
_NAMED = 3


class Arms(NamedTuple):
    """How many workspaces, or users, have a feature for some and not for others; none were asked by default.

    Args:
        unit: of the percentage.
        asked: how many.
        names: of those that are mixed.
        lost: of the others: how many for whom some decision is missing.
    """

    unit: Unit = "user+workspace"
    asked: int = 0
    names: tuple[str, ...] = ()
    lost: int = 0

    @property
    def says(self) -> str:
        """What was found, "" where nothing is known."""
        known, named = self.asked - self.lost, ", ".join(self.names[:_NAMED])
        if not known:
            return ""
        if self.unit == "user+workspace":
            return f"{len(self.names)} of {known} workspaces of {_COMPANY} users have users on both sides"
        if not self.names:
            return f"each of {known} {self.unit}s is on one side"
        both = (
            "have users on both sides" if self.unit == "workspace" else "are on both sides, by the workspace"
        )
        return f"{len(self.names)} of {known} {self.unit}s {both}: {named}"

    @property
    def trouble(self) -> str:
        """What is wrong where each must be on one side; "" for nothing."""
        if self.unit == "user+workspace":
            return ""
        lost = f"{self.lost} of {self.asked} {self.unit}s gave no decision, so that their side is not known"
        return self.says if self.names else lost if self.lost else ""

    @property
    def details(self) -> dict[str, Any]:
        """As the history keeps it."""
        kept = {"unit": self.unit, "asked": self.asked, "lost": self.lost, "mixed": len(self.names)}
        return {"arms": {**kept, "named": list(self.names[:_NAMED])}} if self.asked else {}

    def after(self, sentence: str) -> str:
        """A sentence with what was found behind it."""
        return "; ".join(filter(None, (sentence, self.trouble or self.says)))


def arms_of(probe: FlagProbe, features: Sequence[str], n: int, unit: Unit) -> Arms:
    """Ask n fresh users for the features, several in a workspace, or each in several.

    Args:
        probe: asks.
        features: that some have and others have not.
        n: users, or users in a workspace.
        unit: of the percentage.
    """
    size = _COMPANY if unit == "user+workspace" else _PAIR
    users = fresh_groups(n // size, size, unit)
    asked = Asked(features, users)
    with suppress(ProbeError):  # whatever it did not give is missing
        probe.fill(asked)
    got = {flag: asked.of(flag, range(len(users))) for flag in features}
    found = dict.fromkeys(user for flag in features for user in mixed(users, got[flag], size))
    lost = sum(
        users[at] not in found and any(None in got[flag][at : at + size] for flag in features)
        for at in range(0, len(users), size)
    )
    names = tuple(user.user if unit == "user" else user.workspace for user in found)
    return Arms(unit, len(users) // size, names, lost)
