"""What `pytest -m immediate` comes to: exit code, verdict line, reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import (
    HEALTH,
    ITEMS,
    SETTINGS,
    VERSION,
    Deployment,
    Project,
    Ran,
    closed_address,
    deployed,
)

from rampgate.evidence import journal
from rampgate.evidence.verdicts import judge
from rampgate.judging.verdict import dumps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPORTS = {"verdict.json", "junit.xml", "summary.md", "report.html"}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Ran, Ran]]:
    """One healthy deployment, checked twice: by one process, and by two workers without a summary."""
    with deployed() as deployment:
        project = Project(tmp_path_factory.mktemp("healthy"), SETTINGS.format(api=deployment.url))
        serial = project.run("-m", "immediate")
        yield project, serial, project.run("-m", "immediate", "-n", "2", "--no-summary")


def test_a_healthy_deployment_is_promoted(healthy: tuple[Project, Ran, Ran]) -> None:
    """Exit code 0, the word PROMOTE, and every check of the plan passed."""
    _, serial, _ = healthy
    assert serial.code == 0, serial.told
    assert "PROMOTE" in serial.told
    assert serial.verdict["verdict"] == "promote"
    assert serial.outcomes == {HEALTH: "passed", VERSION: "passed", ITEMS: "passed"}
    assert serial.verdict["complete"] is True


def test_no_summary_leaves_out_the_table_and_nothing_else(healthy: tuple[Project, Ran, Ran]) -> None:
    """Whoever goes on with the run prints its verdict; the exit code and the evidence are the same."""
    _, serial, silent = healthy
    assert "PROMOTE" not in silent.told
    assert (silent.code, silent.verdict["verdict"]) == (serial.code, "promote")


def test_every_report_is_written(healthy: tuple[Project, Ran, Ran]) -> None:
    """Whatever somebody reads lies in the run's folder, and latest leads there."""
    project, serial, _ = healthy
    for run in (project.folder / "reports" / serial.verdict["run"], project.latest):
        assert {path.name for path in run.iterdir()} >= REPORTS


def test_workers_see_what_one_process_sees(healthy: tuple[Project, Ran, Ran]) -> None:
    """With -n 2 the same checks make the same judgements, with the same outcomes and exit code."""
    _, serial, parallel = healthy
    assert parallel.code == 0, parallel.told
    assert parallel.judged == serial.judged
    assert len(serial.judged) >= 7


def test_reachability_is_looked_at_once(healthy: tuple[Project, Ran, Ran]) -> None:
    """However many checks and workers need the API, one look tells whether it is up."""
    project, *_ = healthy
    looks = [r for r in journal.read(project.latest)[0] if r.get("check") == "reachability"]
    assert len(looks) == 1


@pytest.mark.parametrize("name", ["Übersicht", "C:\\new [1]"])
def test_a_name_is_what_the_settings_say(tmp_path: Path, deployment: Deployment, name: str) -> None:
    """Letters of any language, and what Python writes with a backslash: the check that is planned is run."""
    settings = SETTINGS.format(api=deployment.url).replace('"items"', f"'{name}'")
    ran = Project(tmp_path, settings).run("-m", "immediate")
    assert ran.code == 0, ran.told
    assert ran.outcomes[ITEMS.replace("items", name)] == "passed"


def test_the_run_can_be_judged_again(healthy: tuple[Project, Ran, Ran]) -> None:
    """From the journal alone, to the byte."""
    project, *_ = healthy
    again = dumps(judge(project.latest))
    assert again == (project.latest / "verdict.json").read_text(encoding="utf-8")


def test_each_check_is_told_as_it_ends(healthy: tuple[Project, Ran, Ran]) -> None:
    """A line per check with its outcome in words, from one process and from workers alike."""
    for run in healthy[1:]:
        for check in (HEALTH, VERSION, ITEMS):
            assert f"passed  {check}" in run.told


def test_a_deployment_that_is_down_is_rolled_back(tmp_path: Path) -> None:
    """The API does not answer: that fails once, and what depends on it is skipped with the cause."""
    ran = Project(tmp_path, SETTINGS.format(api=closed_address())).run("-m", "immediate")
    assert ran.code == 20, ran.told
    assert "ROLLBACK" in ran.told
    assert ran.outcomes == {HEALTH: "failed", VERSION: "skipped", ITEMS: "skipped"}
    assert "skipped because api does not answer" in ran.told


