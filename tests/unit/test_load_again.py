from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.load_runs import Running, outcomes, settings

from rampgate.errors import RefusedError
from rampgate.evidence import journal, session
from rampgate.evidence.run import FALSE_FAIL_PER_RUN
from rampgate.judging.next_steps import next_command
from rampgate.judging.repeat import set_aside
from rampgate.judging.verdict import decide, dumps
from rampgate.load import run as load
from rampgate.model.metrics import Kind
from rampgate.model.redact import Redactor
from rampgate.outcome import Decision, Outcome
from rampgate.report import html
from rampgate.report import load as report_load

if TYPE_CHECKING:
    from pathlib import Path

HEALTHY: dict[str, Any] = {"n": 40}


def starved(folder: Path, load: dict[str, Any] | None = None, **told: Any) -> Running:
    """A run at the end of its ramp, whose generator waited a third of the time for a processor."""
    running = Running(settings(folder, load, **told))
    running.go_on(46, wait=1 / 3, **HEALTHY)
    return running


def test_a_starved_run_is_repeated_once_and_the_second_attempt_decides(tmp_path: Path) -> None:
    """The first attempt blames nobody and holds; the second, on a calm generator, promotes; both are kept."""
    running = starved(tmp_path)
    first = running.end(once_more=True)
    assert (first.decision, outcomes(first)["generator"]) == (Decision.HOLD, Outcome.UNDECIDED)
    assert running.run.repeat == "the generator waited 33 % of the time for a processor; repeated once"
    running.again()
    running.go_on(46, **HEALTHY)
    second = running.end(once_more=True)
    assert (second.decision, second.reasons) == (Decision.PROMOTE, ())
    assert running.run.repeat == ""
    assert any("33 % of the time for a processor; repeated once" in note for note in second.notes)
    assert len(list(running.folder.glob("journal-load-*.jsonl"))) == 2
    files = sorted(running.folder.glob("load-*.bin"))
    assert len(files) == 2
    assert all(file.stat().st_size > 1_000 for file in files), "the raw times of both attempts are kept"
    assert dumps(decide(*journal.read(running.folder))) == dumps(second)


def test_a_repeat_that_is_starved_too_is_the_last(tmp_path: Path) -> None:
    """Two attempts at most; the second one's being starved holds like any."""
    running = starved(tmp_path)
    running.end(once_more=True)
    running.again()
    running.go_on(46, wait=0.5, **HEALTHY)
    decided = running.end(once_more=True)
    assert running.run.repeat == ""
    assert (decided.decision, outcomes(decided)["generator"]) == (Decision.HOLD, Outcome.UNDECIDED)
    assert next_command(decided).startswith("rampgate load on a quieter machine, with --processes -1")


def test_a_repeat_that_fails_is_what_counts(tmp_path: Path) -> None:
    """The second attempt shows a broken target: it is rolled back."""
    running = starved(tmp_path)
    running.end(once_more=True)
    running.again()
    running.go_on(46, n=40, failing=20)
    assert running.end(once_more=True).decision is Decision.ROLLBACK


@pytest.mark.parametrize(
    ("going", "decision"),
    [
        ({"n": 40, "failing": 30}, Decision.ROLLBACK),
        ({"n": 40, "failing": 2}, Decision.HOLD),
        ({"n": 1}, Decision.HOLD),
        ({"n": 40, "ms": 6_000.0}, Decision.HOLD),
    ],
    ids=["critical failure", "failed warning", "too few requests", "ended by its watches"],
)
def test_what_a_starved_run_says_of_the_target_is_not_washed_away(
    tmp_path: Path, going: dict[str, Any], decision: Decision
) -> None:
    """Starved, and failed, undecided for another reason, or stopped early as well: no second chance."""
    running = Running(settings(tmp_path))
    running.go_on(46, wait=0.5, **going)
    decided = running.end(once_more=True)
    assert (running.run.repeat, decided.decision) == ("", decision)
    assert not any("repeated" in note for note in decided.notes)


def test_a_failed_first_attempt_counts_whatever_the_journal_claims(tmp_path: Path) -> None:
    """A journal that says a failed attempt was repeated is judged with all of it."""
    running = Running(settings(tmp_path, {"abort": "off"}))
    running.go_on(46, wait=0.5, n=40, failing=30)
    running.end()
    records = list(running.records)
    (process,) = {record["process"] for record in records}
    claim = {"type": "repeat", "time": records[-1]["time"], "process": "x", "sequence": 1, "of": process}
    assert set_aside([*records, claim]) == frozenset()
    assert decide([*records, claim]).decision is Decision.ROLLBACK


