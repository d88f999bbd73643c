import os
import threading
from pathlib import Path

import pytest

from pharmapilot.flags import FLAG_NAMES, dotenv, flags_from_environment
from pharmapilot.monitoring_stack import NOBODY, Monitoring
from pharmapilot.processes import accepts
from pharmapilot.scenes import Scene, scene_flags


def test_programs_that_are_not_installed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them the rest goes on; their addresses answer nobody, and one line says what installs them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monitoring = Monitoring()
    monitoring.start_programs(tmp_path, os.environ, threading.Event(), "http://127.0.0.1:5000")
    ready = monitoring.ready()
    assert ready["missing"] == ["alertmanager", "prometheus"]
    assert ready["prometheus"] == ready["alertmanager"] == NOBODY
    assert not accepts(int(NOBODY.rpartition(":")[2]))
    line = "not installed: alertmanager, prometheus; on Debian: "
    assert monitoring.lines() == [line + "apt-get install prometheus prometheus-alertmanager"]


@pytest.mark.parametrize("scene", list(Scene))
def test_dotenv_of_a_scene_is_what_a_plain_start_reads(scene: Scene) -> None:
    """The file switches on what the scene switches on, and its percentage is that of the features."""
    lines = dict(line.split("=") for line in dotenv(scene_flags(scene)).splitlines())
    again = flags_from_environment(lines)
    assert [flag.name for flag in again if flag.enabled] == [
        flag.name for flag in scene_flags(scene) if flag.enabled
    ]
    assert len(lines) == len(FLAG_NAMES) + 1
    assert lines["FEATURE_ROLLOUT_PERCENTAGE"] == ("0" if scene in {Scene.START, Scene.MONITORING} else "25")
