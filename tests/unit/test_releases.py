"""Releases that are judged by the runs of several stages."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.unit.fakes import FakeClock
from tests.unit.test_invocations import RELEASE, Written, whole

from rampgate.cli import main
from rampgate.errors import EvidenceError
from rampgate.evidence.journal import Journal
from rampgate.evidence.releases import judge_current
from rampgate.model.redact import Redactor
from rampgate.rollout.records import Rollout
from rampgate.rollout.state import RolloutState
from rampgate.rollout.transitions import Status

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.judging.release import ReleaseVerdict

HOUR = 3600.0
NEEDED = ("predeploy", "immediate", "load")


class Reports:
    """A folder of runs; ``clock`` says when the next one begins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock(1_000_000.0)

    def run(self, run: str, stage: str, value: float = 1.0, **more: Any) -> None:
        """A whole run of one stage."""
        (self.folder / run).mkdir()
        written = Written(self.folder / run)
        written.clock = self.clock
        whole(written, f"main-{run}", value, stage=stage, **more)

    def refused(self, run: str, stage: str) -> None:
        """A start that was refused."""
        (self.folder / run).mkdir()
        self.clock.time += 1
        book = Journal(self.folder / run, "refused", Redactor(), self.clock)
        book.write("refused", stage=stage, text="wrong settings")

    def judged(self, after: float = 60.0, **options: Any) -> ReleaseVerdict:
        """What it comes to so many seconds later."""
        return judge_current(self.folder, NEEDED, self.clock.time + after, **options)


@pytest.fixture
def reports(tmp_path: Path) -> Reports:
    """Three stages of one release that were promoted."""
    made = Reports(tmp_path)
    made.run("a", "predeploy", release={**RELEASE, "percentage": 0})
    for run, stage in (("b", "immediate"), ("c", "load")):
        made.clock.time += HOUR / 4
        made.run(run, stage)
    return made


def reasons(verdict: ReleaseVerdict) -> dict[str, str]:
    """Why each stage that holds does."""
    return {each.stage: each.reason for each in verdict.stages if each.decision.value != "promote"}


def test_stages_that_were_promoted_promote_the_release(reports: Reports) -> None:
    """Predeploy of the version, at another percentage, is one of them; the command exits with 0."""
    verdict = reports.judged()
    assert (verdict.decision.value, reasons(verdict)) == ("promote", {})
    assert verdict.release == RELEASE
    assert [each.run for each in verdict.stages] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("percentage", "later", "says"),
    [
        (25.0, -HOUR, ""),
        (25.0, -60.0, "begun before the last change of version or percentage"),
        (50.0, -60.0, "no run of it"),
    ],
)
def test_what_a_rollout_has_brought_into_force_is_the_release(
    reports: Reports, percentage: float, later: float, says: str
) -> None:
    """A change that no run has seen yet makes what was promoted before it count for nothing."""
    changed = reports.clock.time + 60.0 + later
    rollout = Rollout(("a",), "2", Status.RUNNING, percentage, changed, "ada", changed)
    with RolloutState(reports.folder / "rollout" / "x.sqlite") as state, state.transaction():
        state.write(replace(rollout, environment="production"))
    assert reasons(reports.judged()) == (dict.fromkeys(("immediate", "load"), says) if says else {})


def test_a_stage_that_did_not_run_holds(reports: Reports) -> None:
    """At this percentage: that of the one before does not count."""
    reports.run("d", "immediate", release={**RELEASE, "percentage": 50})
    verdict = reports.judged()
    assert verdict.release["percentage"] == 50
    assert reasons(verdict) == {"load": "no run of it"}


def test_the_newest_run_of_a_stage_decides(reports: Reports) -> None:
    """A rollback after a promotion rolls the release back."""
    reports.run("d", "immediate", 0.0)
    assert reports.judged().decision.value == "rollback"


@pytest.mark.parametrize("after", [60.0, 0.9 * HOUR])
def test_a_clock_that_was_set_back_lets_no_older_run_decide(reports: Reports, after: float) -> None:
    """Neither while the older one is in the future nor afterwards."""
    reports.clock.time -= HOUR / 8
    reports.run("d", "load", 0.0)
    assert reports.judged(after).decision.value == "rollback"


@pytest.mark.parametrize("left", ["torn", "empty", "none"])
def test_a_newer_run_that_cannot_be_read_holds(reports: Reports, left: str) -> None:
    """A full disk, a power cut, a journal that was taken away: no older promotion stands in for it."""
    reports.run("d", "load", 0.0)
    (reports.folder / "latest").symlink_to("d")
    (path,) = (reports.folder / "d").glob("journal-*.jsonl")
    if left == "none":
        path.unlink()
    else:
        os.truncate(path, 200 if left == "torn" else 0)
    assert set(reasons(reports.judged())) == set(NEEDED)
    assert "d" in {each.run for each in reports.judged().stages}


