"""The flags in MongoDB, the one source, and the copy in memory from which every answer is given."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pharmapilot.flag_faults import FlagFaults
from pharmapilot.flags import (
    FLAG_NAMES,
    MONITORING_FLAG,
    Flag,
    Rules,
    Unit,
    bucket,
    changed,
    is_enabled,
    next_percentage,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pharmapilot.connections import Connections
    from pharmapilot.faults import Faults


class FlagStore:
    """Serves the last known flags, also while MongoDB is down.

    A change is in the copy as soon as MongoDB has acknowledged it; changes made past this process are
    picked up by `refresh`, which the API calls every second.
    """

    def __init__(self, connections: Connections, faults: Faults, rules: Rules) -> None:
        self._connections = connections
        self._faults = faults
        self._rules = rules
        self._lies = FlagFaults(faults)
        self._flags: dict[str, Flag] = {}
        self._writing = asyncio.Lock()

    async def start(self, start_flags: Sequence[Flag], *, overwrite: bool = False) -> None:
        """Store the start values of flags that the store does not know yet, then read all.

        Args:
            start_flags: what a deployment starts with.
            overwrite: whether they win over what the store knows; overrides by id stay.
        """
        flags = self._connections.database.flags
        known = {document["_id"] async for document in flags.find({}, {"_id": 1})}
        missing = [_document(flag) for flag in start_flags if flag.name not in known]
        if missing:
            await flags.insert_many(missing)
        for flag in start_flags if overwrite else ():
            values = {"enabled": flag.enabled, "percentage": flag.percentage}
            await flags.update_one({"_id": flag.name}, {"$set": values})
        await self.refresh()

    async def refresh(self) -> None:
        """Read all flags again.

        Raises:
            StoreDownError: the flags last known stay in force.
        """
        async with self._writing:
            find = self._connections.database.flags.find({"_id": {"$in": list(FLAG_NAMES)}}).to_list
            documents = await self._connections.mongodb_gate.call(find)
            for document in documents:
                self._keep(_flag(document))

    async def change(self, name: str, change: object) -> Flag:
        """Change one flag and store it, on disk, before it counts.

        Raises:
            KeyError: no such flag.
            BadRequestError: a wrong change.
            StoreDownError: nothing was changed.
        """
        from pymongo import WriteConcern

        async with self._writing:
            flag = changed(self._flags[name], change)
            moved = self._lies.moved(name)
            if moved is None:
                return flag
            stored = changed(self._flags[moved], change)
            flags = self._connections.database.flags.with_options(write_concern=WriteConcern(w=1, j=True))
            await self._connections.mongodb_gate.call(
                lambda: flags.replace_one({"_id": moved}, _document(stored), upsert=True)
            )
            self._keep(stored)
            return flag

    def all(self) -> list[Flag]:
        """Every flag as stored, in the order of the seed."""
        return [self._flags[name] for name in FLAG_NAMES if name in self._flags]

    def evaluate(self, name: str, user_id: str, workspace_id: str) -> bool:
        """Whether a flag is on for a user.

        Raises:
            KeyError: no such flag.
        """
        flag = self._lies.served(self._flags[name])
        return decide(flag, user_id, workspace_id, self._rules, self._faults)

    def cohort(self, user_id: str, workspace_id: str) -> str:
        """`on` where any feature under rollout is on for the user, else `off`; monitoring is no treatment."""
        rollout = self._rollout()
        return "on" if any(self.evaluate(flag.name, user_id, workspace_id) for flag in rollout) else "off"

    def group(self, user_id: str, workspace_id: str, cohort: str) -> str:
        """The cohort in more detail: of `off` it is `next` or `later`; "" for whom somebody enrolled.

        Next are those whom the next percentage of the plan reaches.
        """
        rollout = self._rollout()
        if any(
            user_id in flag.user_overrides or workspace_id in flag.workspace_overrides for flag in rollout
        ):
            return ""
        if cohort == "on":
            return cohort
        kind, unit = self._rules.hash_kind, self._rules.unit
        reached = (
            bucket(kind, flag.name, user_id, workspace_id, unit) < next_percentage(flag.percentage)
            for flag in rollout
        )
        return "next" if any(reached) else "later"

    def counted(self, user_id: str, workspace_id: str) -> str:
        """Whom a percentage counts: the workspace where that is its unit, else the user."""
        return workspace_id if self._rules.unit is Unit.WORKSPACE else user_id

    def _rollout(self) -> list[Flag]:
        served = map(self._lies.served, self._flags.values())
        return [flag for flag in served if flag.enabled and flag.name != MONITORING_FLAG]

    def _keep(self, flag: Flag) -> None:
        before = self._flags.get(flag.name, flag)
        if before != flag:
            self._lies.changes(before)
        self._flags[flag.name] = flag


def decide(flag: Flag, user_id: str, workspace_id: str, rules: Rules, faults: Faults) -> bool:
    """Whether a flag is on for a user, by its rules or as a broken flag service has it."""
    seen = faults.flag(flag)
    coin = faults.coin(seen)
    return is_enabled(seen, user_id, workspace_id, rules) if coin is None else coin


def _document(flag: Flag) -> dict[str, Any]:
    """Overrides are kept as pairs: an id may hold a dot or a dollar, which field names should not."""
    return {
        "_id": flag.name,
        "enabled": flag.enabled,
        "percentage": flag.percentage,
        "userOverrides": [[key, value] for key, value in flag.user_overrides.items()],
        "workspaceOverrides": [[key, value] for key, value in flag.workspace_overrides.items()],
    }


def _flag(document: dict[str, Any]) -> Flag:
    return Flag(
        name=document["_id"],
        enabled=document["enabled"],
        percentage=document["percentage"],
        user_overrides=dict(document["userOverrides"]),
        workspace_overrides=dict(document["workspaceOverrides"]),
    )
