"""Whom to ask a flag for, and how to ask for many at once."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from rampgate.io.http import check_path

if TYPE_CHECKING:
    from collections.abc import Sequence


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


@dataclass(frozen=True, slots=True)
class BulkForm:
    """How many users are asked for at once: POST {users_key: [{user_key, workspace_key}], flags_key: [...]}.

    Args:
        path: where to.
        chunk: users per request.
        users_key: the list of users.
        user_key: a user's id.
        workspace_key: a user's workspace.
        flags_key: the list of flag names.
        results: JMESPath of a list of {flag: bool}, one per user in the order asked.

    Raises:
        ConfigurationError: the expression is not JMESPath.
    """

    path: str
    chunk: int = 500
    users_key: str = "users"
    user_key: str = "userId"
    workspace_key: str = "workspaceId"
    flags_key: str = "flags"
    results: str = "results[].flags"

    def __post_init__(self) -> None:
        check_path(self.results, "bulk results")

    def body(self, flags: Sequence[str], users: Sequence[User]) -> dict[str, Any]:
        """The request for some users."""
        asked = [{self.user_key: user.user, self.workspace_key: user.workspace} for user in users]
        return {self.users_key: asked, self.flags_key: list(flags)}
