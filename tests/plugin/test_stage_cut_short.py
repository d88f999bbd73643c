"""Runs that do not come to their end, and runs that meet another."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import HEALTH, ITEMS, SETTINGS, VERSION, Deployment, Project, Ran

from rampgate.evidence.verdicts import judge
from rampgate.outcome import Decision

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator


PATIENT = (
    SETTINGS.replace('timeout = "5s"', 'timeout = "60s"')
    .replace("4000ms", "50s")
    .replace("4500ms", '51s"\napi_p95_critical = "api_response_time_p95 < 52s')
)
"""A stall of many seconds passes."""


@pytest.fixture
def stuck(project: Project, deployment: Deployment) -> Iterator[subprocess.Popen[str]]:
    """A run whose API has just stopped answering, in the middle of a check."""
    deployment.go_on.clear()
    project.write("rampgate.toml", PATIENT.format(api=deployment.url))
    process = project.start("-m", "immediate")
    try:
        assert deployment.stalled.wait(30)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_run_that_was_killed_holds_and_keeps_its_evidence(
    project: Project, stuck: subprocess.Popen[str]
) -> None:
    """After a kill -9 in the middle, what was measured is there, what was not is named, and it holds."""
    stuck.send_signal(signal.SIGKILL)
    stuck.wait()
    verdict = judge(project.latest)
    assert verdict.decision is Decision.HOLD
    assert not verdict.complete
    assert {r.check: str(r.outcome) for r in verdict.checks} == {
        HEALTH: "passed",
        VERSION: "passed",
        ITEMS: "None",
    }
    assert "immediate: the run did not come to its end" in verdict.reasons
    assert all(result.judgements for result in verdict.checks[:2])


def test_a_run_that_was_interrupted_holds(
    project: Project, deployment: Deployment, stuck: subprocess.Popen[str]
) -> None:
    """Ctrl-C keeps pytest's own exit code; the verdict is written, and holds."""
    stuck.send_signal(signal.SIGINT)
    deployment.go_on.set()
    told, _ = stuck.communicate(timeout=30)
    assert stuck.returncode == 2, told
    assert "HOLD" in told
    verdict = project.verdict
    assert (verdict["verdict"], verdict["complete"]) == ("hold", False)
    assert "immediate: interrupted" in verdict["reasons"]
    assert verdict["never_ran"] == [ITEMS]


def test_a_second_run_on_the_same_target_is_refused(
    project: Project, deployment: Deployment, stuck: subprocess.Popen[str]
) -> None:
    """It says who measures and since when, leaves a record that holds, and the first run goes on."""
    second = project.run("-m", "immediate")
    assert second.code == 4, second.told
    assert "this target is being measured by run " in second.told
    assert f"(process {stuck.pid}, since " in second.told
    assert "Traceback" not in second.told
    deployment.go_on.set()
    told, _ = stuck.communicate(timeout=30)
    assert "PROMOTE" in told
    assert stuck.returncode == 0
    assert second.verdict["verdict"] == project.verdict["verdict"] == "hold"
    assert "was not started: this target is being measured by run " in second.verdict["reason"]
    runs = {
        json.loads(path.read_text())["verdict"]
        for path in (project.folder / "reports").glob("2*/verdict.json")
    }
    assert runs == {"promote", "hold"}


def test_whoever_gives_up_waiting_for_a_target_leaves_a_record(
    project: Project, deployment: Deployment, stuck: subprocess.Popen[str]
) -> None:
    """Interrupted before anything was measured: the newest verdict is that nothing was."""
    with project.started("-m", "immediate", "--wait") as second:
        assert second.stdout
        while "waiting for run" not in (line := second.stdout.readline()):
            assert line
        second.send_signal(signal.SIGINT)
        said, _ = second.communicate(timeout=60)
    assert second.returncode == 2, said
    assert project.verdict["reasons"] == ["immediate: was not started: interrupted"]
    assert stuck.poll() is None
    assert deployment.stalled.is_set()


@pytest.mark.parametrize("kib", [6, 12])
def test_a_full_disk_never_promotes(project: Project, kib: int) -> None:
    """Evidence that cannot be kept is no evidence, and whoever reads the log learns why."""
    project.kib = kib
    ran = project.run("-m", "immediate", "-p", "no:cacheprovider")
    assert ran.code in {3, 10}, ran.told
    assert "the journal could not be written whole: " in ran.told
    assert "PROMOTE" not in ran.told


CRASH = """
import os, signal
import pytest

@pytest.mark.immediate
def test_own():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_that_crashes_never_promotes(project: Project) -> None:
    """The check that it was at never ran; the others are judged all the same."""
    project.write("test_own.py", CRASH)
    ran = project.run("-m", "immediate", "-n", "2")
    assert ran.code == 10, ran.told
    assert ran.outcomes == {
        HEALTH: "passed",
        VERSION: "passed",
        ITEMS: "passed",
        "test_own.py::test_own": "never ran",
    }


@pytest.mark.parametrize(
    ("text", "arguments", "code", "says"),
    [
        ("def test_own(: pass", [], 2, "immediate: interrupted"),
        ("def test_own(: pass", ["--continue-on-collection-errors"], 10, "no check explains"),
        (
            "import pytest\n@pytest.mark.immediate\ndef test_own(): pytest.exit('enough', 0)",
            [],
            10,
            "never ran",
        ),
        (
            "import pytest\n@pytest.mark.immediate\ndef test_own(): pytest.exit('enough', 42)",
            [],
            42,
            "status 42",
        ),
    ],
)
def test_a_run_that_could_not_do_its_work_never_promotes(
    project: Project, text: str, arguments: list[str], code: int, says: str
) -> None:
    """A file that cannot be collected, a test that ends the session: the verdict holds, and says why."""
    project.write("test_own.py", text)
    ran: Ran = project.run("-m", "immediate", *arguments)
    assert ran.code == code, ran.told
    assert ran.verdict["verdict"] == "hold"
    assert [reason for reason in ran.verdict["reasons"] if says in reason], ran.verdict["reasons"]


FLAGS = """
[flags]
path = "/api/flags/{flag}?user={user}"
value = "[0]"
expected = { search = 100 }
"""


def test_a_slow_flag_service_is_left_at_ctrl_c_and_what_it_answered_is_judged(
    project: Project, deployment: Deployment
) -> None:
    """What is in flight is not waited for; that a flag was on, though it must be off, is in the verdict."""
    settings = (project.folder / "rampgate.toml").read_text(encoding="utf-8")
    settings = settings.replace('timeout = "5s"', 'timeout = "120s"').partition("[[endpoints]]")[0]
    project.write("rampgate.toml", settings + FLAGS.replace("100", "0"))
    deployment.items = [True]
    process = project.start("-m", "immediate")
    try:
        while len(deployment.asked) < 60:
            assert process.poll() is None
            deployment.stalled.wait(0.05)
        deployment.go_on.clear()
        assert deployment.stalled.wait(30)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 2, told
    assert "ROLLBACK" in told
    assert "though it must be off for everybody" in project.verdict["reasons"][0]
