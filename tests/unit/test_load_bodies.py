from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from scipy.stats import binom
from tests.unit.load_runs import Running, outcomes, settings

from rampgate.checks.endpoints import EndpointSettings
from rampgate.config.policy import BODY
from rampgate.judging.verdict import to_json
from rampgate.load.bodies import CHECKED, Sample, wrong
from rampgate.load.table import BAD, GOOD
from rampgate.model.ramp import Ramp
from rampgate.outcome import Decision, Outcome

if TYPE_CHECKING:
    from pathlib import Path

CHECKED_ENDPOINTS = [
    {"name": "one", "path": "/one", "load": True, "body": "items"},
    {"name": "two", "path": "/two", "load": True},
]
RAMP = Ramp.of([(10, 20), (30, 20), (5, 0)])


def taken(sample: Sample, *instants: float) -> list[float]:
    """Those of these requests to one endpoint whose body is read."""
    return [at for at in instants if sample.takes(0, at)]


def test_about_a_thousand_answers_are_read_over_the_plateau() -> None:
    """Of 12,000 answers about 1,000 are read, in each third about as many, after a ramp to it."""
    sample = Sample(RAMP, 400)
    taken(sample, *(math.sqrt(number / 20) for number in range(2_000)))
    read = taken(sample, *(10 + number / 400 for number in range(12_000)))
    assert abs(len(read) - CHECKED) < 4 * math.sqrt(CHECKED) + 50
    for begin in (10, 20, 30):
        assert 230 < sum(begin <= at < begin + 10 for at in read) < 440


@pytest.mark.parametrize("pause", [0.4, 1.0, 5.0])
def test_where_there_are_few_answers_all_are_read(pause: float) -> None:
    """Users who ask all at the same instant, and then pause, are no fewer for the check of bodies."""
    instants = [10 + pause * visit for visit in range(int(30 / pause)) for _ in range(8)]
    assert len(taken(Sample(RAMP, 8 / pause), *instants)) >= len(instants) - 8


@pytest.mark.parametrize("period", range(2, 11))
@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_no_period_and_no_phase_hides_from_the_sample(period: int, seed: str) -> None:
    """Every third body empty, or every n-th: 50 a second, each phase is found at its share."""
    sample = Sample(Ramp.of([(60, 50)], start=50), 50, seed=seed)
    read = Counter(number % period for number in range(3_000) if sample.takes(0, number / 50))
    n, share = read.total(), 1 / period
    assert n > 850
    for phase in range(period):
        assert 1e-6 < binom.cdf(read[phase], n, share) < 1 - 1e-6


@pytest.mark.parametrize("pause", [0.2, 1.0, 3.0])
def test_every_user_has_its_share_of_the_sample(pause: float) -> None:
    """Twenty users who ask together, always in the same order: no few of them give all the bodies."""
    users, visits = 20, int(300 / pause)
    sample = Sample(Ramp.of([(300, users)], start=users), users / pause)
    read = Counter(user for visit in range(visits) for user in range(users) if sample.takes(0, visit * pause))
    assert read.total() > 800
    for user in range(users):
        assert 1e-6 < binom.cdf(read[user], read.total(), 1 / users) < 1 - 1e-6


