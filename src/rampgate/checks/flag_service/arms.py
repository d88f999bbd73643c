"""Whether all users of a workspace, or a user in all workspaces, are on the same side of a flag."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rampgate.checks.flag_service.counts import LEAST_USERS
from rampgate.checks.flag_service.probe import RATE
from rampgate.checks.flag_service.users import Asked, fresh_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rampgate.checks.flag_service.counts import FlagCounts
    from rampgate.checks.flag_service.settings import FlagSettings
    from rampgate.model.measurement import Measurement

PAIRS, COMPANIES = 200, 20
"""Groups that must have one arm, of two, and workspaces whose mixed ones are only counted, of five."""

PART, _SPARE = 1 / 8, 1.25
"""Of the time of the check, and how many times the pairs that are needed: some are not whole at its end."""


def shortest(flags: FlagSettings) -> int:
    """Seconds in which enough pairs are asked one by one, of a check of all flags; 0 where none must be."""
    if not (flags.has_arms and flags.parted) or flags.bulk:
        return 0
    requests = 2 * LEAST_USERS * (len(flags.parted) if flags.names_flag else 1)
    return math.ceil(_SPARE * requests / RATE / PART)


def size_of(flags: FlagSettings) -> int:
    """How many users each group has, or in how many workspaces a user is."""
    return 2 if flags.has_arms else 5


def grouped(flags: FlagSettings) -> Asked:
    """Whom to ask, for the flags that some have and others have not; none where there are none."""
    n = PAIRS if flags.has_arms else COMPANIES
    return Asked(flags.parted, fresh_groups(n, size_of(flags), flags.unit) if flags.parted else ())


def counted(flags: FlagSettings, counts: FlagCounts, asked: Asked) -> Iterator[Measurement]:
    """Of the groups that were all asked, how many are mixed; nothing where it is only shown and unknown."""
    size, whole = size_of(flags), set(asked.whole)
    groups = [range(at, at + size) for at in range(0, len(asked.users), size)]
    found = [at for group in groups if whole.issuperset(group) for at in group]
    metric = "flag_mixed_users" if flags.unit == "user" else "flag_mixed_workspaces"
    for flag in asked.flags if found or flags.has_arms else ():
        yield counts.mixed(metric, flag, [asked.users[at] for at in found], asked.of(flag, found), size)


def said(found: Sequence[Measurement]) -> str:
    """What a stage says of mixed workspaces that are as planned; "" for nothing."""
    each = [f"{seen.labels['flag']} {seen.value:g} of {seen.n}" for seen in found if seen.value is not None]
    return f"workspaces with users on both sides of a flag: {', '.join(each)}" if each else ""
