"""The ten feature flags: what they are, their start values, and for whom they are on. Pure; no store here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pharmapilot.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MONITORING_FLAG = "performanceMonitoring"
FLAG_NAMES = (
    "themeOptimization",
    "bundleOptimization",
    "apiCaching",
    "databaseOptimization",
    MONITORING_FLAG,
    "cursorPagination",
    "backgroundJobs",
    "serviceWorker",
    "virtualization",
    "reactQueryOptimization",
)
DEMO_FLAGS = ("virtualization", "cursorPagination", "apiCaching")
DEMO_PERCENTAGE = 25
EVERYBODY = 100
PLAN = (0, 5, 15, 25, 50, 75, EVERYBODY)


class Semantics(StrEnum):
    """When overrides count: after the percentage (the seed), or before it, so that 0 % can reach testers."""

    SEED = "seed"
    OVERRIDES_FIRST = "overrides-first"


class HashKind(StrEnum):
    """What is hashed: user and workspace (the seed: one bucket for all flags), or the flag's name as well."""

    SEED = "seed"
    SALTED = "salted"


class Unit(StrEnum):
    """What a percentage is a percentage of: users in a workspace (the seed), users, or workspaces."""

    USER = "user"
    WORKSPACE = "workspace"
    BOTH = "user+workspace"


@dataclass(frozen=True)
class Rules:
    """How every flag is decided."""

    semantics: Semantics = Semantics.OVERRIDES_FIRST
    hash_kind: HashKind = HashKind.SEED
    unit: Unit = Unit.BOTH


@dataclass(frozen=True)
class Flag:
    """One flag: the global switch, the percentage of users (0..100), and the overrides by id."""

    name: str
    enabled: bool = False
    percentage: int = 0
    user_overrides: Mapping[str, bool] = field(default_factory=dict)
    workspace_overrides: Mapping[str, bool] = field(default_factory=dict)

    @property
    def is_reaching(self) -> bool:
        """Whether anybody at all can be reached: it is enabled, and not at 0 % without an override."""
        overrides = (*self.user_overrides.values(), *self.workspace_overrides.values())
        return self.enabled and (self.percentage > 0 or any(overrides))

    def to_json(self) -> dict[str, Any]:
        """The flag as the admin endpoints show it and the store keeps it."""
        return {
            "name": self.name,
            "enabled": self.enabled,
            "percentage": self.percentage,
            "userOverrides": dict(self.user_overrides),
            "workspaceOverrides": dict(self.workspace_overrides),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Flag:
        """The inverse of `to_json`."""
        return cls(
            name=document["name"],
            enabled=document["enabled"],
            percentage=document["percentage"],
            user_overrides=document["userOverrides"],
            workspace_overrides=document["workspaceOverrides"],
        )


@lru_cache(maxsize=16_384)
def bucket(kind: HashKind, flag_name: str, user_id: str, workspace_id: str, unit: Unit = Unit.BOTH) -> int:
    """The place of a user in 0..99: the first 32 bits of an MD5, modulo 100 (the seed's `hashUser`)."""
    key = {Unit.USER: user_id, Unit.WORKSPACE: workspace_id, Unit.BOTH: f"{user_id}:{workspace_id}"}[unit]
    if kind is HashKind.SALTED:
        key = f"{flag_name}:{key}"
    digest = hashlib.md5(key.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4]) % 100


def next_percentage(percentage: int) -> int:
    """The step of the plan after a percentage."""
    return next((step for step in PLAN if step > percentage), EVERYBODY)


def is_enabled(flag: Flag, user_id: str, workspace_id: str, rules: Rules) -> bool:
    """Whether a flag is on for a user; the global switch beats all, for a rollback must reach everybody."""
    if not flag.enabled:
        return False
    within = flag.percentage >= EVERYBODY or (
        bucket(rules.hash_kind, flag.name, user_id, workspace_id, rules.unit) < flag.percentage
    )
    if rules.semantics is Semantics.SEED and not within:
        return False
    override = flag.user_overrides.get(user_id)
    if override is None:
        override = flag.workspace_overrides.get(workspace_id)
    return within if override is None else override


