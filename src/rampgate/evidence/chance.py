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
FALSE_HOLD_BY_STAGES = 6e-3
"""What of that the runs of the stages share which its steps up need."""


def of_stage(rollout: RolloutSettings, stage: str) -> float:
    """The chance that one run of a stage may fail a healthy deployment.

    Args:
        rollout: the stages that its steps up need share what is theirs; others are runs by themselves.
        stage: of the run.
    """
    runs = (len(rollout.percentages) - 1) * len(rollout.require)
    if not rollout.features or stage not in rollout.require or not runs:
        return FALSE_FAIL_PER_RUN
    return min(FALSE_FAIL_PER_RUN, FALSE_HOLD_BY_STAGES / runs)


def of_own(rollout: RolloutSettings, stage: str) -> float:
    """The part of ``of_stage`` that is kept for a user's own checks."""
    return FALSE_FAIL_OF_OWN / FALSE_FAIL_PER_RUN * of_stage(rollout, stage)


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


def own_alpha(folder: Path, invocation: str, budget: float) -> float:
    """The chance that the next test of a user's own check may fail a healthy deployment.

    Nobody knows beforehand how many there are: the k-th of an invocation, in whichever process, gets
    1 / (k * (k + 1)) of what is kept for them, so that all together never spend more.

    Args:
        folder: the run's.
        invocation: the process that began it.
        budget: as ``of_own``.
    """
    path = folder / f"own-tests-{invocation}"
    path.touch(mode=0o600)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("x")
        file.flush()
        k = os.fstat(file.fileno()).st_size
    return budget / (k * (k + 1))
