"""The watch inside the extended stage: a process of the run, which three checks wait for."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.plugin.soaking import records, reporting, soaked
from tests.unit.fakes import gone

from rampgate.evidence.releases import judge_current

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.plugin.deployment import Project
    from tests.plugin.soaking import Reporting

WITHIN_S = 120.0
JOURNAL = "reports/2*/journal-watch-*.jsonl"
CHECKS = {
    "extended/performance::performance_stays",
    "extended/error_rate::error_rate_stays",
    "extended/feedback::feedback_stays",
}


@pytest.fixture
def reported() -> Iterator[Reporting]:
    """A healthy deployment that a test may break."""
    with reporting() as deployment:
        yield deployment


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_one_watch_is_part_of_the_stage(
    tmp_path: Path, reported: Reporting, workers: tuple[str, ...]
) -> None:
    """Begun once, under xdist too; its rules are checks of the run, and three checks show what it read."""
    project = soaked(tmp_path, reported.url)
    ran = project.run("-m", "extended", *workers)
    assert ran.code == 0, ran.told
    assert ran.verdict["stages"] == ["extended", "watch"]
    assert {check for check in ran.outcomes if check.startswith("extended/")} == CHECKS
    assert {"watch/few_errors", "watch/still_fast", "watch/observed"} <= set(ran.outcomes)
    assert set(ran.outcomes.values()) == {"passed"}
    (header,) = (each for each in records(project.latest, "header") if each["stage"] == "watch")
    assert header["within"] == "extended"
    shown = {c["check"]: {s["metric"] for s in c["shown"]} for c in ran.verdict["checks"]}
    assert [shown[check] for check in sorted(CHECKS)] == [
        {"error_rate"},
        {"user_feedback_score"},
        {"web_vitals_lcp"},
    ]


@contextmanager
def in_the_middle(project: Project, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A stage whose watch has read what counters say from their second reading on, and its process."""
    with project.started("-m", "extended", *arguments) as process:
        deadline = time.monotonic() + WITHIN_S
        while not (
            begun := [p for p in project.folder.glob(JOURNAL) if p.read_bytes().count(b'"reading"') > 1]
        ):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process, int(begun[0].name.split("-")[2])


def test_a_watch_that_is_killed_holds(tmp_path: Path, reported: Reporting) -> None:
    """Nothing passes that waits for it, and one line says what happened."""
    project = soaked(tmp_path, reported.url, "5m")
    with in_the_middle(project) as (process, pid):
        os.kill(pid, signal.SIGKILL)
        told, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 10, told
    first, second = project.verdict["reasons"]
    assert first.startswith("extended/performance::performance_stays: the watch was ended by SIGKILL")
    assert second == "watch: the run did not come to its end"
    outcomes = {check["check"]: check["outcome"] for check in project.verdict["checks"]}
    assert {outcomes[check] for check in CHECKS} == {"error"}
    assert outcomes["watch/few_errors"] == "never ran"


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_an_interrupt_ends_the_watch_in_order(
    tmp_path: Path, reported: Reporting, workers: tuple[str, ...]
) -> None:
    """Ctrl-C while checks wait: it judges what it has observed, and neither goes on."""
    project = soaked(tmp_path, reported.url, "5m")
    with in_the_middle(project, *workers) as (process, pid):
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=WITHIN_S)
        assert gone(pid)
    assert process.returncode == 2, told
    assert project.verdict["reasons"] == ["extended: interrupted"]
    (end,) = (each for each in records(project.latest, "end") if each["process"].startswith("watch-"))
    assert end["early"]
    assert set(project.verdict["never_ran"]) == CHECKS


def test_a_source_that_is_gone_holds(tmp_path: Path, reported: Reporting) -> None:
    """What could not be read is an error of its own that says why, and nothing passes on it."""
    reported.gone = True
    project = soaked(tmp_path, reported.url, "5m")
    with in_the_middle(project) as (process, _):
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WITHIN_S)
    assert project.verdict["verdict"] == "hold"
    outcomes = {check["check"]: check["outcome"] for check in project.verdict["checks"]}
    rules = {check: outcome for check, outcome in outcomes.items() if check.startswith("watch/")}
    assert rules.pop("watch/release") == "passed"  # which is known without the source
    assert set(rules.values()) == {"error", "undecided"}, rules
    assert any("HTTP 503" in reason for reason in project.verdict["reasons"])


