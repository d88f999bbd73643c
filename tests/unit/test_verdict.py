from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import report_runs
from tests.unit.report_runs import Story, mixed, promoted

from rampgate.evidence import journal
from rampgate.judging.next_steps import next_command
from rampgate.judging.verdict import decide, dumps, to_json
from rampgate.model.measurement import Measurement
from rampgate.outcome import Decision, Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rampgate.judging.results import Verdict

    Record = dict[str, Any]

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
UP, DOWN = Measurement("up", n=1, value=1.0), Measurement("up", n=1, value=0.0)
BLIND = Measurement("up", note="saw nothing")
BROKEN = Measurement("up", n=1, value=float("nan"))
A, B = "immediate/x::a", "immediate/x::b"


def judged(folder: Path) -> Verdict:
    """The verdict of what is in the folder."""
    return decide(*journal.read(folder))


def passed(story: Story, check: str) -> None:
    """The check measured and passed."""
    story.judged(check, UP, "up == 1")
    story.ended(check, None)


@pytest.mark.parametrize(
    ("seen", "severity", "decision", "outcome"),
    [
        (UP, WARNING, "promote", "passed"),
        (UP, CRITICAL, "promote", "passed"),
        (DOWN, WARNING, "hold", "failed"),
        (DOWN, CRITICAL, "rollback", "failed"),
        (BLIND, WARNING, "hold", "undecided"),
        (BLIND, CRITICAL, "hold", "undecided"),
        (BROKEN, WARNING, "hold", "error"),
        (BROKEN, CRITICAL, "hold", "error"),
    ],
)
@pytest.mark.parametrize("required", [True, False])
def test_a_judgement_decides(
    tmp_path: Path, seen: Measurement, severity: Severity, decision: str, outcome: str, *, required: bool
) -> None:
    """Only a critical failure rolls back, only a pass promotes; what may be skipped may not fail."""
    story = Story(tmp_path, [A] if required else [B], optional=[] if required else [A])
    if not required:
        passed(story, B)
    story.judged(A, seen, "up == 1", severity=severity)
    story.ended(A, None)
    story.end()
    verdict = judged(tmp_path)
    (result,) = [result for result in verdict.checks if result.check == A]
    assert (verdict.decision.value, str(result.outcome)) == (decision, outcome)
    assert bool(verdict.reasons) is (decision != "promote")
    assert all(reason.startswith(f"{A}: ") for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("own", "severity", "required", "decision"),
    [
        ("passed", "critical", True, "promote"),
        ("failed", "warning", True, "hold"),
        ("failed", "critical", True, "rollback"),
        ("failed", "critical", False, "rollback"),
        ("error", "critical", True, "hold"),
        ("error", "warning", False, "hold"),
        ("skipped", "critical", True, "hold"),
        ("skipped", "warning", False, "promote"),
    ],
)
def test_how_a_check_ended_by_itself_decides(
    tmp_path: Path, own: str, severity: str, decision: str, *, required: bool
) -> None:
    """A user's own check counts like ours, with the weight that it was given."""
    story = Story(tmp_path, [A, B] if required else [B], optional=[] if required else [A])
    passed(story, B)
    story.ended(A, own, "assert 1 == 2", severity=severity)
    story.end()
    verdict = judged(tmp_path)
    assert verdict.decision.value == decision
    assert verdict.reasons == (() if decision == "promote" else (f"{A}: assert 1 == 2",))


def test_a_critical_failure_of_its_own_is_not_hidden_by_a_failed_warning(tmp_path: Path) -> None:
    """A critical check that fails outright rolls back, although a threshold that only holds failed before."""
    story = Story(tmp_path, [A])
    story.judged(A, DOWN, "up == 1")
    story.ended(A, "failed", "assert", severity="critical")
    story.end()
    assert judged(tmp_path).decision is Decision.ROLLBACK


def test_a_failed_warning_of_a_critical_check_holds(tmp_path: Path) -> None:
    """A judgement weighs what its threshold weighs, not what the check would."""
    story = Story(tmp_path, [A])
    story.judged(A, DOWN, "up == 1")
    story.ended(A, None, severity="critical")
    story.end()
    assert judged(tmp_path).decision is Decision.HOLD


