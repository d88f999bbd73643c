"""The extended stage: Locust as a process of the run, under few users for seconds."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import SETTINGS, Deployment, Project
from tests.unit.fakes import gone

from rampgate.evidence import journal
from rampgate.evidence.verdicts import judge

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

FLAT = "extended/load::flat_profile_runs_to_its_end"
WITHIN_S = 60.0


def configured(folder: Path, url: str, duration: str, more: str = "") -> Project:
    """A project whose endpoint is asked under load by two users."""
    text = SETTINGS.format(api=url).replace("sign_in = false\n", "sign_in = false\nload = true\n")
    thresholds = '{ http_req_duration = ["p(95)<5000"], http_req_failed = ["rate<0.5"] }'
    load = f'[load]\nextended = {{ users = 2, duration = "{duration}" }}\npause = 0.01\n'
    if "[load.thresholds]" not in more:
        load += f"thresholds = {thresholds}\n"
    return Project(folder, text + load + more)


def awaited(process: subprocess.Popen[str], found: Path, pattern: str) -> Path:
    """The first file of that name that the run writes."""
    deadline = time.monotonic() + WITHIN_S
    while not (files := list(found.glob(pattern))):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return files[0]


@contextmanager
def under_load(project: Project, deployment: Deployment) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A stage in the middle of its load run, and the process that makes the load."""
    process = project.start("-m", "extended")
    try:
        header = awaited(process, project.folder / "reports", "2*/journal-load-*.jsonl")
        deadline = time.monotonic() + WITHIN_S
        while not deployment.asked:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process, int(header.name.split("-")[2])
    finally:
        process.kill()
        process.communicate()


def test_the_load_run_is_part_of_the_stage(tmp_path: Path, deployment: Deployment) -> None:
    """One run, one folder, one verdict: the load's checks stand beside the stage's, and count."""
    project = configured(tmp_path, deployment.url, "2s")
    ran = project.run("-m", "extended")
    assert ran.outcomes[FLAT] == "passed", ran.told
    assert ran.verdict["stages"] == ["extended", "load"]
    assert ran.verdict["complete"], ran.verdict["reasons"]
    assert ran.code == ran.verdict["exit_code"]
    assert len(list((project.folder / "reports").glob("2*"))) == 1
    assert {check.split("/")[0] for check in ran.outcomes} == {"extended", "load"}
    assert ran.outcomes["load/whole run"] != "never ran"
    asked = [path for path in deployment.asked if path == "/api/items"]
    judged = [j for c in ran.verdict["checks"] if c["check"] == "load/whole run" for j in c["judgements"]]
    assert len(asked) <= max(j["n"] for j in judged), "every request that was answered is in the evidence"
    assert "load: 2 users for 2 s" in ran.told
    (header,) = (r for r in journal.read(project.latest)[0] if r["type"] == "header" and r["stage"] == "load")
    assert header["settings"]["load"]["duration"] == 2
    assert header["budget_s"] < 4500 - 45, "a repeat has what is left of the stage's time"
    assert header["settings"]["load"]["users"] == 2


def test_a_load_run_that_dies_holds(tmp_path: Path, deployment: Deployment) -> None:
    """Killed in the middle: the check says so, what was measured is kept, and nothing passes."""
    project = configured(tmp_path, deployment.url, "5m")
    with under_load(project, deployment) as (process, pid):
        os.kill(pid, signal.SIGKILL)
        told, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 10, told
    assert "the load run was ended by SIGKILL" in told
    verdict = project.verdict
    assert {c["check"]: c["outcome"] for c in verdict["checks"]}[FLAT] == "error"
    assert "load: the run did not come to its end" in verdict["reasons"]


def test_an_interrupt_ends_the_load_run_in_order(tmp_path: Path, deployment: Deployment) -> None:
    """Ctrl-C: the load run judges what it has before the stage ends; neither goes on."""
    project = configured(tmp_path, deployment.url, "5m")
    with under_load(project, deployment) as (process, pid):
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=WITHIN_S)
        assert gone(pid)
    assert process.returncode == 2, told
    verdict = judge(project.latest)
    assert verdict.decision.value == "hold"
    assert {"extended: interrupted", "load: interrupted"} <= set(verdict.reasons)
    assert FLAT in verdict.never_ran


def test_an_interrupt_does_not_wait_for_answers(tmp_path: Path, deployment: Deployment) -> None:
    """Where the target hangs, the load run leaves out what is under way, and judges."""
    project = configured(tmp_path, deployment.url, "5m")
    settings = (tmp_path / "rampgate.toml").read_text(encoding="utf-8")
    project.write("rampgate.toml", settings.replace('timeout = "5s"', 'timeout = "10m"'))
    deployment.go_on.clear()
    with under_load(project, deployment) as (process, pid):
        assert deployment.stalled.wait(WITHIN_S)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=WITHIN_S)
        assert gone(pid)
    assert process.returncode == 2, said
    assert {"extended: interrupted", "load: interrupted"} <= set(project.verdict["reasons"])
    assert not deployment.go_on.is_set()


@pytest.mark.parametrize(
    ("duration", "more", "code", "says"),
    [
        ("2s", '[stages.extended]\nbudget = "1s"\n', 10, "load.extended.duration: 2 s do not fit into the "),
        (
            "2s",
            '[load.thresholds]\nhttp_req_failed = ["rate<lots"]\n',
            4,
            "rampgate.toml: load.thresholds.http_req_failed: ",
        ),
    ],
)
def test_a_load_run_that_cannot_run_holds(
    tmp_path: Path, deployment: Deployment, duration: str, more: str, code: int, says: str
) -> None:
    """No time for it, settings that it refuses: told in a sentence, and nothing is sent."""
    ran = configured(tmp_path, deployment.url, duration, more).run("-m", "extended")
    assert ran.code == code, ran.told
    assert ran.verdict["verdict"] == "hold"
    assert says in ran.told
    assert deployment.asked == []


def test_without_an_endpoint_under_load_there_is_nothing_to_check(project: Project) -> None:
    """An empty plan holds, and says what is not configured."""
    ran = project.run("-m", "extended")
    assert ran.code == 5, "pytest's own: no test was executed"
    assert (ran.verdict["verdict"], ran.verdict["not_configured"]) == (
        "hold",
        ["load", "journeys", "soak"],
    ), ran.told
