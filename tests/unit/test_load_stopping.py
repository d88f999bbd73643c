from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.load_runs import Running, outcomes, settings

from rampgate.judging.verdict import decide, dumps
from rampgate.load.plan import prepare
from rampgate.model.redact import Redactor
from rampgate.outcome import Decision, Outcome
from rampgate.report import sentences

if TYPE_CHECKING:
    from pathlib import Path

UNDECIDED, PASSED, FAILED, SKIPPED = Outcome.UNDECIDED, Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED


def test_the_watches_are_those_of_the_thresholds(tmp_path: Path) -> None:
    """One for each threshold of chance that may abort, nested ones with one share of the budget."""
    told = settings(
        tmp_path,
        load={
            "thresholds": {
                "http_req_failed": ["rate<0.02", {"expect": "rate<0.01", "abort": False}],
                "http_req_duration": ["p(95)<1000", {"expect": "p(50)<500", "where": {"endpoint": "one"}}],
            }
        },
    )
    running = Running(told)
    assert set(running.run.evidence) == {
        "critical: rate>0.05",
        "critical: p(95)>5000",
        "http_req_failed: rate<0.02",
        "http_req_duration: p(95)<1000",
    }
    assert {watch.limit for watch in running.run.evidence.values()} == {0.02, 0.05}
    assert (running.setup.tests, running.setup.abort_tests) == (6 * 7, 2)


def test_failures_above_the_warning_stop_the_run_and_hold(tmp_path: Path) -> None:
    """Ten in a hundred fail from second 15 on: the run ends early and holds, and says why and when."""
    running = Running(
        settings(tmp_path, load={"thresholds": {"http_req_failed": ["rate<0.02"]}, "plateau": 300})
    )
    running.go_on(15, n=50)
    running.go_on(300, n=50, failing=2)
    assert running.run.ending
    assert running.run.check_over()
    second = running.run.evidence["http_req_failed: rate<0.02"].fired_at
    assert second is not None
    assert 15 < second < 150
    decided = running.end()
    found = outcomes(decided)
    assert (decided.decision, found["abort"]) == (Decision.HOLD, FAILED)
    assert decided.reasons[0].startswith("load/abort: http_req_failed: rate<0.02 was broken")
    assert f"second {second} of the run showed it" in decided.reasons[0]
    assert any(note.startswith("stopped after") for note in decided.notes)
    assert dumps(decide(running.records)) == dumps(decided)


def test_failures_above_the_critical_limit_roll_back(tmp_path: Path) -> None:
    """Half of all requests fail: stopped within seconds, rolled back."""
    running = Running(settings(tmp_path, load={"thresholds": {}, "plateau": 300}))
    running.go_on(15)
    running.go_on(300, failing=10)
    assert running.run.elapsed < 40
    decided = running.end()
    assert (decided.decision, outcomes(decided)["abort"]) == (Decision.ROLLBACK, FAILED)
    assert decided.reasons[0].startswith("one answered HTTP 500 to ")


def test_a_target_that_dies_is_rolled_back(tmp_path: Path) -> None:
    """After minutes of calm everything fails: the whole run still keeps its limits, and the abort tells."""
    running = Running(settings(tmp_path, load={"plateau": 600}))
    running.go_on(400)
    running.go_on(600, failing=20)
    assert running.run.elapsed < 415
    decided = running.end()
    assert (decided.decision, outcomes(decided)["whole run"]) == (Decision.ROLLBACK, PASSED)
    assert decided.reasons[0].startswith("load/abort: critical: ")
    (note,) = (note for note in decided.notes if note.startswith("stopped after"))
    assert "critical: " in note


def test_whoever_reads_the_report_is_told_of_both_kinds_of_tests(tmp_path: Path) -> None:
    """The sentence on chance counts what ends a run early too; a journal without them stays readable."""
    for abort, tests in (("on", 28 + 2), ("off", 28)):
        running = Running(settings(tmp_path, load={"abort": abort}))
        running.go_on(46)
        assert f"once in 1,000 runs ({tests} tests share that)" in sentences.chance(running.end())