def test_a_skipped_check_outside_the_plan_holds(tmp_path: Path) -> None:
    """A check that no plan names is required: it was begun, and it is not known why it may be skipped."""
    story = Story(tmp_path, [B])
    passed(story, B)
    story.ended(A, "skipped", "not today")
    story.end()
    assert judged(tmp_path).decision is Decision.HOLD


def test_a_planned_check_is_required_unless_its_plan_says_otherwise(tmp_path: Path) -> None:
    """An entry of a plan that says nothing of it is not taken for one that may be skipped."""
    story = Story(tmp_path, [A, B])
    passed(story, B)
    story.ended(A, "skipped", "not today")
    story.end()
    records, _ = journal.read(tmp_path)
    for entry in records[0]["plan"]:
        del entry["required"]
    assert decide(records).decision is Decision.HOLD


@pytest.mark.parametrize(
    ("seen", "severity", "decision", "outcome"),
    [(DOWN, CRITICAL, "rollback", "failed"), (DOWN, WARNING, "hold", "failed"), (UP, CRITICAL, "hold", None)],
)
def test_what_a_check_saw_before_it_was_cut_short_counts(
    tmp_path: Path, seen: Measurement, severity: Severity, decision: str, outcome: str | None
) -> None:
    """A failure is a failure though the check never came to its end; what passed until then is no pass."""
    story = Story(tmp_path, [A])
    story.judged(A, seen, "up == 1", severity=severity)
    story.end()
    verdict = judged(tmp_path)
    (result,) = verdict.checks
    found = result.outcome.value if result.outcome else None
    assert (verdict.decision.value, found) == (decision, outcome)


def test_an_end_without_a_status_is_an_internal_error(tmp_path: Path) -> None:
    """Who ended without saying how did not do its work."""
    story = Story(tmp_path, [A])
    passed(story, A)
    story.end()
    records, _ = journal.read(tmp_path)
    del records[-1]["status"]
    assert decide(records).reasons == ("immediate: an internal error",)


@pytest.mark.parametrize(("optional", "decision"), [([], "hold"), ([A], "promote")])
def test_what_never_ran_holds_when_it_is_required(tmp_path: Path, optional: list[str], decision: str) -> None:
    """A check that nobody ran is no check that passed."""
    story = Story(tmp_path, [B] if optional else [A, B], optional=optional)
    passed(story, B)
    story.end()
    verdict = judged(tmp_path)
    assert verdict.decision.value == decision
    assert verdict.never_ran == (A,)
    assert not verdict.complete


def test_a_check_that_was_cut_short_never_ran(tmp_path: Path) -> None:
    """What a check had measured when it was killed is no pass, even when all of it was good."""
    story = Story(tmp_path, [A])
    story.judged(A, UP, "up == 1")
    story.end()
    verdict = judged(tmp_path)
    assert (verdict.decision, verdict.never_ran) == (Decision.HOLD, (A,))
    assert verdict.reasons == (f"{A}: cut short",)


@pytest.mark.parametrize("plan", [[A], [B]])
def test_a_critical_failure_counts_although_the_check_was_cut_short(tmp_path: Path, plan: list[str]) -> None:
    """Evidence against the deployment is not lost with the process, whether the check was planned or not."""
    story = Story(tmp_path, plan)
    story.judged(A, DOWN, "up == 1", severity=CRITICAL)
    verdict = judged(tmp_path)
    assert verdict.decision is Decision.ROLLBACK
    assert not verdict.complete
    assert verdict.reasons[0] == f"{A}: not true: answers"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (2, "interrupted"),
        (3, "an internal error"),
        (4, "a usage error"),
        (5, "no test executed"),
        (42, "ended with status 42"),
        (-9, "ended with status -9"),
        (None, "the run did not come to its end"),
    ],
)
def test_a_run_that_did_not_do_its_work_holds(tmp_path: Path, status: int | None, says: str) -> None:
    """However good what was seen: a run without its proper end never promotes."""
    story = Story(tmp_path, [A])
    passed(story, A)
    if status is not None:
        story.end(status)
    verdict = judged(tmp_path)
    assert (verdict.decision, verdict.complete) == (Decision.HOLD, False)
    assert verdict.reasons == (f"immediate: {says}",)