def test_an_empty_answer_is_rolled_back(project: Project, deployment: Deployment) -> None:
    """A fast 200 with nothing in it is a broken deployment; one process and two workers agree."""
    deployment.items = []
    serial, parallel = project.run("-m", "immediate"), project.run("-m", "immediate", "-n", "2")
    assert (serial.code, parallel.code) == (20, 20), serial.told
    # A critical failure ends the look, so that what else is decided by then depends on the moment.
    serially, in_parallel = (
        {each for each in ran.judged if each[-1] == "failed"} for ran in (serial, parallel)
    )
    assert serially == in_parallel
    assert serial.outcomes[ITEMS] == "failed"


def test_a_warning_holds_and_picking_the_failures_again_holds_too(
    project: Project, deployment: Deployment
) -> None:
    """The wrong version holds; --lf and -x after that leave checks out, and never promote."""
    deployment.version = "0.9.0"
    # Stopped before the endpoint is asked: what a busy machine makes of its latency is no known failure.
    stopped = project.run("-m", "immediate", "-x")
    assert (stopped.code, stopped.verdict["verdict"]) == (10, "hold"), stopped.told
    assert stopped.verdict["never_ran"] == [ITEMS]
    deployment.version = "1.0.0"
    again = project.run("-m", "immediate", "--lf")
    assert again.code == 10, again.told
    assert again.outcomes[VERSION] == "passed"
    assert ITEMS in again.verdict["never_ran"]


@pytest.mark.parametrize("selection", [["-k", "health"], ["--deselect", "::x", "-k", "not latency"]])
def test_a_selection_cannot_make_the_plan_smaller(project: Project, selection: list[str]) -> None:
    """What was planned and left out is named, and holds."""
    ran = project.run("-m", "immediate", *selection)
    assert ran.code == 10, ran.told
    assert ran.verdict["never_ran"] == [ITEMS]
    assert f"{ITEMS}: never ran" in ran.verdict["reasons"]


def test_the_time_budget_is_kept_and_named(project: Project, deployment: Deployment) -> None:
    """What has not begun when the stage's time is over never runs; the verdict holds and says why, once."""
    project.write("rampgate.toml", SETTINGS.format(api=deployment.url) + "budget = '0.001s'\n")
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    assert len(ran.verdict["never_ran"]) == 3
    assert ran.verdict["notes"] == ["the stage's time of 0.001 s was used up"]
    assert deployment.asked == []


def test_what_is_required_and_not_configured_holds(project: Project, deployment: Deployment) -> None:
    """The stage asks for a database that nobody configured."""
    project.write("rampgate.toml", SETTINGS.format(api=deployment.url) + "require = ['mongodb']\n")
    ran = project.run("-m", "immediate")
    assert ran.code == 10, ran.told
    assert ran.verdict["reason"] == "mongodb: required, and not configured"


def test_invocations_join_one_run(project: Project, deployment: Deployment) -> None:
    """RAMPGATE_RUN makes one verdict of two invocations; the second measures for itself, and decides."""
    first = project.run("-m", "immediate", RAMPGATE_RUN="release-7")
    assert first.code == 0, first.told
    deployment.items = []
    second = project.run("-m", "immediate", RAMPGATE_RUN="release-7")
    assert second.code == 20, second.told
    selected = project.run("-m", "immediate", "-k", "health", "-n", "2", RAMPGATE_RUN="release-7")
    assert selected.code == 10, selected.told
    assert selected.verdict["never_ran"] == [ITEMS]
    records, _ = journal.read(project.folder / "reports" / "release-7")
    assert len([record for record in records if record["type"] == "header"]) == 3
    assert selected.verdict["run"] == "release-7"


def test_a_run_is_about_one_deployment(project: Project, deployment: Deployment) -> None:
    """Another target may not join; nothing is asked of it, and the run holds from then on."""
    first = project.run("-m", "immediate", RAMPGATE_RUN="release-7")
    assert first.code == 0, first.told
    project.write("rampgate.toml", SETTINGS.format(api=closed_address()))
    second = project.run("-m", "immediate", RAMPGATE_RUN="release-7")
    assert second.code == 4, second.told
    assert f"run release-7 is about test, 1.0.0, no percentage at {deployment.url}; found test" in second.told
    assert second.verdict["verdict"] == "hold"
    assert second.verdict["reason"].startswith(
        "immediate: was not started: RAMPGATE_RUN: run release-7 is about"
    )