def environment_name(flag_name: str) -> str:
    """`apiCaching` -> `FEATURE_API_CACHING`."""
    return "FEATURE_" + re.sub(r"(?<!^)(?=[A-Z])", "_", flag_name).upper()


def flags_from_environment(environ: Mapping[str, str]) -> list[Flag]:
    """The start values: `FEATURE_<NAME>=true` and `FEATURE_ROLLOUT_PERCENTAGE` (0 where it is not set).

    Monitoring is no feature under rollout: where it is on, it is for everybody.

    Raises:
        ValueError: the percentage is no whole number from 0 to 100.
    """
    text = environ.get("FEATURE_ROLLOUT_PERCENTAGE", "0")
    if not text.isdecimal() or int(text) > EVERYBODY:
        raise ValueError(f"FEATURE_ROLLOUT_PERCENTAGE is {text!r}; accepted: a whole number from 0 to 100")
    return [
        Flag(name, enabled=on, percentage=EVERYBODY if on and name == MONITORING_FLAG else int(text))
        for name in FLAG_NAMES
        for on in [environ.get(environment_name(name)) == "true"]
    ]


def flags_from_dotenv(text: str) -> list[Flag]:
    """The values that a dotenv file says; a line that is no `NAME=value` says nothing.

    Raises:
        ValueError: as ``flags_from_environment``.
    """
    lines = (line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return flags_from_environment({name.strip(): value.strip().strip("\"'") for name, _, value in lines})


def dotenv(flags: Iterable[Flag]) -> str:
    """The start values as a dotenv file; the one percentage is that of the features, monitoring apart."""
    flags = list(flags)
    percentage = max((flag.percentage for flag in flags if flag.name != MONITORING_FLAG), default=0)
    lines = [f"{environment_name(flag.name)}={str(flag.enabled).lower()}" for flag in flags]
    return "\n".join([*lines, f"FEATURE_ROLLOUT_PERCENTAGE={percentage}", ""])


def demo_flags() -> list[Flag]:
    """The start values of `--demo`: three features at 25 %, monitoring for everybody, the rest off."""
    start = dict.fromkeys(DEMO_FLAGS, DEMO_PERCENTAGE) | {MONITORING_FLAG: EVERYBODY}
    return [Flag(name, enabled=name in start, percentage=start.get(name, 0)) for name in FLAG_NAMES]


def changed(flag: Flag, change: object) -> Flag:
    """The flag after a change asked for by an administrator; an override of null is removed.

    Raises:
        BadRequestError: an unknown key or a wrong value.
    """
    accepted = "enabled (true/false), percentage (whole number 0..100), userOverrides, workspaceOverrides"
    keys = {"enabled", "percentage", "userOverrides", "workspaceOverrides"}
    if not isinstance(change, dict) or not change or change.keys() - keys:
        raise BadRequestError(f"accepted: a JSON object with one or more of {accepted}")
    enabled = change.get("enabled", flag.enabled)
    percentage = change.get("percentage", flag.percentage)
    if not isinstance(enabled, bool):
        raise BadRequestError(f"enabled is {enabled!r}; accepted: true or false")
    if type(percentage) is not int or not 0 <= percentage <= EVERYBODY:
        raise BadRequestError(f"percentage is {percentage!r}; accepted: a whole number from 0 to 100")
    return replace(
        flag,
        enabled=enabled,
        percentage=percentage,
        user_overrides=_merged(flag.user_overrides, change.get("userOverrides", {})),
        workspace_overrides=_merged(flag.workspace_overrides, change.get("workspaceOverrides", {})),
    )


def _merged(present: Mapping[str, bool], change: object) -> dict[str, bool]:
    if not isinstance(change, dict) or not all(v is None or isinstance(v, bool) for v in change.values()):
        raise BadRequestError("overrides are a JSON object of id -> true, false or null (null removes one)")
    return {key: value for key, value in {**present, **change}.items() if value is not None}
