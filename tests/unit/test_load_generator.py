from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from tests.unit.load_runs import Running, outcomes, settings

from rampgate.judging.verdict import decide, dumps
from rampgate.load.facts import ERRORS
from rampgate.load.generator import Health, Sample, own_stats
from rampgate.outcome import Decision, Outcome

if TYPE_CHECKING:
    from pathlib import Path

UNDECIDED, PASSED, FAILED = Outcome.UNDECIDED, Outcome.PASSED, Outcome.FAILED


def health(*waits: float, name: str = "worker1") -> Health:
    """A process that waited so long in each second."""
    found = Health()
    total = 0.0
    for second, wait in enumerate(waits, 1):
        total += wait
        found.add(name, Sample(float(second), total, 0.5 * second, 10 * second, 12 * second))
    return found


def test_the_kernel_tells_how_long_this_process_waited() -> None:
    """The instrument itself: two readings are finite and never fall."""
    first = own_stats()
    sum(range(200_000))
    second = own_stats()
    assert 0 <= first.wait_s <= second.wait_s < math.inf
    assert 0 < first.cpu_s <= second.cpu_s


def test_a_share_is_that_of_the_part_of_the_run() -> None:
    """Waiting before the plateau is not waiting on it; totals are told, shares are of the part."""
    (stats,) = health(0.9, 0.9, 0.0, 0.05, 0.05, 0.9).over(2, 5)
    assert stats.wait == pytest.approx(0.1 / 3)
    assert stats.cpu == pytest.approx(0.5)
    assert (stats.iterations, stats.offered) == (30, 36)


def test_a_part_between_two_samples_is_told_by_those_around_it() -> None:
    """A short plateau is covered by the nearest samples outside of it."""
    (stats,) = health(0.0, 0.2, 0.4, 0.0).over(1.4, 2.6)
    assert stats.wait == pytest.approx(0.3)


@pytest.mark.parametrize(("wait", "starved"), [(0.0, False), (0.1, False), (0.125, True), (0.9, True)])
def test_more_than_a_tenth_is_starved(wait: float, starved: bool) -> None:
    """Exactly a tenth of the time in the run queue is not starved; more is."""
    told = health(*[wait] * 8).starved(0, 8)
    assert bool(told) is starved
    if starved:
        assert f"worker1 waited {100 * wait:.0f} % of the time" in told


def test_the_worst_process_counts() -> None:
    """One starved worker of two starves the run: its share of the requests is measured wrong."""
    found = health(0.0, 0.0)
    found.add("worker2", Sample(1.0, 0.3, 0.1))
    found.add("worker2", Sample(2.0, 0.6, 0.2))
    assert "worker2 waited 30 %" in found.starved(0, 2)


def test_a_late_process_is_measured_from_its_beginning() -> None:
    """The time before a process was there is no calm time of its."""
    found = Health()
    found.add("late", Sample(8.0, 0.5, 0.1, since=6.0))
    (stats,) = found.over(0, 10)
    assert stats.wait == 0.25


@pytest.mark.parametrize("samples", [[], [Sample(5.0, math.nan, 0.1)]])
def test_what_nobody_measured_is_no_calm(samples: list[Sample]) -> None:
    """A process without a sample, or a system that does not tell: not known, and so undecided."""
    found = Health()
    found.expect("worker1")
    for sample in samples:
        found.add("worker1", sample)
    assert found.starved(0, 5) == ""
    assert found.troubles(0, 5) == ["how long worker1 waited for a processor is not known"]


def test_a_rate_that_was_not_reached_is_told() -> None:
    """Of the journeys that were due too few began: the load was not the one that was asked for."""
    assert health(0, 0, 0).troubles(0, 3) == [
        "only 30 of 36 journeys that were due began: the load was not reached"
    ]


def slow(running: Running, wait: float) -> None:
    """A run whose every request is too slow, by a generator that waits."""
    running.go_on(46, ms=6_000.0, wait=wait)


def test_a_healthy_generator_lets_the_target_be_blamed(tmp_path: Path) -> None:
    """The control: with a calm generator these times roll back."""
    running = Running(settings(tmp_path, load={"abort": "off"}))
    slow(running, 0.05)
    decided = running.end()
    assert decided.decision is Decision.ROLLBACK
    assert outcomes(decided)["generator"] is PASSED


