from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.load_runs import ACCOUNTS, Running, outcomes, settings

from rampgate.checks.endpoints import EndpointSettings
from rampgate.judging.verdict import decide, dumps
from rampgate.load.counters import Counters
from rampgate.load.slices import SLICES, Slice, planned
from rampgate.load.table import OFF, ON, OUTSIDE, SIGN_IN, Row
from rampgate.model.ramp import DEFAULT_RAMP, Ramp
from rampgate.outcome import Decision, Outcome

if TYPE_CHECKING:
    from pathlib import Path

ENDPOINTS = tuple(EndpointSettings(name=name, path="/") for name in ("one", "two", "three"))
UNDECIDED, PASSED, FAILED = Outcome.UNDECIDED, Outcome.PASSED, Outcome.FAILED

starts = st.floats(-10, 1_100) | st.sampled_from([0.0, 120.0, 420.0, 540.0, 840.0, 960.0, 119.999999])
rows = st.builds(
    Row,
    starts,
    st.integers(SIGN_IN, 2),
    st.sampled_from([ON, OFF]),
    st.just(200),
    st.floats(0, 5_000),
    st.just(0.0),
    st.just(0),
)


def taken(part: Slice, told: list[Row]) -> list[Row]:
    """The requests of a slice."""
    stages = (DEFAULT_RAMP.stage_at(row.start_s) for row in told)
    return [
        row
        for row, stage in zip(told, stages, strict=True)
        if part.takes(OUTSIDE if stage is None else stage, row.endpoint, row.cohort)
    ]


@given(st.lists(rows, max_size=60))
def test_the_slices_partition_the_requests_of_the_ramp(told: list[Row]) -> None:
    """With two cohorts each request of an endpoint lies in one slice of stage, endpoint and cohort."""
    slices = [
        part for part in planned(ENDPOINTS, DEFAULT_RAMP, cohorts=True, rehearsal=False) if part.advisory
    ]
    assert len(slices) == 5 * 3 * 2
    found = [row for part in slices for row in taken(part, told)]
    inside = [
        row for row in told if row.endpoint != SIGN_IN and DEFAULT_RAMP.stage_at(row.start_s) is not None
    ]
    assert sorted(found) == sorted(inside)


@given(st.lists(rows, max_size=60))
def test_plateau_and_slice_partition_them_with_one_cohort(told: list[Row]) -> None:
    """With one cohort the endpoints' own checks are the slices of the plateau, and no part repeats them."""
    slices = planned(ENDPOINTS, DEFAULT_RAMP, cohorts=False, rehearsal=False)
    assert not any(part.check.startswith("load/cohort") for part in slices)
    found = [row for part in slices if part.endpoint is not None for row in taken(part, told)]
    inside = [
        row for row in told if row.endpoint != SIGN_IN and DEFAULT_RAMP.stage_at(row.start_s) is not None
    ]
    assert sorted(found) == sorted(inside)
    (whole,) = (part for part in slices if part.stage is None)
    assert taken(whole, told) == told, "the whole run has the sign-ins and what lies outside too"


def test_the_cohorts_pool_the_endpoints_over_the_plateau() -> None:
    """Each cohort has all endpoints of the plateau, without the sign-ins."""
    told = [
        Row(at, endpoint, cohort, 200, 1.0) for at in (5, 600) for endpoint in (-1, 0, 2) for cohort in (1, 2)
    ]
    slices = {c.check: c for c in planned(ENDPOINTS, DEFAULT_RAMP, cohorts=True, rehearsal=False)}
    assert {(r.start_s, r.endpoint, r.cohort) for r in taken(slices["load/cohort[on]"], told)} == {
        (600, 0, ON),
        (600, 2, ON),
    }
    assert len(taken(slices["load/cohort[off]"], told)) == 2


def test_a_jump_of_the_ramp_is_no_slice() -> None:
    """A stage that takes no time can hold no request."""
    ramp = Ramp.of([(0, 5), (30, 5), (10, 0)])
    slices = [part for part in planned(ENDPOINTS, ramp, cohorts=False, rehearsal=False) if part.advisory]
    assert {part.labels["ramp_stage"] for part in slices} == {"stage 3: 5 to 0 users"}


def test_a_slice_that_is_too_small_is_shown_and_does_not_hold(tmp_path: Path) -> None:
    """A handful of requests on the way down decide nothing there, and the run is promoted all the same."""
    running = Running(settings(tmp_path))
    running.go_on(40, n=40)
    running.go_on(46, n=1)
    decided = running.end()
    assert (decided.decision, decided.reasons) == (Decision.PROMOTE, ())
    (slices,) = (result for result in decided.checks if result.check == SLICES)
    assert slices.outcome is PASSED
    down = [j for j in slices.judgements if j.labels["ramp_stage"] == "stage 3: 2 to 0 users"]
    assert {j.outcome for j in down} == {UNDECIDED}, "and the reader sees that it is"


def test_a_slice_may_fail_on_its_own_evidence(tmp_path: Path) -> None:
    """One endpoint slow for one cohort on the way up: the pooled checks pass, the part fails and holds."""
    running = Running(
        settings(tmp_path, load={"accounts": {"pattern": "u{n}@example.test"}, "plateau": 300}, **ACCOUNTS)
    )
    running.go_on(10, n=20, cohorts=(OFF,))
    process = running.processes["worker1"]
    for number in range(60):
        process.recorder.add(1, ON, 1000 + number / 10, 1500.0, 0.0, 200)
    running.go_on(316, n=20, cohorts=(ON, OFF))
    decided = running.end()
    found = outcomes(decided)
    assert found["slices"] is FAILED
    assert {found[name] for name in found if name != "slices"} == {PASSED}
    assert decided.decision is Decision.HOLD
    assert decided.reasons[0].startswith("load/slices: two, stage 1: 0 to 2 users, on: p95 of 60")


