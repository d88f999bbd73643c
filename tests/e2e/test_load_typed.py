"""Locust's own settings files and variables: nothing of a load run comes from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.test_load_starter import SETTINGS

from rampgate.load.plan import locustfile

if TYPE_CHECKING:
    from pathlib import Path

# Every option of the installed Locust gets another value than its own, from each source that Locust reads.
PROGRAM = """
import json, os, pathlib, sys
from functools import partial
from locust import argument_parser
from rampgate.load.launch import load_test

if sys.argv[1] == "ours":
    load_test()
def fits(action, value):
    try:
        return not action.type or bool(action.type(value) or 1)
    except Exception:
        return False


parsed = lambda *typed: vars(argument_parser.get_parser().parse_args(list(typed)))
before, values = parsed(), {}
for action in argument_parser.get_parser()._actions:
    keys = [key for key in action.option_strings if key.startswith("--")]
    if not keys or action.help == argument_parser.configargparse.SUPPRESS or action.dest in {
        "help", "version", "config"
    }:
        continue
    if isinstance(action, argument_parser.configargparse.argparse._StoreTrueAction):
        value = "true"
    else:
        value = next(filter(partial(fits, action), action.choices or ["7", '{"user_class_name": "x"}']))
    values[keys[0][2:]] = value
    if action.env_var and sys.argv[2] == "variables":
        os.environ[action.env_var] = value
if sys.argv[2] == "variables":
    os.environ["LOCUST_USER_CLASSES"] = "Other"
lines = "".join(f"{key} = {value}\\n" for key, value in values.items())
files = {"locust.conf": lines, "home/.locust.conf": lines, "given.conf": lines, "pyproject.toml": (
    "[tool.locust]\\n" + "".join(f"{key} = {json.dumps(value)}\\n" for key, value in values.items())
)}
if sys.argv[2] in files:
    pathlib.Path(sys.argv[2]).write_text(files[sys.argv[2]])
after = parsed(*(["--config", "given.conf"] if sys.argv[2] == "given.conf" else []))
ignored = sys.modules["rampgate_loadtests"].typed.ignored() if sys.argv[1] == "ours" else ""
print(json.dumps({
    "changed": sorted(key for key in before if before[key] != after[key] and key != "config"),
    "ignored": ignored,
}))
"""


def changed(folder: Path, locustfile: str, source: str) -> dict[str, Any]:
    """Which options this source has changed, and what was said of it."""
    (folder / "home").mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, locustfile, source],
        cwd=folder,
        env={**environ, "HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


SOURCES = ["variables", "locust.conf", "home/.locust.conf", "pyproject.toml", "given.conf"]


@pytest.mark.parametrize("source", SOURCES)
def test_no_option_of_locust_comes_from_elsewhere(tmp_path: Path, source: str) -> None:
    """Each option that the installed Locust has keeps its value, and what was found is named."""
    found = changed(tmp_path, "ours", source)
    assert found["changed"] == []
    for key, variable in (("host", "LOCUST_HOST"), ("tags", "LOCUST_TAGS"), ("headless", "LOCUST_HEADLESS")):
        named = variable if source == "variables" else f"{key} in {source.rpartition('/')[2]}"
        assert named in found["ignored"]


@pytest.mark.parametrize("source", SOURCES)
def test_plain_locust_takes_them_from_there(tmp_path: Path, source: str) -> None:
    """Without our locustfile the same sources change the options: the test above could fail."""
    few = {"host", "num_users", "run_time", "tags", "exclude_tags", "headless", "stop_timeout", "master"}
    assert few <= set(changed(tmp_path, "plain", source)["changed"])


def test_options_of_a_users_own_file_are_read(tmp_path: Path) -> None:
    """What another locustfile adds is its own matter: its variable and its key are heeded."""
    (tmp_path / "locust.conf").write_text("own-one = file\nusers = 3\n", encoding="utf-8")
    program = (
        "from locust import argument_parser, events\n"
        "from rampgate.load.launch import load_test\n"
        "@events.init_command_line_parser.add_listener\n"
        "def add(parser, **_):\n"
        "    parser.add_argument('--own-one')\n"
        "    parser.add_argument('--own-two', env_var='OWN_TWO')\n"
        "load_test()\n"
        "found = argument_parser.get_parser().parse_args([])\n"
        "print(found.own_one, found.own_two, found.num_users)\n"
    )
    environ = {**os.environ, "OWN_TWO": "variable", "HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["file", "variable", "None"]


def ran(folder: Path, module: list[str], environ: dict[str, str]) -> tuple[str, str]:
    """The notes of a run at a target that refuses connections, and what was said."""
    (folder / "rampgate.toml").write_text(SETTINGS, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAMPGATE_")}
    ended = subprocess.run(
        [sys.executable, "-m", *module],
        cwd=folder,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    verdict = json.loads((folder / "reports/latest/verdict.json").read_text(encoding="utf-8"))
    assert (ended.returncode, verdict["verdict"]) == (20, "rollback"), ended.stderr
    return " ".join(verdict["notes"]), ended.stderr


@pytest.mark.parametrize("way", ["rampgate", "locust"])
def test_variables_neither_cut_nor_redirect_a_run(tmp_path: Path, way: str) -> None:
    """Made a worker, without tasks, without time, of another host: the run is what rampgate.toml says."""
    environ = {
        "LOCUST_MODE_WORKER": "1",
        "LOCUST_TAGS": "none",
        "LOCUST_USER_CLASSES": "Other",
        "LOCUST_RUN_TIME": "never",
        "LOCUST_HOST": "http://127.0.0.1:8",
    }
    plain = ["locust", "-f", str(locustfile()), "--headless"]
    notes, said = ran(tmp_path, ["rampgate", "load"] if way == "rampgate" else plain, environ)
    assert "LOCUST_MODE_WORKER" in notes
    assert "LOCUST_HOST" in said


def test_a_malformed_file_does_not_keep_a_run_from_starting(tmp_path: Path) -> None:
    """Locust itself would end before it reads any locustfile; which file it was is named."""
    (tmp_path / "locust.conf").write_text("[broken\n= = =\n", encoding="utf-8")
    (tmp_path / ".locust.conf").write_bytes(b"users = \xff\xfe\n")
    (tmp_path / "pyproject.toml").write_text("[tool.locust\n", encoding="utf-8")
    notes, said = ran(tmp_path, ["rampgate", "load"], {"HOME": str(tmp_path)})
    for name in (" locust.conf", ".locust.conf", "pyproject.toml"):
        assert f"{name}, which cannot be read" in notes
    assert "Traceback" not in said
