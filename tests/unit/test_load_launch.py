from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.fakes import gone

from rampgate.errors import ConfigurationError, ProbeError
from rampgate.load import launch
from rampgate.load.plan import SOURCE_VARIABLE, settings_of

LONG = 60.0
WAITS = "import signal, time\nprint('begun', flush=True)\ntime.sleep(60)\n"
DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + WAITS
ORDERLY = """
import signal, sys, time
def stop(*_):
    print("judged", flush=True)
    sys.exit(10)
signal.signal(signal.SIGINT, stop)
print("begun", flush=True)
time.sleep(60)
"""


def python(code: str, *arguments: str) -> list[str]:
    """A load test that is a few lines of Python."""
    return [sys.executable, "-c", code, *arguments]


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("print('a'); print('b')", 0),
        ("import sys; print('a'); print('b', file=sys.stderr); sys.exit(10)", 10),
        ("import os; print('a\\nb', flush=True); os.kill(os.getpid(), 9)", -signal.SIGKILL),
    ],
)
def test_a_process_is_followed_to_its_end(code: str, exit_code: int) -> None:
    """Every line of its, and how it ended."""
    lines: list[str] = []
    assert launch.follow(python(code), os.environ, LONG, lines.append) == exit_code
    assert sorted(filter(None, lines)) == ["a", "b"]


def test_a_process_whose_time_is_up_is_stopped_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked once, says its last words, and the reason is told."""
    lines: list[str] = []
    now, late = time.monotonic, LONG + 1
    monkeypatch.setattr(time, "monotonic", lambda: now() + (late if "begun" in lines else 0.0))
    with pytest.raises(ProbeError, match="its time, 60 s, was used up"):
        launch.follow(python(ORDERLY), os.environ, LONG, lines.append)
    assert [line for line in lines if line] == ["begun", "judged"]


def test_an_interrupt_of_ours_stops_it_in_order() -> None:
    """Ctrl-C goes on to whoever waits for us, after the process has judged what it has."""
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        if line == "begun":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch.follow(python(ORDERLY), os.environ, LONG, on_line)
    assert [line for line in lines if line] == ["begun", "judged"]


def test_a_process_that_does_not_listen_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ignores being asked does not keep us waiting for ever."""
    monkeypatch.setattr(launch, "STOP_WITHIN_S", 0.1)
    pids: list[int] = []

    def on_line(line: str) -> None:
        if line.isdigit():
            pids.append(int(line))
        if line == "begun":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch.follow(python("import os\nprint(os.getpid(), flush=True)\n" + DEAF), os.environ, LONG, on_line)
    assert gone(pids[0])


def test_what_it_started_does_not_outlive_it() -> None:
    """A worker of a load test that died is ended too."""
    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', sys.argv[1]]).pid)"
    lines: list[str] = []
    assert launch.follow(python(code, "import time; time.sleep(60)"), os.environ, LONG, lines.append) == 0
    (pid,) = (int(line) for line in lines if line)
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells of a parent's death on Linux only")
def test_it_is_asked_to_stop_when_we_are_killed(tmp_path: Path) -> None:
    """After a kill -9 of ours no load goes on."""
    noted = tmp_path / "pid"
    code = f"import os, pathlib; pathlib.Path({str(noted)!r}).write_text(str(os.getpid()))\n" + WAITS
    ours = textwrap.dedent(f"""
        import os, sys
        from rampgate.load import launch
        def on_line(line):
            if line == "begun":
                os.kill(os.getpid(), 9)
        launch.follow([sys.executable, "-c", {code!r}], os.environ, 60, on_line)
    """)
    assert subprocess.run(python(ours), check=False).returncode == -signal.SIGKILL
    assert gone(int(noted.read_text(encoding="utf-8")))


def test_the_command_is_plain_locust() -> None:
    """The installed locustfile, or one of the user's own."""
    start = Path(launch.command("--headless")[2])
    assert (start.parent.name, start.name) == ("loadtests", "start.py")
    assert launch.command(file=Path("own.py"))[-1] == "own.py"


def test_locust_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence with the command that mends it."""

    def find(name: str, *_: Any) -> None:
        assert name

    monkeypatch.setattr(importlib.util, "find_spec", find)
    with pytest.raises(ConfigurationError, match=r"locust and pycurl: .*pip install 'rampgate\[load\]'"):
        launch.command()


def test_the_load_run_reads_what_its_stage_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, overrides, and whether RAMPGATE_* counts, as the stage had them; nothing else has a say."""
    path = tmp_path / "own.toml"
    path.write_text('[target]\napi = "http://127.0.0.1:1"\nname = "own"\n', encoding="utf-8")
    monkeypatch.setenv("RAMPGATE_TARGET__NAME", "environment")
    for counts, name in ((True, "environment"), (False, "own")):
        source = {
            "path": str(path),
            "overrides": {"target.api": "http://127.0.0.1:2", "load.executor": "ramping-users"},
            "from_environment": counts,
        }
        environ = {SOURCE_VARIABLE: json.dumps(source), "RAMPGATE_DEMO_READY": "/does/not/exist"}
        settings, _ = settings_of("other.toml", environ=environ)
        assert (settings.target.api, settings.target.name) == ("http://127.0.0.1:2", name)


def test_a_file_that_was_typed_is_not_overridden_by_a_demo_left_exported(tmp_path: Path) -> None:
    """RAMPGATE_DEMO_READY of an earlier demo beside --config is refused, never silently the demo's target."""
    path = tmp_path / "own.toml"
    path.write_text('[target]\napi = "http://127.0.0.1:1"\n', encoding="utf-8")
    with pytest.raises(
        ConfigurationError, match=r"found beside RAMPGATE_DEMO_READY=.*accepted is one of them"
    ):
        settings_of(str(path), environ={"RAMPGATE_DEMO_READY": "ready.json"})
    assert settings_of(None, environ={"RAMPGATE_CONFIG": str(path)})[0].target.api == "http://127.0.0.1:1"
