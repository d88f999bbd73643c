"""Ctrl-C and the end of the stage's time: what is being measured is left, what was measured is judged."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import HEALTH, ITEMS, SETTINGS, VERSION, Deployment, Project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GUARD_S = 60.0
PATIENT = SETTINGS.replace('timeout = "5s"', 'timeout = "10m"')
FLAGS = """
[flags]
path = "/api/flags/{flag}?user={user}"
expected = { one = 5 }
"""
CRITICAL = """
import urllib.request
import pytest

@pytest.mark.immediate
@pytest.mark.severity("critical")
def test_own():
    raise AssertionError("broken")

@pytest.mark.immediate
def test_then():
    urllib.request.urlopen("{api}/slow")
"""


DEAF = """
import hashlib
import urllib.request
import pytest

@pytest.mark.immediate
def test_own():
    urllib.request.urlopen("{api}/now").close()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
"""
"""A call that lasts for many minutes and that no signal interrupts, announced by a request."""
HANGS = """
import time
import urllib.request
import pytest

@pytest.fixture
def slow():
    yield
    time.sleep(600)

@pytest.mark.immediate
def test_own(slow):
    urllib.request.urlopen("{api}/now").close()
    time.sleep(600)
"""
"""A test, and after it the end of its fixture, that take long."""


def patient(folder: Path, deployment: Deployment, more: str = "") -> Project:
    """A project whose requests wait for ten minutes, of which no test waits for one."""
    return Project(folder, PATIENT.format(api=deployment.url) + more)


@pytest.mark.parametrize(
    ("path", "workers", "number", "send"),
    [
        ("/health", [], signal.SIGINT, os.kill),
        ("/health", ["-n", "2"], signal.SIGTERM, os.kill),
        ("/api/items", [], signal.SIGTERM, os.killpg),
        ("/api/items", ["-n", "2"], signal.SIGINT, os.kill),
        ("/api/flags", [], signal.SIGINT, os.kill),
        ("/api/flags", ["-n", "2"], signal.SIGINT, os.killpg),
    ],
)
def test_an_interrupt_is_heeded_while_the_target_does_not_answer(
    tmp_path: Path,
    deployment: Deployment,
    path: str,
    workers: list[str],
    number: signal.Signals,
    send: Callable[[int, int], None],
) -> None:
    """Whatever waits for it, in whichever thread or process: the run ends before the target answers."""
    deployment.stuck = path
    deployment.go_on.clear()
    project = patient(tmp_path, deployment, FLAGS if path == "/api/flags" else "")
    with project.started("-m", "immediate", *workers) as process:
        assert deployment.stalled.wait(GUARD_S)
        send(process.pid, number)
        said, _ = process.communicate(timeout=GUARD_S)
    assert not deployment.go_on.is_set()
    assert process.returncode == 2, said
    verdict = project.verdict
    assert (verdict["verdict"], verdict["complete"]) == ("hold", False)
    assert "immediate: interrupted" in verdict["reasons"]
    assert "HOLD" in said
    assert (project.latest / "report.html").is_file()


def test_what_failed_before_the_interrupt_rolls_back(tmp_path: Path, deployment: Deployment) -> None:
    """Interrupted is no excuse: pytest's exit code stays, the verdict is what the evidence says."""
    deployment.stuck = "/slow"
    deployment.go_on.clear()
    project = patient(tmp_path, deployment)
    project.write("test_own.py", CRITICAL.format(api=deployment.url))
    with project.started("-m", "immediate") as process:
        assert deployment.stalled.wait(GUARD_S)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=GUARD_S)
    assert process.returncode == 2, said
    assert project.verdict["verdict"] == "rollback"


@pytest.mark.parametrize(("workers", "seconds"), [([], 4), (["-n", "2"], 20)])
def test_past_its_time_a_stage_ends_and_names_what_was_slow(
    tmp_path: Path, deployment: Deployment, workers: list[str], seconds: int
) -> None:
    """What is measuring is cut off, what has not begun never runs, and the reason names who took the time."""
    deployment.go_on.clear()
    project = patient(tmp_path, deployment)
    project.write("rampgate.toml", (tmp_path / "rampgate.toml").read_text() + f'budget = "{seconds}s"\n')
    ran = project.run("-m", "immediate", *workers)
    assert not deployment.go_on.is_set()
    assert ran.code == 10, ran.told
    late = f"immediate: the stage's time of {seconds} s was used up: "
    named = [why for why in ran.verdict["reasons"] if why.startswith(late)]
    assert named, ran.verdict["reasons"]
    assert not ran.verdict["complete"]
    if deployment.stalled.is_set():  # a machine may be too slow to get as far
        assert ran.outcomes == {HEALTH: "passed", VERSION: "passed", ITEMS: "error"}
        assert f"{ITEMS} took" in named[0]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_a_call_that_hears_no_signal_is_interrupted_too(
    tmp_path: Path, deployment: Deployment, workers: list[str]
) -> None:
    """Where the main thread cannot hear it, another thread writes the verdict and ends the process."""
    project = patient(tmp_path, deployment)
    project.write("test_own.py", DEAF.format(api=deployment.url))
    with project.started("-m", "immediate", *workers) as process:
        assert deployment.stalled.wait(GUARD_S)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=GUARD_S)
    assert process.returncode == 2, said
    assert project.verdict["verdict"] == "hold"
    assert "immediate: interrupted" in project.verdict["reasons"]
    assert "test_own.py::test_own" in project.verdict["never_ran"]
    assert (project.latest / "report.html").is_file()


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_whoever_interrupts_again_and_again_gets_a_verdict(
    tmp_path: Path, deployment: Deployment, workers: list[str]
) -> None:
    """Neither does the second break into the end of the run, nor does what hangs there hold it up."""
    project = patient(tmp_path, deployment)
    project.write("test_own.py", HANGS.format(api=deployment.url))
    with project.started("-m", "immediate", *workers) as process:
        assert deployment.stalled.wait(GUARD_S)
        for _ in range(int(GUARD_S / 0.1)):
            os.killpg(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
                break
        said, _ = process.communicate(timeout=GUARD_S)
    assert process.returncode == 2, said
    assert "Traceback" not in said
    assert project.verdict["verdict"] == "hold"
    assert "immediate: interrupted" in project.verdict["reasons"]
