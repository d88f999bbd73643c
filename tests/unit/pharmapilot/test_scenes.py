import pytest

from pharmapilot import __main__ as command
from pharmapilot.flags import FLAG_NAMES, demo_flags
from pharmapilot.scenes import STEPS, Scene, scene_flags

MONITORING = {"performanceMonitoring": 100}
BACKEND = MONITORING | {"apiCaching": 25, "databaseOptimization": 25, "cursorPagination": 25}
FRONTEND = BACKEND | {"themeOptimization": 25, "bundleOptimization": 25, "reactQueryOptimization": 25}
ADVANCED = FRONTEND | {"virtualization": 25, "serviceWorker": 25, "backgroundJobs": 25}


@pytest.mark.parametrize(
    ("scene", "on"),
    [
        (Scene.START, MONITORING),
        (Scene.MONITORING, MONITORING),
        (Scene.BACKEND, BACKEND),
        (Scene.FRONTEND, FRONTEND),
        (Scene.ADVANCED, ADVANCED),
    ],
)
def test_each_scene_has_the_flags_of_its_step_and_of_those_before(scene: Scene, on: dict[str, int]) -> None:
    """A step can be verified on a deployment that stands just there; all other flags are off at 0 %."""
    flags = scene_flags(scene)
    assert {flag.name: flag.percentage for flag in flags if flag.enabled} == on
    assert {flag.percentage for flag in flags if not flag.enabled} <= {0}
    assert tuple(flag.name for flag in flags) == FLAG_NAMES


def test_steps_switch_every_flag_once() -> None:
    """No flag is forgotten by the deployment, and none is switched on twice."""
    assert sorted(name for names in STEPS.values() for name in names) == sorted(FLAG_NAMES)


def test_demo_is_the_rollout_unless_a_scene_is_named() -> None:
    """Whoever names no scene finds what was there before there were any."""

    def start(*argv: str) -> list[object]:
        options = command._options(command._parser().parse_args(argv), {"FEATURE_API_CACHING": "true"})
        return list(options.start_flags)

    assert start("--demo") == demo_flags() == scene_flags(Scene.ROLLOUT)
    assert start("--demo", "--scene", "backend") == scene_flags(Scene.BACKEND)
    assert start("--scene", "start") == scene_flags(Scene.START)
    assert start() != demo_flags()
