"""The checks of the deployment's own commands, in a pytest of their own."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import Project, deployed

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-of-a-variable"
SETTINGS = """
environment = "test"
[target]
api = "{api}"
headers = {{ X-Key = "${{KEY:-none}}" }}
[stages.predeploy]
patience = "0s"
"""
COMMAND = """
[[commands]]
name = "{name}"
command = ["{{python}}", "-c", "{code}"]
timeout = "{timeout}"
"""


def commands(api: str, timeout: str = "60s", **codes: str) -> str:
    """Settings with commands that are a line of Python each."""
    told = [COMMAND.format(name=name, code=code, timeout=timeout) for name, code in codes.items()]
    return SETTINGS.format(api=api) + "".join(told)


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_commands_are_judged_and_their_output_is_kept(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """One that ends with 0 passes, any other fails with its last words, and no secret is written down."""
    codes = {
        "build": "print('built')",
        "lint": "import os; print('bad', os.environ['KEY']); raise SystemExit(3)",
    }
    with deployed() as target:
        made = Project(tmp_path, commands(target.url, **codes))
        ran = made.run("-m", "predeploy", *workers, KEY=CANARY)
    outcomes = {check.rpartition("::")[2]: outcome for check, outcome in ran.outcomes.items()}
    assert outcomes["command_succeeds[build]"] == "passed"
    assert outcomes["command_succeeds[lint]"] == "failed"
    assert ran.code == 10
    assert "its last words: bad ***" in " ".join(made.verdict["reasons"])
    logs = {path.name: path.read_text(encoding="utf-8") for path in (made.latest / "commands").iterdir()}
    assert logs == {"build.log": "built\n", "lint.log": "bad ***\n"}
    written = [path.read_bytes() for path in made.latest.glob("**/*") if path.is_file()]
    assert not any(CANARY.encode() in text for text in [*written, ran.told.encode()])


def test_interrupted_run_leaves_no_command_behind(tmp_path: Path) -> None:
    """Ctrl-C ends the command with its children, and the verdict holds."""
    sleeper = "import time; time.sleep(60)"
    code = (
        f"import os, subprocess, sys; child = subprocess.Popen([sys.executable, '-c', '{sleeper}'], "
        f"start_new_session=True); print(os.getpid(), child.pid, flush=True); {sleeper}"
    )
    with deployed() as target:
        made = Project(tmp_path, commands(target.url, hangs=code))
        process = made.start("-m", "predeploy")
        deadline = time.monotonic() + 60
        log, told = made.latest / "commands" / "hangs.log", ""
        while " " not in told:
            assert time.monotonic() < deadline
            time.sleep(0.05)
            told = log.read_text(encoding="utf-8") if log.is_file() else ""
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert made.verdict["verdict"] == "hold"
    for pid in map(int, told.split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