@pytest.mark.parametrize("abort", ["on", "off", "report"])
def test_a_starved_run_is_undecided_and_never_failed_on_latency(tmp_path: Path, abort: str) -> None:
    """The same times from a starved generator: held as undecided, nothing failed, the generator is named."""
    running = Running(settings(tmp_path, load={"abort": abort}))
    slow(running, 0.4)
    decided = running.end()
    found = outcomes(decided)
    assert decided.decision is Decision.HOLD
    assert FAILED not in found.values()
    assert found["generator"] is UNDECIDED
    latencies = [j for result in decided.checks for j in result.judgements if j.metric == "http_req_duration"]
    assert {j.outcome for j in latencies} == {UNDECIDED}
    assert any("worker1 waited 40 % of the time" in reason for reason in decided.reasons)
    assert dumps(decide(running.records)) == dumps(decided), "and judged again it is the same"


def test_fast_times_of_a_starved_generator_pass_nothing(tmp_path: Path) -> None:
    """The load was not the one that was asked for: its latencies are undecided, good as they look."""
    running = Running(settings(tmp_path))
    running.go_on(46, wait=0.2)
    found = outcomes(running.end())
    assert (found["plateau[one]"], found["whole run"], found["generator"]) == (UNDECIDED,) * 3


@pytest.mark.parametrize(
    ("status", "ms", "decision"),
    [
        (500, 20.0, Decision.ROLLBACK),
        (0, 20.0, Decision.ROLLBACK),
        (0, 10_000.0, Decision.HOLD),
    ],
    ids=["wrong status", "cut off", "timed out"],
)
def test_only_what_waiting_can_do_is_excused(
    tmp_path: Path, status: int, ms: float, decision: Decision
) -> None:
    """A 500 or a refusal is the target's however starved the generator; a time-out may be its own."""
    running = Running(settings(tmp_path, load={"abort": "off"}))
    running.go_on(46, ms=ms, failing=10, status=status, wait=0.3)
    assert running.end().decision is decision


def test_waiting_before_the_plateau_does_not_spoil_it(tmp_path: Path) -> None:
    """Starved on the way up only: the plateau is judged, and the cells of the way up decide nothing."""
    running = Running(settings(tmp_path, load={"abort": "off"}))
    running.go_on(10, ms=6_000.0, wait=0.3)
    running.go_on(46)
    decided = running.end()
    found = outcomes(decided)
    assert (found["plateau[one]"], found["generator"], found["slices"]) == (PASSED, PASSED, PASSED)
    up = [
        j
        for r in decided.checks
        for j in r.judgements
        if j.labels.get("ramp_stage", "").startswith("stage 1")
    ]
    assert {j.outcome for j in up if j.metric == "http_req_duration"} == {UNDECIDED}


def test_a_lost_worker_makes_the_run_undecided(tmp_path: Path) -> None:
    """What it measured is kept and judged; the run holds, and says who was lost and when."""
    running = Running(settings(tmp_path))
    running.join("worker1")
    running.join("worker2")
    running.go_on(20)
    del running.processes["worker2"]
    running.run.lost("worker2")
    running.go_on(46)
    decided = running.end()
    found = outcomes(decided)
    assert decided.decision is Decision.HOLD
    assert (found["generator"], found["plateau[one]"], found["whole run"]) == (UNDECIDED, PASSED, PASSED)
    assert decided.reasons == (
        "load/generator: worker2 was lost after 20 s; what it measured until then is kept",
    )
    (check,) = (result for result in decided.checks if result.check == "load/whole run")
    assert {j.n for j in check.judgements} == {20 * 2 * 40 + 46 * 40 - 20 * 40}
    assert len(list(running.folder.glob("load-*.bin"))) == 2


