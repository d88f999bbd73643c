"""Whom to ask a flag for, and how to ask for many at once."""

from __future__ import annotations

import random
from typing import NamedTuple, TypeAlias


class User(NamedTuple):
    """Whom a flag is decided for."""

    user: str
    workspace: str


Decisions: TypeAlias = "list[bool | None]"
"""One per user, in their order; None when the target gave no decision."""


def fresh_users(n: int, seed: int | None = None, prefix: str = "rampgate-") -> list[User]:
    """Random users, each in a workspace of its own, so that answers prepared for known ids do not help.

    Args:
        n: how many.
        seed: repeats a choice; None takes new ones each time.
        prefix: by which the target's owner recognises them.
    """
    source = random.Random(seed)  # noqa: S311 - ids to sample with, not secrets
    return [
        User(f"{prefix}{source.getrandbits(64):016x}", f"{prefix}{source.getrandbits(32):08x}")
        for _ in range(n)
    ]
