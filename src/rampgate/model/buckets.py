"""The reference bucket: which users a percentage reaches, computed apart from the deployment."""

from __future__ import annotations

import hashlib
from typing import Literal

Semantics = Literal["seed", "overrides-first"]
"""In which order the percentage and the overrides count; see ``decide``."""

Unit = Literal["user", "workspace", "user+workspace"]
"""What a percentage is a percentage of; the last is a user in a workspace."""

BUCKETS = 100


def bucket(user: str, workspace: str, flag: str | None = None, unit: Unit = "user+workspace") -> int:
    """The bucket, 0 to 99, of a user in a workspace: on when it is below the percentage.

    The first eight hexadecimal digits of md5("user:workspace") modulo 100, of "user" or "workspace" alone
    where that is the unit. Without a flag all features reach the same users; with one
    ("flag:user:workspace", salted) each has users of its own.
    """
    text = {"user": user, "workspace": workspace}.get(unit, f"{user}:{workspace}")
    text = text if flag is None else f"{flag}:{text}"
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8], 16) % BUCKETS


def decide(
    percentage: float,
    enabled: bool,
    user_override: bool | None,
    workspace_override: bool | None,
    bucket: int,
    semantics: Semantics = "overrides-first",
) -> bool:
    """Is the feature on for this user?

    A feature that is not enabled is off for everybody. Then, with *overrides-first*, a user's override
    decides, else the workspace's, else the percentage. With *seed* the percentage comes first, so that an
    override can only switch off, and at 0 % the feature can be given to no one.

    Args:
        percentage: 0 to 100.
        enabled: of the whole feature.
        user_override: None where there is none; it beats the workspace's.
        workspace_override: None where there is none.
        bucket: see ``bucket``.
        semantics: the order.

    Raises:
        ValueError: unknown semantics.
    """
    if semantics not in {"seed", "overrides-first"}:
        raise ValueError(f"found the semantics {semantics!r}; accepted are seed and overrides-first")
    if not enabled:
        return False
    override = workspace_override if user_override is None else user_override
    reached = bucket < percentage
    if semantics == "seed":
        return reached and override is not False
    return reached if override is None else override