@pytest.mark.parametrize("slower", [4, 10])
def test_enough_bodies_are_read_where_the_target_slows_down(slower: int) -> None:
    """The rate that the run began with was no promise: over the plateau 200 are still reached."""
    sample = Sample(RAMP, 1000)
    taken(sample, *(math.sqrt(number / 50) for number in range(5_000)))
    assert len(taken(sample, *(10 + number * slower / 1000 for number in range(30_000 // slower)))) > 250


def test_the_same_run_reads_the_same_answers() -> None:
    """Drawn from the run and the process, and from nothing else."""
    instants = [10 + number / 400 for number in range(12_000)]
    one, same, other = (taken(Sample(RAMP, 400, seed=seed), *instants) for seed in ("r/0", "r/0", "r/1"))
    assert one == same != other


def test_processes_share_the_sample() -> None:
    """Four processes together read about as many as one would."""
    instants = [10 + number / 100 for number in range(3_000)]
    read = [len(taken(Sample(RAMP, 400, 4, str(index)), *instants)) for index in range(4)]
    assert abs(sum(read) - CHECKED) < 4 * math.sqrt(CHECKED) + 50


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"items": [1]}', ""),
        (b"{}", "items is missing"),
        (b'{"items": []}', "items is 0, below 1"),
        (b'{"items": true}', "items is bool"),
        (b"", "the body is empty"),
        (b'{"items": [1]', "the body is a JSON document without its end"),
        (b'{"items": [NaN]}', "the body holds NaN, which is not JSON"),
        (b'{"items": [1]}{}', "the body holds more than one JSON document"),
        (b"<html>sign in</html>", "the body is HTML or XML, not JSON"),
    ],
)
def test_a_body_is_checked_as_in_the_other_stages(body: bytes, says: str) -> None:
    """Strict JSON, and what the settings name must be there: an empty answer is none."""
    assert wrong(EndpointSettings(name="one", path="/", body="items"), body) == says


def ran(folder: Path, bodies: int, bad: int, **changed: Any) -> Running:
    """A good run over its plateau, of whose answers some bodies were checked and some of these are bad."""
    running = Running(settings(folder, endpoints=CHECKED_ENDPOINTS, **changed))
    running.go_on(10)
    process = running.processes["worker1"]
    for number in range(bodies):
        found = BAD if number < bad else GOOD
        process.recorder.add(0, 0, running.clock.time + number / 100, 20.0, 0.0, 200, body=found)
    if bad:
        process.recorder.fact(BODY, "0", "items is missing")
    running.go_on(46)
    return running


def test_bodies_that_are_none_roll_back(tmp_path: Path) -> None:
    """Each answer 200 and fast, and nothing in it: critical, in the words of the check of bodies."""
    decided = ran(tmp_path, 400, 400).end()
    assert decided.decision is Decision.ROLLBACK
    assert outcomes(decided)["plateau[one]"] is Outcome.FAILED
    assert outcomes(decided)["plateau[two]"] is Outcome.PASSED, "it has no check of bodies"
    assert "all 400 answers had a wrong body" in decided.reasons[0]
    assert "items is missing" in decided.reasons[0]


@pytest.mark.parametrize(
    ("bad", "decision"), [(0, Decision.PROMOTE), (4, Decision.PROMOTE), (60, Decision.ROLLBACK)]
)
def test_a_share_of_bad_bodies_is_judged_by_its_bounds(tmp_path: Path, bad: int, decision: Decision) -> None:
    """1 % of bad bodies is below the limit of 5 %, 15 % surely is not."""
    assert ran(tmp_path, 400, bad).end().decision is decision


@pytest.mark.parametrize("bodies", [0, 1, 199])
def test_too_few_checked_bodies_hold(tmp_path: Path, bodies: int) -> None:
    """However good they are: below 200 it is undecided, and the need is named."""
    decided = ran(tmp_path, bodies, 0).end()
    assert (decided.decision, outcomes(decided)["plateau[one]"]) == (Decision.HOLD, Outcome.UNDECIDED)
    (one,) = (result for result in decided.checks if result.check == "load/plateau[one]")
    (judged,) = (judgement for judgement in one.judgements if judgement.metric == BODY)
    assert judged.needed == 200 - bodies
    assert "needed" in judged.sentence or "needs about" in judged.sentence


def test_the_limit_of_bodies_is_that_of_the_settings(tmp_path: Path) -> None:
    """A limit that [thresholds] gives for bodies holds under load too, and never ends a run early."""
    stricter = {"thresholds": {"body_failures": "body_failure_rate > 0.1%"}}
    running = ran(tmp_path, 400, 20, **stricter)
    assert not any("body" in name for name in running.run.evidence)
    assert running.end().decision is Decision.ROLLBACK


def test_the_report_states_how_many_bodies_were_read(tmp_path: Path) -> None:
    """Of how many answers the sample was taken stands in the evidence."""
    running = ran(tmp_path, 400, 0)
    running.end()
    (seen,) = (
        record["measurement"]
        for record in running.records
        if (record["type"], record.get("check")) == ("measurement", "load/plateau[one]")
        and record["measurement"]["metric"] == BODY
    )
    assert seen["details"]["sampled"] == "400 of 1,000 answers were read, drawn at random"
    assert seen["details"]["check"] == "items >= 1"


def test_what_was_not_read_counts_as_nothing(tmp_path: Path) -> None:
    """An endpoint without a check of bodies is judged as before, by errors and times alone."""
    running = Running(settings(tmp_path))
    running.go_on(46)
    decided = running.end()
    assert decided.decision is Decision.PROMOTE
    metrics = {j["metric"] for check in to_json(decided)["checks"] for j in check["judgements"]}
    assert BODY not in metrics