def test_slow_answers_stop_the_run(tmp_path: Path) -> None:
    """Every answer takes exactly the limit, which p(95)<1000 does not allow: the latency's watch fires."""
    running = Running(settings(tmp_path, load={"plateau": 300}))
    running.go_on(15, ms=999.999999)
    assert not running.run.ending
    running.go_on(300, ms=1000.0)
    fired = [name for name, watch in running.run.evidence.items() if watch.fired_at is not None]
    assert fired == ["http_req_duration: p(95)<1000"]
    assert running.end().decision is Decision.HOLD


def test_a_run_that_stops_before_its_plateau_holds_for_its_cause_first(tmp_path: Path) -> None:
    """What was not measured because of the stop is skipped, not blamed, and cannot pass."""
    running = Running(settings(tmp_path, load={"ramp_up": 100}))
    running.go_on(60, failing=1)
    decided = running.end()
    found = outcomes(decided)
    assert (found["abort"], found["plateau[one]"], found["plateau[two]"]) == (FAILED, SKIPPED, SKIPPED)
    first = decided.findings[0]
    assert first.reason.startswith("load/abort: ")
    assert {"load/plateau[one]", "load/plateau[two]"} <= {result.check for result in first.consequences}
    assert decided.decision is Decision.HOLD


def test_report_only_reports(tmp_path: Path) -> None:
    """Reporting only, the run goes on to its end, and the journal says what would have been."""
    running = Running(settings(tmp_path, load={"abort": "report"}))
    running.go_on(20)
    running.go_on(35, failing=6)
    running.go_on(46)
    assert running.run.elapsed == 46
    decided = running.end()
    (check,) = (result for result in decided.checks if result.check == "load/abort")
    assert (check.outcome, check.judgements) == (PASSED, ())
    notes = {seen.labels["threshold"]: seen.note for seen in check.shown}
    assert "would have stopped the run" in notes["http_req_failed: rate<0.02"]
    assert all(note.startswith("reported only") for note in notes.values())


def test_off_is_not_planned(tmp_path: Path) -> None:
    """Aborting off: no check, no watch, and the whole budget for the cells."""
    told = settings(tmp_path, load={"abort": "off"})
    setup = prepare(told, Redactor())
    assert "load/abort" not in [planned.check for planned in setup.plan.checks]
    running = Running(told)
    running.go_on(46, failing=10)
    assert running.run.elapsed == 46
    assert running.run.evidence == {}
    assert setup.tests == 28


def test_a_healthy_run_is_not_stopped(tmp_path: Path) -> None:
    """One failure in a hundred, in bunches, is below the limit: the run ends as planned and passes there."""
    running = Running(settings(tmp_path, load={"plateau": 120}))
    for second in range(1, 137):
        running.go_on(second, n=100, failing=5 if second % 10 == 0 else 0)
    decided = running.end()
    assert outcomes(decided)["abort"] is PASSED
    assert decided.decision is Decision.PROMOTE


def test_whoever_stops_a_run_without_evidence_has_interrupted_it(tmp_path: Path) -> None:
    """Ending a good run early is no way to a pass."""
    running = Running(settings(tmp_path))
    running.go_on(20, n=60)
    running.run.stop_early("somebody asked for it")
    decided = running.end()
    assert decided.decision is Decision.HOLD
    assert any("interrupted" in reason for reason in decided.reasons)
    assert any("somebody asked for it" in note for note in decided.notes)


@pytest.mark.parametrize("wait", [0.0, 0.5])
def test_an_abort_of_a_starved_generator_blames_nobody(tmp_path: Path, wait: float) -> None:
    """The same slow answers: with a calm generator the abort fails, with a starved one it is undecided."""
    running = Running(settings(tmp_path, load={"plateau": 300}))
    running.go_on(15)
    running.go_on(300, ms=6_000.0, wait=wait)
    assert running.run.ending
    decided = running.end()
    assert outcomes(decided)["abort"] is (UNDECIDED if wait else FAILED)
    assert decided.decision is (Decision.HOLD if wait else Decision.ROLLBACK)
