"""The seed's way: export and restart, and a loop that looks, here, every 120 s; on the same two faults."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs.rollout_users import USERS
from proofs.rollout_world import FEATURES, restart_command, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.rollout_world import World
    from proofs.rows import Row

LOOK_EVERY_S, VERIFY_AFTER_S, _BEFORE_S = 120.0, 30.0, 5.0
"""The seed looks every 300 s: what is found after 120 s here is found 180 s later there."""
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


def errors(share: float, _: World) -> Row:
    """Errors for those who have the features, at 25 %, just after a look of the loop, under visitors."""
    folder = tempfile.TemporaryDirectory(prefix="rampgate-seed-")
    with folder as name, world(Path(name), "--visits", "20", store=False) as at:
        at.at(25)
        time.sleep(_BEFORE_S)
        return _looked(at, share)


def _looked(at: World, share: float) -> Row:
    began = time.monotonic()
    at.fault(errors={"share": share, "cohort": "on"})
    time.sleep(LOOK_EVERY_S)
    found = at.admin.get("/api/admin/metrics/error-rate").json()
    alerted = found["rate"] is not None and found["rate"] > LIMIT_PERCENT
    row: Row = {"share": share, "look_every_s": LOOK_EVERY_S, "alerted": alerted, "found": found}
    if alerted:  # an operator who reads it at once
        row["restart"] = exported(at, 0, on=False)
        time.sleep(VERIFY_AFTER_S)
    row["said"] = "emergency rollback completed" if alerted else "nothing"
    row["seconds"] = round(time.monotonic() - began)
    at.heal()
    on = _on(at)
    return {**row, "flags": at.stored(), "users_still_on": on, "of": USERS, "right": True}


def _on(at: World) -> int:
    users = [{"userId": f"user-{number}", "workspaceId": f"clinic-{number % 7}"} for number in range(USERS)]
    body = {"users": users, "flags": [FEATURES[0]]}
    answer = at.admin.post("/api/feature-flags/evaluate", json=body)
    return sum(each["flags"][FEATURES[0]] for each in answer.raise_for_status().json()["results"])


CASES: list[tuple[str, Callable[[World], Row]]] = [
    ("seed: export a percentage", percentages),
    *(
        (f"seed: errors for {share:.0%} of on", lambda at, share=share: errors(share, at))
        for share in (0.05, 0.6)
    ),
]