def test_seconds_do_not_wait_for_who_is_lost(tmp_path: Path) -> None:
    """A second is complete when all have told of it; a process that lags is waited for five seconds."""
    running = Running(settings(tmp_path))
    running.join("worker1")
    lagging = running.join("worker2")
    running.go_on(3)
    del running.processes["worker2"]
    running.go_on(8)
    assert len(running.run.seconds) == 3
    running.go_on(12)
    assert len(running.run.seconds) == 12 - 5
    lagging.recorder.add(0, 0, 1004.0, 20.0, 0.0, 200)
    lagging.recorder.flush()
    assert len(running.run.seconds) == 12
    assert running.run.seconds[7].n == 41, "what is told late counts in the next second that is open"
    running.run.lost("worker2")
    running.go_on(14)
    assert len(running.run.seconds) == 14


def test_the_stats_of_each_process_are_in_the_journal(tmp_path: Path) -> None:
    """Run-queue wait, processor share, journeys, users there and due, for the report."""
    running = Running(settings(tmp_path))
    running.go_on(46, wait=0.04)
    running.end()
    (seen,) = (
        record["measurement"]
        for record in running.records
        if record["type"] == "measurement" and record["check"] == "load/generator"
    )
    assert (seen["metric"], seen["value"], seen["unit"]) == ("generator_wait", 4.0, "%")
    assert seen["labels"] == {"process": "worker1"}
    assert seen["note"] == "in the worst 10 s, from second 10 on: 4 %"
    assert seen["details"] == {
        "wait_worst_percent": 4.0,
        "cpu_percent": 5.0,
        "iterations": 600,
        "offered": 0,
        "users_mean": 2.0,
        "users_ideal": 2.0,
        "users_off_mean": 0.33,
        "users_off_most": 2.0,
    }


def test_the_worst_ten_seconds_are_told_beside_the_mean(tmp_path: Path) -> None:
    """Five seconds of waiting vanish in the mean of a plateau; the worst ten seconds show them, and when."""
    running = Running(settings(tmp_path))
    running.go_on(20, wait=0.0)
    running.go_on(25, wait=0.5)
    running.go_on(46, wait=0.0)
    running.end()
    (seen,) = (
        record["measurement"]
        for record in running.records
        if record["type"] == "measurement" and record["check"] == "load/generator"
    )
    assert seen["value"] < 10
    assert seen["details"]["wait_worst_percent"] == pytest.approx(25.0, abs=0.1)
    begins = int(seen["note"].split("second ")[1].split(" ")[0])
    assert 15 <= begins <= 20


@pytest.mark.parametrize(("ends", "share"), [(4.0, 0.5), (30.0, 0.2)])
def test_the_worst_window_of_a_short_run_is_all_of_it(ends: float, share: float) -> None:
    """Under ten seconds there is one window, and a process without samples has none."""
    health = Health()
    health.expect("silent")
    for second in range(1, 31):
        health.add("own", Sample(float(second), min(second, 2) * 1.0, 0.0))
    assert health.worst("own", 0.0, ends) == (share, 0.0)
    assert health.worst("silent", 0.0, ends) is None


def test_a_block_that_cannot_be_kept_is_no_pass(tmp_path: Path) -> None:
    """A broken block is not judged, and not silently missing either."""
    running = Running(settings(tmp_path))
    running.go_on(20)
    running.run.sink("worker2")(b"nonsense")
    running.go_on(46)
    decided = running.end()
    assert outcomes(decided)["whole run"] is Outcome.ERROR
    assert any("requests of worker2 were lost: " in reason for reason in decided.reasons)


def test_why_there_was_no_answer_is_said(tmp_path: Path) -> None:
    """A refused connection, or a certificate that is not trusted, is named where the failures are counted."""
    run = Running(settings(tmp_path, load={"abort": "off"}))
    run.join("worker1").recorder.fact(ERRORS, "0", "connection refused")
    run.processes["worker1"].recorder.fact(ERRORS, "1", "the certificate of the target is not trusted")
    run.go_on(46, failing=20, status=0)
    decided = run.end()
    assert decided.reasons[0].startswith("one gave no answer (connection refused) to 600 of 600 requests")
    said = " ".join(judgement.sentence for check in decided.checks for judgement in check.judgements)
    assert "two gave no answer (the certificate of the target is not trusted) to 600 of 600 requests" in said