def test_a_failure_that_no_check_explains_holds(tmp_path: Path) -> None:
    """The runner counted a failure that left no record, such as a file that could not be collected."""
    story = Story(tmp_path, [A])
    passed(story, A)
    story.end(1)
    verdict = judged(tmp_path)
    assert verdict.decision is Decision.HOLD
    assert verdict.reasons == ("the run ended with a failure that no check explains",)


@pytest.mark.parametrize("status", [0, 5])
def test_an_empty_plan_holds(tmp_path: Path, status: int) -> None:
    """Nothing to check is nothing proven; that then no test was executed is no reason beside it."""
    Story(tmp_path, []).end(status)
    verdict = judged(tmp_path)
    assert verdict.decision is Decision.HOLD
    assert verdict.reasons == ("the plan is empty: nothing is configured that this stage could check",)


def test_no_record_at_all_holds() -> None:
    """So does a journal that was lost."""
    verdict = decide([])
    assert verdict.decision is Decision.HOLD
    assert to_json(verdict)["run"] == ""


def test_a_check_without_a_header_holds(tmp_path: Path) -> None:
    """Without a header nobody knows what should have been checked."""
    story = Story(tmp_path, [A])
    passed(story, A)
    story.end()
    records = [record for record in journal.read(tmp_path)[0] if record["type"] != "header"]
    verdict = decide(records)
    assert verdict.decision is Decision.HOLD
    assert "no header: what should have been checked is not known" in verdict.reasons


@pytest.mark.parametrize("stage", ["predeploy", "rollback"])
def test_where_there_is_nothing_to_roll_back_the_worst_is_hold(tmp_path: Path, stage: str) -> None:
    """Before a deployment, and after a roll-back, a critical failure says no-go."""
    story = Story(tmp_path, [A], stage=stage)
    story.judged(A, DOWN, "up == 1", severity=CRITICAL)
    story.ended(A, None)
    story.end()
    assert judged(tmp_path).decision is Decision.HOLD


@pytest.mark.parametrize(
    ("stages", "decision"),
    [(("predeploy", "load"), "hold"), (("extended", "load"), "rollback"), (("load",), "rollback")],
)
def test_the_load_run_of_a_stage_weighs_what_the_stage_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: tuple[str, ...], decision: str
) -> None:
    """What fails under load before a deploy holds; under load afterwards, or by itself, it rolls back."""
    for number, stage in enumerate(stages, 1):
        monkeypatch.setattr(report_runs, "START", report_runs.START + 100)
        check = f"{stage}/x::a"
        story = Story(tmp_path, [check], stage=stage)
        story.judged(check, DOWN if number == len(stages) else UP, "up == 1", severity=CRITICAL)
        story.ended(check, None)
        story.end(int(number == len(stages)))
    assert judged(tmp_path).decision.value == decision


@pytest.mark.parametrize(
    ("second", "end", "decision"), [(UP, 0, "promote"), (DOWN, 1, "rollback"), (UP, None, "hold")]
)
def test_joined_invocations_are_judged_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: Measurement, end: int | None, decision: str
) -> None:
    """Two stages in one run make one verdict: the worse of them, and each must come to its end."""
    first = Story(tmp_path, ["predeploy/x::a"], stage="predeploy")
    passed(first, "predeploy/x::a")
    first.end()
    monkeypatch.setattr(report_runs, "START", report_runs.START + 100)
    later = Story(tmp_path, [A])
    later.judged(A, second, "up == 1", severity=CRITICAL)
    later.ended(A, None)
    if end is not None:
        later.end(end)
    verdict = judged(tmp_path)
    assert verdict.decision.value == decision
    assert verdict.stages == ("predeploy", "immediate")
    assert [result.check for result in verdict.checks] == ["predeploy/x::a", A]


