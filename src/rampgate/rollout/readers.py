"""Whom a change is read back for: those whom it makes a difference to, and others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rampgate.checks.flag_service.users import fresh_users
from rampgate.model.buckets import BUCKETS

if TYPE_CHECKING:
    from rampgate.actuators.frame import Change
    from rampgate.checks.flag_service.settings import FlagSettings
    from rampgate.checks.flag_service.users import User
    from rampgate.config.rollout import RolloutSettings

_EVERYBODY = 100.0


def readers(change: Change, flags: FlagSettings, rollout: RolloutSettings) -> list[User]:
    """Everybody who is enrolled, and fresh users: as many in as out, and those at the edge.

    At 0 and at 100 %, half of them are those whom any other percentage would give something else.

    Args:
        change: what users are to have.
        flags: [flags].
        rollout: [rollout].
    """
    enrolled = [each.someone for each in rollout.enrolled]
    n, edge = rollout.users, change.percentage
    if flags.algorithm == "unknown":
        return [*enrolled, *fresh_users(n)]
    if not change.on or edge in {0.0, _EVERYBODY}:
        place = BUCKETS - 1 if change.on and edge else 0
        return [*enrolled, *_placed(place, change, flags, n // 2), *fresh_users(n - n // 2)]
    if flags.hash != "seed":
        return [*enrolled, *fresh_users(n)]
    return [*enrolled, *_around(edge, n, flags)]


def spread(n: int, flags: FlagSettings) -> list[User]:
    """Users whose places are as far apart as they can be, from the first whom a rollout reaches on."""
    found: dict[int, User] = {}
    while len(found) < n:
        for user in fresh_users(BUCKETS):
            if (place := flags.place("", *user)) % (BUCKETS // n) == 0:
                found.setdefault(place, user)
    return list(found.values())


def _placed(place: int, change: Change, flags: FlagSettings, n: int) -> list[User]:
    """Users at one place, of each feature in turn where every flag has places of its own."""
    found: list[User] = []
    while len(found) < n:
        flag = change.features[len(found) % len(change.features)]
        users = fresh_users(BUCKETS)
        found += [user for user in users if flags.place(flag, *user) == place][:1]
    return found


def _around(edge: float, n: int, flags: FlagSettings) -> list[User]:
    first_out = math.ceil(edge)
    places = [place for place in (first_out - 1, first_out) if place < BUCKETS]
    wanted = {"in": n // 2, "out": n - n // 2 if first_out < BUCKETS else 0}
    at_edge = dict.fromkeys(places, max(1, n // 10))
    found = []
    while any(wanted.values()) or any(at_edge.values()):
        for user in fresh_users(n):
            place = flags.place("", *user)
            side = "in" if place < edge else "out"
            if at_edge.get(place, 0):
                at_edge[place] -= 1
            elif wanted[side]:
                wanted[side] -= 1
            else:
                continue
            found.append(user)
    return found
