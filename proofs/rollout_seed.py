"""The seed's way: export and restart, and a loop that looks every 300 s; on the same two faults."""

from __future__ import annotations

import asyncio
import subprocess
import time
from typing import TYPE_CHECKING, Any

import httpx
from proofs.rollout_users import USERS, Users
from proofs.rollout_world import FEATURES, restart_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.rollout_world import World
    from proofs.rows import Row

LOOK_EVERY_S, VERIFY_AFTER_S = 300.0, 30.0
LIMIT_PERCENT = 2.0
_EXPORTS = 'export FEATURE_ROLLOUT_PERCENTAGE={percentage} {features}; exec "$@"'
_NAMES = ("FEATURE_VIRTUALIZATION", "FEATURE_CURSOR_PAGINATION", "FEATURE_API_CACHING")


def exported(at: World, percentage: int, *, on: bool) -> int:
    """Export the values in a shell, and restart; the exit code of the restart."""
    features = " ".join(f"{name}={str(on).lower()}" for name in _NAMES)
    script = _EXPORTS.format(percentage=percentage, features=features)
    return subprocess.run(["sh", "-c", script, "sh", *restart_command(at.ready_file)], check=False).returncode


def percentages(at: World) -> Row:
    """Export 5, 15 and 25 % one after the other: what is in force after each."""
    at.settings()
    at.at(0)
    found: dict[str, Any] = {}
    for percentage in (5, 15, 25):
        code = exported(at, percentage, on=True)
        found[f"exported {percentage}"] = {"restart": code, "in_force": at.stored()}
    in_force = [each["in_force"] for each in found.values()]
    return {
        **found,
        "note": "what the scripts do is kept; nothing is asked of them",
        "right": all(in_force),
    }


def errors(share: float, at: World) -> Row:
    """Errors for those who have the features, at 25 %, just after a look of the loop."""
    at.settings()
    at.at(25)
    return asyncio.run(_looked(at, share))


async def _looked(at: World, share: float) -> Row:
    users = Users(at.ready["api"])
    async with httpx.AsyncClient(base_url=users.api, timeout=30) as client:
        tasks = [asyncio.create_task(users.one(client, number)) for number in range(USERS)]
        await asyncio.sleep(5)
        began = time.monotonic()
        at.fault(errors={"share": share, "cohort": "on"})
        await asyncio.sleep(LOOK_EVERY_S)
        rate = at.admin.get("/api/admin/metrics/error-rate").json()["rate"]
        alerted = rate is not None and rate > LIMIT_PERCENT
        row: Row = {"share": share, "rate_percent": rate, "looked_after_s": round(time.monotonic() - began)}
        row |= {"alerted": alerted, "failed_until_then": len(users.failed)}
        if alerted:  # an operator who reads it at once
            row["restart"] = await asyncio.to_thread(exported, at, 0, on=False)
            await asyncio.sleep(VERIFY_AFTER_S)
        row["said"] = "emergency rollback completed" if alerted else "nothing"
        row["seconds"] = round(time.monotonic() - began)
        at.heal()
        row["flags"] = at.stored()
        row["users_still_on"] = await _on(client)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {**row, "asked": users.asked, "right": True}


async def _on(client: httpx.AsyncClient) -> int:
    users = [{"userId": f"user-{number}", "workspaceId": f"clinic-{number % 7}"} for number in range(USERS)]
    body = {"users": users, "flags": [FEATURES[0]]}
    answer = await client.post("/api/feature-flags/evaluate", json=body)
    return sum(each["flags"][FEATURES[0]] for each in answer.raise_for_status().json()["results"])


CASES: list[tuple[str, Callable[[World], Row]]] = [
    ("seed: export a percentage", percentages),
    *(
        (f"seed: errors for {share:.0%} of on", lambda at, share=share: errors(share, at))
        for share in (0.05, 0.6)
    ),
]
