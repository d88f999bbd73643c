from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit import live_runs as runs

from rampgate.io.cpu_pressure import STARVED
from rampgate.load import live, terminal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> runs.Running:
    """A run at its first moment."""
    return runs.running(tmp_path)


def about(now: live.Snapshot, name: str) -> dict[str, live.LiveResult]:
    """The thresholds that are held against this."""
    return {each.threshold: each for each in now.thresholds if each.about == name}


def test_where_the_run_is(run: runs.Running) -> None:
    """Stage and what is left of it, seconds gone and left, ideal and actual users, the last second."""
    run.run(5)
    now = live.snapshot(run)
    assert now.stage == (1, 3, "0 to 20 users", 5.0)
    assert (now.elapsed, now.left, now.ideal, now.users) == (5.0, 75.0, 10.0, 10)
    assert (now.rate, now.requests, now.failures) == (80, 400, 0)
    assert now.p50 == pytest.approx(29.5, abs=0.6)
    assert now.p95 is not None
    assert 38 < now.p95 < 40


def test_before_the_first_second_nothing_is_known(run: runs.Running) -> None:
    """No request yet: every limit is undecided, no number is made up, and it cannot pass."""
    now = live.snapshot(run)
    assert {each.outcome for each in now.thresholds} == {"undecided"}
    assert {each.value for each in now.thresholds} == {""}
    assert (now.rate, now.p50, now.verdict) == (0, None, "undecided")


def test_before_the_plateau_the_endpoints_are_shown_and_not_judged(run: runs.Running) -> None:
    """What the verdict will rest on has not begun; the counts so far are marked as such."""
    run.run(5)
    now = live.snapshot(run)
    assert {each.over for each in now.thresholds if each.about == "patients"} == {"before the plateau"}
    assert {each.about for each in now.thresholds if each.judged} == {live.EVERY}
    assert about(now, "patients")["http_req_failed: rate<0.02"].n == 200
    assert (now.verdict, now.says) == (
        "undecided",
        "the endpoints are judged over the plateau: it begins in 5 s",
    )


def test_on_the_plateau_each_endpoint_is_held_over_the_plateau_alone(run: runs.Running) -> None:
    """Requests of the way up are in the whole run only; with enough of them everything is met."""
    run.run(60)
    now = live.snapshot(run)
    assert {each.over for each in now.thresholds if each.about == "patients"} == {"plateau"}
    held = about(now, "patients")["http_req_failed: rate<0.02"]
    assert (held.n, held.value, held.outcome, held.judged) == (2_000, "0 %", "passed", True)
    assert held.bound.startswith("at most 0.3")
    assert about(now, live.EVERY)["http_req_failed: rate<0.02"].n == 4_800, "sign-ins left out"
    times = about(now, "patients")["http_req_duration: p(95)<1000"]
    assert times.value == "38.5 ms"
    assert (now.verdict, now.says) == ("promote", "all 12 limits are met")


def test_a_critical_failure_would_roll_back(run: runs.Running) -> None:
    """Every request fails: what it comes to so far is said, with how many limits."""
    run.run(30, status=503)
    now = live.snapshot(run)
    assert (now.verdict, now.says) == ("rollback", "12 of 12 limits failed, 0 undecided")
    assert about(now, "patients")["bad: http_req_failed: rate>0.05"].severity == "critical"


def test_a_warning_would_hold(run: runs.Running) -> None:
    """Slow beyond the warning and not beyond the critical limit: hold."""
    run.run(60, ms=1_200)
    now = live.snapshot(run)
    assert now.verdict == "hold"
    assert now.says == "3 of 12 limits failed, 0 undecided"


def test_a_starved_generator_says_nothing_about_the_target(run: runs.Running) -> None:
    """The generator waits for its processor a third of the time: undecided, whatever was measured."""
    run.run(60, ms=9_000, wait=0.3)
    now = live.snapshot(run)
    assert [(each.process, each.wait, each.starved) for each in now.generators] == [("load-1", 0.3, True)]
    assert now.verdict == "undecided"
    assert now.says.startswith("the generator was starved (load-1 waited 30 % of the time")
    times = about(now, "patients")["bad: http_req_duration: p(95)>5000"]
    assert times.outcome == "undecided"
    assert times.sentence.startswith("undecided: the generator was starved")


