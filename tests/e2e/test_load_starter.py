"""What a project's own files do to ``rampgate load``: they pass nothing that the gate has not passed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = """
[target]
api = "http://127.0.0.1:9"
[[endpoints]]
name = "items"
path = "/items"
load = true
[load]
stages = "1s:2,1s:2"
pause = 0.05
"""
OURS = """
import sys
from locust import events
from rampgate.load.launch import load_test
globals().update(load_test())
"""
CODE = "@events.{}.add_listener\ndef end(environment, **_):\n    {}\n"


def load(folder: Path, *typed: str, way: str = "rampgate") -> tuple[int, bool]:
    """The exit code of a load run there, and whether it has left a record."""
    (folder / "rampgate.toml").write_text(SETTINGS, encoding="utf-8")
    scripts = Path(sys.executable).parent
    program = {"rampgate": ["rampgate", "load"], "locust": ["locust", "--headless"]}[way]
    ended = subprocess.run(
        [scripts / program[0], *program[1:], *typed],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("RAMPGATE_")},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return ended.returncode, (folder / "reports/latest").exists()


@pytest.mark.parametrize("name", ["locust/__main__.py", "random.py", "scipy.py"])
def test_no_file_of_the_folder_takes_the_place_of_what_is_installed(tmp_path: Path, name: str) -> None:
    """A file beside rampgate.toml that is called as Locust, or as what it needs, is not what is run."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).with_name("__init__.py").touch()
    (tmp_path / name).write_text("raise SystemExit(0)\n", encoding="utf-8")
    assert load(tmp_path) == (20, True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("from locust import User, task\nclass Mine(User):\n    @task\n    def one(self): pass\n", 2),
        ("import sys\nsys.exit(0)\n", 10),
        ("not Python\n", 2),
    ],
)
def test_a_locustfile_without_the_gate_is_no_pass(tmp_path: Path, text: str, code: int) -> None:
    """Whatever Locust would have made of it: it starts no load, and its record holds."""
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    assert load(tmp_path, "-f", "mine.py", "--", "-t", "2s") == (code, True)


@pytest.mark.parametrize(
    ("way", "listener"),
    [
        ("rampgate", CODE.format("quitting", "environment.process_exit_code = 0")),
        ("rampgate", CODE.format("test_stop", "sys.exit(0)")),
        ("locust", CODE.format("quitting", "environment.process_exit_code = 0")),
        ("locust", CODE.format("quitting", "sys.exit(0)")),
    ],
)
def test_the_exit_code_is_the_verdicts(tmp_path: Path, listener: str, way: str) -> None:
    """A listener that sets another, as Locust's manual shows it, makes no pass of a failure."""
    (tmp_path / "mine.py").write_text(OURS + listener, encoding="utf-8")
    code, recorded = load(tmp_path, "-f", "mine.py", way=way)
    assert (code in {10, 20}, recorded) == (True, True)


def test_who_only_asks_for_a_list_gets_it(tmp_path: Path) -> None:
    """Locust's options that print something start no run, and leave 0 and no record."""
    assert load(tmp_path, "--", "--list") == (0, False)