def test_a_run_that_was_not_asked_for_twice_is_not_repeated(tmp_path: Path) -> None:
    """From the web page, by the settings, interrupted, or calm: one attempt."""
    running = starved(tmp_path / "web")
    running.end()
    assert running.run.repeat == ""
    running = starved(tmp_path / "off", {"repeat_starved": False})
    running.end(once_more=True)
    assert running.run.repeat == ""
    running = Running(settings(tmp_path / "interrupted"))
    running.go_on(40, wait=0.5, **HEALTHY)
    running.end(once_more=True)
    assert running.run.repeat == ""
    running = Running(settings(tmp_path / "calm"))
    running.go_on(46, **HEALTHY)
    assert (running.end(once_more=True).decision, running.run.repeat) == (Decision.PROMOTE, "")


@pytest.mark.parametrize("budget", ["120s", "125s"])
def test_a_repeat_fits_into_the_time_budget(tmp_path: Path, budget: str) -> None:
    """46 s are gone, and a repeat takes 45 s of ramp and up to 30 s for the last answers."""
    running = starved(tmp_path, stages={"load": {"budget": budget}})
    decided = running.end(once_more=True)
    if budget == "125s":
        assert running.run.repeat
        return
    assert running.run.repeat == ""
    assert any(
        note.endswith("not repeated: that takes 75 s, and the time budget has 74 s left")
        for note in decided.notes
    )


def test_nobody_else_measures_the_target_between_the_attempts(tmp_path: Path) -> None:
    """The lock stays taken until the second attempt ends, and is free afterwards."""
    running = starved(tmp_path)
    running.end(once_more=True)
    with pytest.raises(RefusedError, match="being measured by"):
        load.LoadRun(running.setup, environ={})
    running.again()
    with pytest.raises(RefusedError, match="being measured by"):
        load.LoadRun(running.setup, environ={})
    running.go_on(46, **HEALTHY)
    running.end(once_more=True)
    with session.measuring(running.setup.settings, "another", wait=False, say=print, environ={}):
        pass


def test_both_attempts_together_keep_the_budget_of_false_failures(tmp_path: Path) -> None:
    """The first attempt could fail by its failures alone; the second has what that leaves."""
    setup = load.prepare(settings(tmp_path), Redactor())
    running = starved(tmp_path)
    running.end(once_more=True)
    running.again()
    second = running.run.setup
    kinds = [setup.policy.metrics[rule.threshold.metric].kind for rule in setup.policy.rules]
    spent = setup.tests * kinds.count(Kind.RATE) / len(kinds) * setup.alpha_fail
    aborts = second.abort_tests * second.alpha_abort
    assert spent + setup.tests * second.alpha_fail + aborts <= FALSE_FAIL_PER_RUN * (1 + 1e-9)
    running.go_on(46, **HEALTHY)
    running.end()


def test_the_report_shows_the_first_attempt_as_starved(tmp_path: Path) -> None:
    """Its numbers stand in a table and among the facts of their own, and decide nothing."""
    running = starved(tmp_path)
    running.end(once_more=True)
    running.again()
    running.go_on(46, ms=30.0, **HEALTHY)
    decided = running.end()
    section = report_load.section(decided, running.records)
    assert section is not None
    tables = {table.title: table for table in section.tables}
    first = tables["First attempt, starved: decides nothing"]
    assert {row.outcome for row in first.rows} == {"repeated"}
    assert {row.outcome for row in tables["Judged"].rows} == {"passed"}
    assert {row.median for row in tables["Judged"].rows} == {"30 ms"}
    assert {row.median for row in first.rows} == {"20 ms"}
    waits = [fact.outcome for fact in section.facts if fact.check == "generator"]
    assert sorted(waits) == ["repeated", "shown"]
    assert "starved, repeated" in html.dumps(decided)


def test_an_interrupted_repeat_holds(tmp_path: Path) -> None:
    """Whoever stops the second attempt has no verdict of the first to fall back on."""
    running = starved(tmp_path)
    running.end(once_more=True)
    running.again()
    running.go_on(20, **HEALTHY)
    decided = running.end()
    assert (decided.decision, decided.complete) == (Decision.HOLD, False)
    assert next_command(decided) == "rampgate load"