def test_the_first_reason_is_the_weightiest(tmp_path: Path) -> None:
    """Whoever reads one line reads what matters most."""
    checks = [f"immediate/x::{number}" for number in range(7)]
    story = Story(tmp_path, checks)
    story.ended(checks[1], "skipped", "skipped because")
    story.judged(checks[2], BLIND, "up == 1")
    story.ended(checks[2], None)
    story.ended(checks[3], "error", "could not look")
    story.judged(checks[4], DOWN, "up == 1")
    story.ended(checks[4], None)
    story.judged(checks[5], DOWN, "up == 1", severity=CRITICAL)
    story.ended(checks[5], None)
    passed(story, checks[6])
    story.end(2)
    order = [reason.split(":")[2][0] for reason in judged(tmp_path).reasons if "::" in reason]
    assert order == ["5", "4", "3", "2", "1"]
    last = judged(tmp_path).findings[5]
    assert last.reason == "immediate: interrupted"
    assert [result.check for result in last.consequences] == [checks[0]], "what never ran, for that reason"


def test_a_critical_judgement_is_told_before_a_warning_of_the_same_check(tmp_path: Path) -> None:
    """The sentence shown for a check is that of its weightiest failure."""
    story = Story(tmp_path, [A])
    story.judged(A, DOWN, "up == 1", name="warn")
    story.judged(A, DOWN, "up != 0", severity=CRITICAL)
    story.ended(A, None)
    story.end()
    (result,) = judged(tmp_path).checks
    assert result.judgements[0].sentence != result.judgements[1].sentence
    assert result.reason == f"{A}: {result.judgements[1].sentence}"
    assert judged(tmp_path).decision is Decision.ROLLBACK


@pytest.mark.parametrize(
    ("require", "decision"), [([], "promote"), (["mongodb"], "hold"), (["redis"], "promote")]
)
def test_what_is_required_and_not_configured_holds(tmp_path: Path, require: list[str], decision: str) -> None:
    """Not configured is listed and not counted, unless the stage requires it."""
    story = Story(tmp_path, [A], require=require, not_configured=["mongodb"])
    passed(story, A)
    story.end()
    verdict = judged(tmp_path)
    assert verdict.decision.value == decision
    assert verdict.not_configured == ("mongodb",)
    if require == ["mongodb"]:
        assert verdict.reasons == ("mongodb: required, and not configured",)


def test_a_users_own_check_is_planned_while_collecting(tmp_path: Path) -> None:
    """What a plan record names is due, and only shown evidence may pass."""
    story = Story(tmp_path, [])
    story._write("plan", plan=[{"check": "test_own.py::test_x", "required": True}])
    story.end()
    assert judged(tmp_path).never_ran == ("test_own.py::test_x",)


def test_the_journals_remark_on_an_outcome_is_not_believed(tmp_path: Path) -> None:
    """The verdict is made from measurements and thresholds; what the process thought is a remark."""
    story = Story(tmp_path, [A])
    story.judged(A, DOWN, "up == 1", severity=CRITICAL)
    story.ended(A, "passed")
    story.end()
    assert judged(tmp_path).decision is Decision.ROLLBACK


@pytest.mark.parametrize("tell", [promoted, mixed])
def test_the_same_journal_gives_the_same_bytes(tmp_path: Path, tell: Callable[[Path], Story]) -> None:
    """Judged again from its file, or from a copy that went through JSON, the verdict has the same bytes."""
    tell(tmp_path)
    records, dropped = journal.read(tmp_path)
    copy = json.loads(json.dumps(records))
    assert dumps(decide(copy, dropped)) == dumps(decide(records, dropped)) == dumps(judged(tmp_path))
    assert [j for r in decide(copy).checks for j in r.judgements] == [
        j for r in decide(records).checks for j in r.judgements
    ]


def test_torn_lines_and_events_are_noted(tmp_path: Path) -> None:
    """A reader learns of everything that was odd about the run."""
    story = Story(tmp_path, [A])
    story.event("the budget ran out")
    passed(story, A)
    story.end()
    records, _ = journal.read(tmp_path)
    assert decide(records, ["torn"]).notes == ("torn", "the budget ran out")


def test_a_judgement_whose_measurement_is_lost_is_an_error(tmp_path: Path) -> None:
    """It is told, and the rest is still judged."""
    promoted(tmp_path)
    records, _ = journal.read(tmp_path)
    (lost, *_) = [record for record in records if record["type"] == "measurement"]
    verdict = decide([record for record in records if record is not lost])
    (result,) = [result for result in verdict.checks if result.outcome is Outcome.ERROR]
    assert "cannot be judged" in result.reason
    assert verdict.decision is Decision.HOLD