def test_a_tenth_of_waiting_is_not_starved_yet(run: runs.Running) -> None:
    """Starved is more than the limit, here as in the verdict."""
    run.run(20, wait=STARVED)
    assert [each.starved for each in live.snapshot(run).generators] == [False]


def test_a_starved_generator_excuses_no_failures(run: runs.Running) -> None:
    """What the target answered with a 503 it answered: that rolls back, however the generator fared."""
    run.run(60, status=503, wait=0.3)
    assert live.snapshot(run).verdict == "rollback"


def test_a_system_that_tells_no_wait_is_not_called_calm(run: runs.Running) -> None:
    """Without schedstat the wait is unknown, which is not 0."""
    run.run(3, wait=runs.NOTHING)
    (fares,) = live.snapshot(run).generators
    assert (fares.wait, fares.starved, fares.cpu) == (None, False, 0.04)


def test_abort_evidence_is_a_share_of_what_it_takes(run: runs.Running) -> None:
    """Half the log evidence is a half, more than enough is 1, and less than nothing is 0."""
    run.evidence = {
        "rate<0.02": runs.Watch(4.605),
        "rate>0.05": runs.Watch(12.0, fired_at=9),
        "p(95)<1000": runs.Watch(-3.0),
    }
    assert live.snapshot(run).aborts == (
        ("rate<0.02", 0.5, False),
        ("rate>0.05", 1.0, True),
        ("p(95)<1000", 0.0, False),
    )


def test_after_the_ramp_there_is_no_stage(run: runs.Running) -> None:
    """Requests in flight are waited for: nothing is left, and no stage is named."""
    run.run(82)
    now = live.snapshot(run)
    assert (now.stage, now.left) == (None, 0.0)
    assert terminal.terminal_lines(now)[0].startswith("1:22 | stage end | users 0 of 0")


def test_it_is_plain_json_and_clean(tmp_path: Path) -> None:
    """A hostile endpoint's name reaches JSON without control or direction characters; nothing is infinite."""
    run = runs.running(tmp_path, endpoints=("\x1b[31m\u202e<b>",))
    run.run(30, status=0)
    text = json.dumps(live.snapshot(run).to_json(), allow_nan=False, ensure_ascii=False)
    assert "\x1b" not in text
    assert "\u202e" not in text
    told = json.loads(text)
    assert told["stage"] == {"number": 2, "of": 3, "name": "20 users", "left": 40.0}
    assert told["thresholds"][0]["about"] == live.EVERY
    assert told["generators"][0]["process"] == "load-1"


def test_others_may_run_between_two_judgements(run: runs.Running) -> None:
    """Requests in flight are not kept waiting for the whole look: it pauses after each judgement."""
    run.run(12)
    pauses: list[int] = []
    now = live.snapshot(run, lambda: pauses.append(1))
    assert len(pauses) == len(now.thresholds) == 12


def test_a_terminal_is_told_what_is_not_met(run: runs.Running) -> None:
    """Where the run is, what it comes to, the failed limits first, how many more, and the nearest abort."""
    run.run(30)
    run.run(40, status=500)
    run.evidence = {"rate<0.02": runs.Watch(8.3), "rate>0.05": runs.Watch(1.0)}
    lines = terminal.terminal_lines(live.snapshot(run))
    assert lines[0] == (
        "0:40 | stage 2/3 20 users, 0:30 left | users 20 of 20 | 80 req/s | failed 800 (25 %)"
    )
    assert lines[1] == "so far: ROLLBACK: 12 of 12 limits failed, 0 undecided"
    assert lines[2].startswith(
        "  failed: all requests, bad: http_req_failed: rate>0.05: 800 of 3,200 requests failed"
    )
    assert lines[5] == "  and 9 more"
    assert lines[6] == "  abort: rate<0.02 has 90.1 % of the evidence that it takes"


def test_a_terminal_shows_little_when_all_is_well(run: runs.Running) -> None:
    """Two lines, and no limit that is met."""
    run.run(60)
    assert terminal.terminal_lines(live.snapshot(run)) == [
        "1:00 | stage 2/3 20 users, 0:10 left | users 20 of 20 | 80 req/s | failed 0 (0 %) | p95 38.5 ms",
        "so far: PROMOTE: all 12 limits are met",
    ]
