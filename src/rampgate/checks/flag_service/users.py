"""Whom to ask a flag for, and what was decided for them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rampgate.model.buckets import Unit


class User(NamedTuple):
    """Whom a flag is decided for."""

    user: str
    workspace: str


Decisions: TypeAlias = "list[bool | None]"
"""One per user, in their order; None when the target gave no decision."""


@dataclass(frozen=True)
class Asked:
    """The decisions on some flags for some users, as far as there was time to ask.

    Args:
        flags: their names.
        users: in their order.
        found: (position of the user, flag) -> the decision, None when the target gave none.
    """

    flags: Sequence[str]
    users: Sequence[User]
    found: dict[tuple[int, str], bool | None] = field(default_factory=dict)

    @property
    def whole(self) -> list[int]:
        """The positions of the users who were asked for every flag."""
        return [at for at in range(len(self.users)) if all((at, flag) in self.found for flag in self.flags)]

    def of(self, flag: str, positions: Sequence[int]) -> Decisions:
        """The decisions on a flag for these users, None for those who were not asked."""
        return [self.found.get((at, flag)) for at in positions]


def ever_decided(flag: str, *askings: Asked) -> dict[User, bool | None]:
    """Everybody who was asked for a flag -> True when it was ever on, None when a decision is missing."""
    ever: dict[User, bool | None] = {}
    for asked in askings:
        for (at, named), got in asked.found.items():
            if named == flag:
                before = ever.get(asked.users[at], False)
                ever[asked.users[at]] = True if before or got else None if None in {before, got} else False
    return ever


def fresh_users(n: int, seed: int | None = None) -> list[User]:
    """Random users, each in a workspace of its own, so that answers prepared for known ids do not help.

    Args:
        n: how many.
        seed: repeats a choice; None takes new ones each time.
    """
    source = random.Random(seed)  # noqa: S311 - ids to sample with, not secrets
    return [
        User(f"rampgate-{source.getrandbits(64):016x}", f"rampgate-{source.getrandbits(32):08x}")
        for _ in range(n)
    ]


def fresh_groups(n: int, size: int, unit: Unit) -> list[User]:
    """Fresh users in groups that follow each other: one user in several workspaces, or users of one.

    Args:
        n: how many groups.
        size: of each.
        unit: of a percentage; where it is the user, a group is one user.
    """
    alike = [first for first in fresh_users(n) for _ in range(size)]
    return [
        User(same.user, other.workspace) if unit == "user" else User(other.user, same.workspace)
        for same, other in zip(alike, fresh_users(n * size), strict=True)
    ]


def mixed(users: Sequence[User], decisions: Decisions, size: int) -> list[User]:
    """The first user of each group of ``fresh_groups`` that has a flag for some and not for others."""
    groups = range(0, len(users), size)
    return [users[at] for at in groups if {True, False} <= set(decisions[at : at + size])]


def packed(seed: int, on: Iterable[int]) -> Mapping[str, str]:
    """The seed of a run's users, and the positions of those who were on, as a journal keeps them."""
    return {"seed": f"{seed:x}", "on": f"{sum(1 << at for at in on):x}"}


def unpacked(decided: Mapping[str, str], most: int) -> list[User]:
    """The first users who were on, by what ``packed`` returned."""
    mask = int(decided["on"], 16)
    on = [at for at in range(mask.bit_length()) if mask >> at & 1][:most]
    users = fresh_users(max(on, default=-1) + 1, int(decided["seed"], 16))
    return [users[at] for at in on]