@pytest.mark.parametrize(
    ("decision", "outcome", "says"),
    [
        ("rollback", "failed", "roll the percentage back, then: pytest -m immediate"),
        ("hold", "error", "rampgate doctor"),
        ("hold", "skipped", "pytest -m immediate"),
        ("promote", "passed", ""),
    ],
)
def test_each_verdict_names_the_next_command(tmp_path: Path, decision: str, outcome: str, says: str) -> None:
    """Nobody is left with a verdict and no idea what to type; a promotion needs nothing."""
    story = Story(tmp_path, [A])
    story.ended(A, outcome, severity="critical")
    story.end()
    verdict = judged(tmp_path)
    assert verdict.decision.value == decision
    assert next_command(verdict) == says


def test_numbers_have_six_significant_digits(tmp_path: Path) -> None:
    """Another machine's last bits do not change the bytes."""
    story = Story(tmp_path, [A])
    story.judged(A, Measurement("time_to_healthy", "s", n=1, value=1 / 3), "time_to_healthy < 5s")
    story.ended(A, None, seconds=2 / 3)
    story.end()
    told = to_json(judged(tmp_path))["checks"][0]
    assert (told["seconds"], told["judgements"][0]["measured"]) == (0.666667, 0.333333)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """The records of a run that promotes."""
    folder = tmp_path_factory.mktemp("good")
    promoted(folder)
    assert judged(folder).decision is Decision.PROMOTE
    return journal.read(folder)[0]


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """The records of a run that does not."""
    folder = tmp_path_factory.mktemp("bad")
    mixed(folder)
    assert judged(folder).decision is not Decision.PROMOTE
    return journal.read(folder)[0]


@given(data=st.data())
def test_losing_records_never_promotes(good: list[Record], bad: list[Record], data: st.DataObject) -> None:
    """Whatever records are lost, from a good run or a bad one: what remains does not promote."""
    records = data.draw(st.sampled_from([good, bad]))
    lost = data.draw(st.sets(st.integers(0, len(records) - 1), min_size=1))
    left = [record for number, record in enumerate(records) if number not in lost]
    assert decide(left).decision is not Decision.PROMOTE


def test_every_single_record_of_a_promotion_is_needed(good: list[Record]) -> None:
    """There is no line without which a run would still promote."""
    for lost in good:
        assert decide([record for record in good if record is not lost]).decision is not Decision.PROMOTE


def test_without_a_checks_records_the_run_holds(good: list[Record]) -> None:
    """A check whose every record is gone is planned and never ran."""
    for check in {record["check"] for record in good if record["type"] == "check"}:
        left = [record for record in good if record.get("check") != check]
        assert check in decide(left).never_ran
        assert decide(left).decision is Decision.HOLD


@given(order=st.randoms())
def test_the_order_of_equal_times_does_not_matter_to_the_decision(good: list[Record], order: Any) -> None:
    """Clocks of several processes differ; the decision does not hang on it."""
    shuffled = list(good)
    order.shuffle(shuffled)
    assert decide(shuffled).decision is Decision.PROMOTE


def test_the_verdict_names_its_schema() -> None:
    """Programs that read verdict.json know by this number which keys it has."""
    assert to_json(decide([]))["schema"] == 2


def test_verdict_json_reads_well_and_compares_well(tmp_path: Path) -> None:
    """Two spaces a level, keys in order, letters as they are: a difference of two runs shows what changed."""
    story = Story(tmp_path, [A])
    story.ended(A, "failed", "Überlauf")
    story.end()
    lines = dumps(judged(tmp_path)).splitlines()
    keys = [line.split('"')[1] for line in lines if line.startswith('  "')]
    assert len(keys) > 10
    assert keys == sorted(keys)
    assert any("Überlauf" in line for line in lines)


def test_only_what_did_not_pass_has_a_reason(tmp_path: Path) -> None:
    """In verdict.json the reason of a passed check is empty."""
    story = Story(tmp_path, [A, B])
    passed(story, B)
    story.ended(A, "failed", "assert 1 == 2")
    story.end()
    checks = to_json(judged(tmp_path))["checks"]
    assert {check["check"]: check["reason"] for check in checks} == {A: f"{A}: assert 1 == 2", B: ""}
