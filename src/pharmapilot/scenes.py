"""The start values of the flags before and after each step of a deployment."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pharmapilot.flags import DEMO_PERCENTAGE, EVERYBODY, FLAG_NAMES, MONITORING_FLAG, Flag, demo_flags

if TYPE_CHECKING:
    from collections.abc import Mapping


class Scene(StrEnum):
    """A moment in the life of a deployment; each step includes the steps before it."""

    ROLLOUT = "rollout"
    START = "start"
    MONITORING = "monitoring"
    BACKEND = "backend"
    FRONTEND = "frontend"
    ADVANCED = "advanced"


# In the order of the deployment.
STEPS: Mapping[Scene, tuple[str, ...]] = {
    Scene.MONITORING: (MONITORING_FLAG,),
    Scene.BACKEND: ("apiCaching", "databaseOptimization", "cursorPagination"),
    Scene.FRONTEND: ("themeOptimization", "bundleOptimization", "reactQueryOptimization"),
    Scene.ADVANCED: ("virtualization", "serviceWorker", "backgroundJobs"),
}


def scene_flags(scene: Scene) -> list[Flag]:
    """The flags of a scene: those of its step and of the steps before at 25 %, monitoring for everybody."""
    if scene is Scene.ROLLOUT:
        return demo_flags()
    steps = list(STEPS)
    reached = steps[: steps.index(scene) + 1] if scene in STEPS else []
    start = {name: DEMO_PERCENTAGE for step in reached for name in STEPS[step]}
    start[MONITORING_FLAG] = EVERYBODY
    return [Flag(name, enabled=name in start, percentage=start.get(name, 0)) for name in FLAG_NAMES]
