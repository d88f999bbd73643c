"""How often a run may be wrong by chance, and what of that a user's own checks may use."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.config.rollout import RolloutSettings

FALSE_FAIL_PER_RUN = 1e-3
"""A healthy run fails by chance at most this often, over all its tests of chance together."""
FALSE_FAIL_OF_OWN = 1e-4
"""The part of it that is kept for a user's own checks."""
PARTS = {"extended": 3, "predeploy": 2}
"""Stages of several processes with plans of their own: the stage, its load, its watch. Each has its share."""
FALSE_PASS_PER_CHECK = 1e-3
"""A bad deployment passes the very check that it violates at most this often; not split."""

FALSE_ROLLBACK_PER_ROLLOUT = 1e-3
"""A healthy rollout is rolled back by chance at most this often, whatever number of percentages it has."""
FALSE_HOLD_PER_ROLLOUT = 1e-2
"""And something of it fails, which holds it, at most this often."""


def of_watch(rollout: RolloutSettings) -> float:
    """The chance that the watch of one percentage may fail a healthy deployment.

    What a watch shows rolls back by itself, so that the watches of all percentages of a rollout share what
    one may be rolled back with.

    Args:
        rollout: whose features are watched; without any, a watch is a run like others.
    """
    if not rollout.features:
        return FALSE_FAIL_PER_RUN - FALSE_FAIL_OF_OWN
    return FALSE_ROLLBACK_PER_ROLLOUT / len(rollout.percentages)


def own_alpha(folder: Path, invocation: str) -> float:
    """The chance that the next test of a user's own check may fail a healthy deployment.

    Nobody knows beforehand how many there are: the k-th of an invocation, in whichever process, gets
    1 / (k * (k + 1)) of what is kept for them, so that all together never spend more.

    Args:
        folder: the run's.
        invocation: the process that began it.
    """
    path = folder / f"own-tests-{invocation}"
    path.touch(mode=0o600)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("x")
        file.flush()
        k = os.fstat(file.fileno()).st_size
    return FALSE_FAIL_OF_OWN / (k * (k + 1))