def test_a_newer_run_that_was_moved_decides(
    reports: Reports, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A link in its place, to where there is more room."""
    reports.run("d", "load", 0.0)
    away = tmp_path_factory.mktemp("disk") / "d"
    (reports.folder / "d").rename(away)
    (reports.folder / "d").symlink_to(away)
    assert reports.judged().decision.value == "rollback"


def test_a_run_before_the_last_change_does_not_count(reports: Reports) -> None:
    """The percentage went up and came back: what was measured before says nothing of now."""
    reports.run("d", "immediate", release={**RELEASE, "percentage": 50})
    reports.run("e", "immediate")
    assert reasons(reports.judged()) == {"load": "begun before the last change of version or percentage"}


@pytest.mark.parametrize(
    ("after", "held"),
    [(0.9 * HOUR, set()), (1.1 * HOUR, {"load"}), (4.1 * HOUR, {"immediate", "load"})],
)
def test_old_runs_do_not_count(reports: Reports, after: float, held: set[str]) -> None:
    """An hour for the newest stage, four for the others; predeploy does not age from then on."""
    assert set(reasons(reports.judged(after))) == held


def test_an_age_without_a_limit_holds_nothing(reports: Reports) -> None:
    """A rollout asks for what began after its last change, however long ago that ended."""
    verdict = judge_current(
        reports.folder, ["immediate", "load"], reports.clock.time + 100 * HOUR, max_age=math.inf
    )
    assert (verdict.decision.value, reasons(verdict)) == ("promote", {})


def test_predeploy_must_be_of_the_day_before_the_first_change(tmp_path: Path) -> None:
    """A day and an hour before it is too early."""
    made = Reports(tmp_path)
    made.run("a", "predeploy")
    made.clock.time += 25 * HOUR
    made.run("b", "immediate")
    made.run("c", "load")
    assert set(reasons(made.judged())) == {"predeploy"}


def test_a_rehearsal_counts_under_a_demo_alone(reports: Reports) -> None:
    """A compressed ramp was promoted: it is evidence of nothing at full length."""
    reports.run("d", "load", rehearsal=True)
    assert reasons(reports.judged()) == {"load": "a rehearsal: it decides nothing"}
    assert reports.judged(rehearsals=True).decision.value == "promote"


def test_a_refused_start_holds_its_stage(reports: Reports) -> None:
    """The promotion before it is not taken in its place."""
    reports.refused("d", "load")
    assert reasons(reports.judged()) == {"load": "was not started: wrong settings"}


def test_another_environments_runs_do_not_count(reports: Reports) -> None:
    """Staging is newest, production is asked for; what is not there is an error."""
    reports.run("d", "immediate", release={**RELEASE, "environment": "staging"})
    assert set(reasons(reports.judged())) == {"predeploy", "load"}
    assert reports.judged(environment="production").decision.value == "promote"
    with pytest.raises(EvidenceError, match="no run of live there"):
        reports.judged(environment="live")


def test_the_load_of_a_stage_is_not_the_load_of_the_release(tmp_path: Path) -> None:
    """What predeploy loaded before the deploy is no evidence after it, and no change of percentage."""
    made = Reports(tmp_path)
    made.run("a", "predeploy")
    made.run("b", "load", within="predeploy")
    made.run("c", "immediate")
    assert reasons(made.judged()) == {"load": "no run of it"}


def test_a_stage_that_joins_does_not_make_an_older_one_young(reports: Reports) -> None:
    """The age is counted from the end of the stage's own invocation."""
    reports.clock.time += 5 * HOUR
    written = Written(reports.folder / "b")
    written.clock = reports.clock
    whole(written, "late", 1.0, stage="load")
    assert set(reasons(reports.judged())) == {"immediate"}


def test_a_later_predeploy_that_did_not_pass_holds(reports: Reports) -> None:
    """Whoever asks once more hears the answer, though users have the version already."""
    reports.run("d", "predeploy", 0.0)
    assert set(reasons(reports.judged())) == {"predeploy"}


def test_a_predeploy_that_a_later_one_in_its_run_took_the_place_of_holds(tmp_path: Path) -> None:
    """The one before the change is not judged any more, and the later one came after it."""
    made = Reports(tmp_path)
    made.run("a", "predeploy")
    made.run("b", "immediate")
    made.run("c", "load")
    written = Written(made.folder / "a")
    written.clock = made.clock
    whole(written, "later", 1.0, stage="predeploy")
    assert reasons(made.judged()) == {"predeploy": "superseded by a later one in the same run"}


@pytest.mark.parametrize("unknown", ["version", "percentage"])
def test_a_release_that_is_not_known_holds(tmp_path: Path, unknown: str) -> None:
    """Without a version, or a percentage, any run there ever was would be one of it."""
    made = Reports(tmp_path)
    for run, stage in (("a", "predeploy"), ("b", "immediate"), ("c", "load")):
        made.run(run, stage, release={**RELEASE, unknown: None})
    assert set(reasons(made.judged())) == {"predeploy", "immediate", "load"}
    assert reasons(made.judged())["load"] == f"{unknown} unknown: nothing says which release it was"


def test_another_target_is_another_deployment(reports: Reports) -> None:
    """The same release at another address says nothing of this one."""
    reports.run("d", "load", target={"api": "http://b"})
    assert set(reasons(reports.judged())) == {"predeploy", "immediate"}


def test_each_step_of_a_deploy_is_required(tmp_path: Path) -> None:
    """Of the steps that have settings, the newest run of each decides."""
    made = Reports(tmp_path)
    settings: dict[str, Any] = {
        "deploy": {"backend": {}, "frontend": {"flags": {}}, "advanced": {"flags": {}}, "monitoring": None}
    }
    made.run("a", "deploy", 0.0, steps=["frontend"], settings=settings)
    made.run("b", "deploy", steps=["advanced"], settings=settings)
    found = judge_current(made.folder, ["deploy"], made.clock.time + 1)
    said = {each.stage: each.decision.value for each in found.stages}
    assert said == {"deploy frontend": "rollback", "deploy advanced": "promote"}


def test_the_command_says_each_stage_and_exits_with_the_verdict(reports: Reports) -> None:
    """These runs are of 1970: too old, so that it holds; what is asked wrongly is an error of usage."""
    asked = ["verdict", "--reports", str(reports.folder), "--release", "current", "--require"]
    shown = CliRunner().invoke(main, [*asked, "immediate,load"])
    assert shown.exit_code == 10, shown.output
    assert "load  HOLD  c  ended" in shown.output
    assert shown.output.splitlines()[-1] == "HOLD  production 2 at 25 %: immediate, load"
    wrong = CliRunner().invoke(main, [*asked, "immediat", "--max-age", "3"])
    assert wrong.exit_code == 2
    assert "--require: found 'immediat'; accepted are predeploy" in wrong.output
    assert "--max-age: found the duration '3'" in wrong.output


def watched(reports: Reports, run: str, *moved: float, **more: Any) -> None:
    """A watch from its header to its end, during which the percentage went to others."""
    (reports.folder / run).mkdir()
    written = Written(reports.folder / run)
    written.clock = reports.clock
    book = written.begin("watch-1", stage="watch", **more)
    written.check(book, 1.0)
    for percentage in moved:
        reports.clock.time += 60
        book.write("moved", release={**RELEASE, "percentage": percentage})
    book.write("end", status=0)


def test_a_watch_can_be_required(reports: Reports) -> None:
    """As a stage: missing, a rehearsal, or of another percentage it holds; whole it promotes."""

    def judge() -> ReleaseVerdict:
        return judge_current(reports.folder, (*NEEDED, "watch"), reports.clock.time + 60)

    assert reasons(judge()) == {"watch": "no run of it"}
    watched(reports, "e", rehearsal=True)
    assert "a rehearsal" in reasons(judge())["watch"]
    watched(reports, "f")
    assert (judge().decision.value, judge().stages[-1].run) == ("promote", "f")


def test_a_watch_that_saw_another_percentage_counts_for_no_release(reports: Reports) -> None:
    """It is about both, and what it saw is the last change: what was measured before it is too old."""
    watched(reports, "e", 50.0)
    verdict = judge_current(reports.folder, ("immediate", "watch"), reports.clock.time + 60)
    assert verdict.release["percentage"] == 50.0
    assert reasons(verdict) == {
        "immediate": "no run of it",
        "watch": "the percentage or the version changed while it watched: it counts for no release",
    }
    watched(reports, "f", 50.0, 25.0)
    verdict = judge_current(reports.folder, ("immediate", "watch"), reports.clock.time + 60)
    assert set(reasons(verdict)) == {"immediate", "watch"}


def test_a_watch_of_the_percentage_before_that_goes_on_changes_nothing(tmp_path: Path) -> None:
    """Its settings name the old percentage: that it still writes is no change."""
    reports = Reports(tmp_path)
    early = Written(tmp_path / "e")
    early.folder.mkdir()
    early.clock = reports.clock
    book = early.begin("watch-1", stage="watch", release={**RELEASE, "percentage": 5})
    reports.run("f", "immediate")
    book.write("reading", readings={})
    verdict = judge_current(tmp_path, ("immediate",), reports.clock.time + 60)
    assert reasons(verdict) == {}