def test_a_critical_rule_ends_the_waiting(tmp_path: Path, reported: Reporting) -> None:
    """It rolls back at once, in a rehearsal too, which the verdict line names."""
    reported.said["broken"] = 1
    project = soaked(tmp_path, reported.url, "50m")
    ran = project.run("-m", "extended", "--time-scale", "30")
    assert ran.code == 20, ran.told
    assert ran.verdict["reasons"][0].startswith("watch/broken: fired at ")
    assert "ROLLBACK  extended (rehearsal: time scale 30)" in ran.told
    headers = {each["stage"]: each for each in records(project.latest, "header")}
    assert headers["extended"]["rehearsal"]
    assert headers["watch"]["settings"]["soak"]["duration"] == 100


def test_without_a_check_that_waits_there_is_no_watch(tmp_path: Path, reported: Reporting) -> None:
    """What -k leaves out begins nothing, and holds."""
    project = soaked(tmp_path, reported.url)
    project.write("test_own.py", "import pytest\n\n@pytest.mark.extended\ndef test_own():\n    pass\n")
    ran = project.run("-m", "extended", "-k", "test_own")
    assert ran.code == 10, ran.told
    assert set(ran.verdict["never_ran"]) == CHECKS
    assert ran.verdict["stages"] == ["extended"]
    assert not (project.latest / "watch.json").exists()


@pytest.mark.parametrize(
    ("arguments", "more", "says"),
    [
        (("-m", "immediate", "--time-scale", "30"), "", "--time-scale: found 30 with -m immediate"),
        (("-m", "extended", "--time-scale", "0.5"), "", "--time-scale: found 0.5; accepted is a number of 1"),
        (("-m", "extended", "--time-scale", "1e9"), "", "found 1e+09; accepted is a number of 1 to 1000"),
        (
            ("-m", "extended"),
            '[stages.extended]\nbudget = "5s"\n',
            "soak.duration: found 6 s; accepted is less",
        ),
        (("-m", "extended"), '[watch.thresholds.x]\nexpect = "nowhere < 1"\n', "nowhere is no known metric"),
    ],
)
def test_what_cannot_be_watched_is_refused_before_anything_is_asked(
    tmp_path: Path, reported: Reporting, arguments: tuple[str, ...], more: str, says: str
) -> None:
    """One line says what was found and what is accepted; nothing is measured, and the run holds."""
    project = soaked(tmp_path, reported.url, more=more)
    ran = project.run_here(*arguments)
    assert ran.code == 4, ran.told
    assert says in ran.told
    assert reported.asked == []
    assert ran.verdict["verdict"] == "hold"


def test_a_time_scale_without_a_stage_is_refused(tmp_path: Path, reported: Reporting) -> None:
    """Nothing in an ordinary session waits."""
    ran = soaked(tmp_path, reported.url).run_here("--time-scale", "30")
    assert ran.code == 4, ran.told
    assert "--time-scale: found 30 with no stage; accepted is -m extended" in ran.told


LOADED = """
[[endpoints]]
name = "items"
path = "/api/items"
body = "@"
sign_in = false
load = true
[load]
extended = { users = 2, duration = "5m" }
pause = 0.01
thresholds = { http_req_duration = ["p(95)<5000"], http_req_failed = ["rate<0.5"] }
"""


def test_an_interrupt_under_load_ends_load_and_watch(tmp_path: Path, reported: Reporting) -> None:
    """Both judge what they have; the watch was to observe as long again as the load takes."""
    project = soaked(tmp_path, reported.url, "10m", LOADED)
    with in_the_middle(project) as (process, pid):
        deadline = time.monotonic() + WITHIN_S
        while "/api/items" not in reported.asked:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=WITHIN_S)
        assert gone(pid)
    assert process.returncode == 2, told
    assert {"extended: interrupted", "load: interrupted"} <= set(project.verdict["reasons"])
    observed = next(check for check in project.verdict["checks"] if check["check"] == "watch/observed")
    assert observed["message"].endswith(" of 15 min were observed")
    ended = {each["process"].partition("-")[0] for each in records(project.latest, "end")}
    assert ended == {"main", "load", "watch"}


def test_a_rehearsal_is_promoted_and_counts_for_no_release(tmp_path: Path, reported: Reporting) -> None:
    """Its own verdict is that of its numbers; a release that requires the stage holds."""
    more = '[version]\nexpected = "1.0.0"\nconnections = 4\n'
    project = soaked(tmp_path, reported.url, "8s", more)
    ran = project.run("-m", "extended", "--time-scale", "1.5")
    assert ran.code == 0, ran.told
    assert "PROMOTE  extended (rehearsal: time scale 1.5)" in ran.told
    reports = project.folder / "reports"
    (stage,) = judge_current(reports, ["extended"], time.time()).stages
    assert (stage.decision.value, stage.reason) == ("hold", "a rehearsal: it decides nothing")
    (stage,) = judge_current(reports, ["extended"], time.time(), rehearsals=True).stages
    assert stage.decision.value == "promote"