def test_the_cohorts_are_judged_where_they_are_known(tmp_path: Path) -> None:
    """Slow for the users whom the feature reaches: their check fails, the others' passes."""
    told = {"accounts": {"pattern": "u{n}@example.test"}, "abort": "off"}
    running = Running(settings(tmp_path, load=told, **ACCOUNTS))
    running.go_on(10, cohorts=(ON, OFF))
    for process in running.processes.values():
        for number in range(400):
            process.recorder.add(number % 2, ON, 1011.0 + number / 40, 1200.0, 0.0, 200)
    running.go_on(46, cohorts=(OFF,))
    found = outcomes(running.end())
    assert (found["cohort[on]"], found["cohort[off]"]) == (FAILED, PASSED)


def test_at_0_and_100_percent_there_is_one_cohort(tmp_path: Path) -> None:
    """Nobody or everybody has the feature: no cohort is judged, and none is missed."""
    for percentage in (0, 100):
        told = settings(
            tmp_path,
            load={"accounts": {"pattern": "u{n}@example.test"}},
            **{**ACCOUNTS, "percentage": percentage},
        )
        running = Running(told)
        running.go_on(46)
        decided = running.end()
        assert decided.decision is Decision.PROMOTE
        assert not any("cohort" in result.check for result in decided.checks)


def test_a_cohort_without_a_request_is_no_pass(tmp_path: Path) -> None:
    """A cohort that is due and was never seen is an error of the run."""
    running = Running(settings(tmp_path, load={"accounts": {"pattern": "u{n}@example.test"}}, **ACCOUNTS))
    running.go_on(46, cohorts=(OFF,))
    decided = running.end()
    assert outcomes(decided)["cohort[on]"] is Outcome.ERROR
    assert decided.decision is Decision.HOLD


def test_a_compressed_run_is_a_rehearsal(tmp_path: Path) -> None:
    """Faster than meant: the plateau is judged, the ramp's stages are not, and the reader is told."""
    running = Running(settings(tmp_path, load={"time_scale": 2, "plateau": 60}))
    running.go_on(38)
    decided = running.end()
    assert running.run.ramp.duration == 37.5
    assert decided.decision is Decision.PROMOTE
    (slices,) = (result for result in decided.checks if result.check == SLICES)
    assert (slices.outcome, slices.message) == (Outcome.SKIPPED, "rehearsal: no ramp-stage verdict")
    assert slices.judgements == ()


def test_a_request_in_flight_at_the_end_is_counted(tmp_path: Path) -> None:
    """Sent on the plateau and ended by our stopping: a failed request there, above every edge."""
    running = Running(settings(tmp_path))
    running.go_on(46)
    running.processes["worker1"].recorder.add(0, 0, 1039.9, 30_000.0, 0.0, 0)
    decided = running.end()
    (check,) = (result for result in decided.checks if result.check == "load/plateau[one]")
    assert {j.n for j in check.judgements} == {601}
    seen = [
        r["measurement"] for r in running.records if r["type"] == "measurement" and r["check"] == check.check
    ]
    assert seen[0]["failures"] == 1
    assert set(seen[1]["exceedances"].values()) == {1}


def test_the_journal_says_the_same_again(tmp_path: Path) -> None:
    """Judged again, a run with undecided slices gives the same verdict byte for byte."""
    running = Running(settings(tmp_path))
    running.go_on(40, n=40)
    running.go_on(46, n=1)
    first = dumps(running.end())
    assert dumps(decide(running.records)) == first


def test_the_timeline_is_in_the_journal(tmp_path: Path) -> None:
    """Second by second: requests, failures, users, times, stages; what comes late counts where it is open."""
    running = Running(settings(tmp_path, load={"abort": "off"}))
    running.go_on(45.1, n=10, failing=1)
    running.processes["worker1"].recorder.add(0, 0, 1003.1, 50.0, 0.0, 200)
    running.end()
    (line,) = (record for record in running.records if record["type"] == "timeline")
    columns = line["columns"]
    assert columns["second"] == list(range(47))
    assert columns["n"] == [20] * 46 + [1]
    assert columns["failures"] == [2] * 46 + [0]
    assert columns["users"] == [2] * 47
    assert columns["ideal"][:11] == [round(0.2 * (second + 1), 2) for second in range(10)] + [2.0]
    assert columns["p50"] == [20.0] * 46 + [50.0]
    assert columns["p99"] == [None] * 46 + [50.0], "a tenth fails: the worst hundredth has no time"
    assert set(map(tuple, line["above"].values())) == {(2,) * 46 + (0,)}
    assert line["stages"] == [[10.0, 2.0], [40.0, 2.0], [45.0, 0.0]]


def test_the_checks_of_the_journey_are_counted(tmp_path: Path) -> None:
    """As k6 counts checks: status is 200, and below 1000 ms."""
    running = Running(settings(tmp_path, load={"abort": "off"}))
    running.go_on(46, n=10, ms=1000.0, failing=1)
    running.end()
    (seen,) = (
        record["measurement"]["details"]["checks"]
        for record in running.records
        if record["type"] == "measurement" and "checks" in record["measurement"].get("details", {})
    )
    assert seen == {
        "status is 200": {"passed": 46 * 18, "failed": 46 * 2},
        "response time < 1000ms": {"passed": 0, "failed": 46 * 20},
    }


def test_no_request_is_in_no_slice() -> None:
    """A slice takes nothing of nothing."""
    counters = Counters([], DEFAULT_RAMP, 10.0)
    for part in planned(ENDPOINTS, DEFAULT_RAMP, cohorts=True, rehearsal=False):
        assert counters.of(part.takes).n == 0
