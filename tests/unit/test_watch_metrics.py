from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from rampgate.judging.threshold import Threshold, parse
from rampgate.model.measurement import Block, Measurement
from rampgate.model.metrics import METRICS, Kind, Metric
from rampgate.watch.metrics import MetricWatch
from rampgate.watch.values import Reading, broken, measured, shown

if TYPE_CHECKING:
    from rampgate.model.increments import Counters

RATE = Metric("error_rate", Kind.RATE, "", "errors")
TIME = Metric("response_time", Kind.LATENCY, "ms", "times")
COUNT = METRICS["database_connection_failures"]
KNOWN = {**METRICS, "error_rate": RATE, "response_time": TIME}
ON, OFF = {"cohort": "on"}, {"cohort": "off"}


def counters(total: float, failed: float = 0, **labels: str) -> Measurement:
    """One cohort's."""
    counted: Counters = {"total": {"": total}, "failed": {"": failed}}
    return Measurement("error_rate", labels=labels, details={"counters": counted})


def watched(metric: Metric = RATE, window: float = 60.0, **more: Any) -> MetricWatch:
    """A metric that was not read yet."""
    return MetricWatch(metric, window, **more)


def test_counters_say_something_from_their_second_reading_on() -> None:
    """What they counted before somebody looked is not of this watch."""
    found = watched()
    found.read([counters(1000, 500)], 0.0)
    assert found.reading is None
    found.read([counters(1010, 501)], 30.0)
    assert found.reading == Reading(30.0, counted=Block(10, 1))


def test_cohorts_are_pooled_and_kept_apart() -> None:
    """A threshold is about all of them; the comparison is not. One that is new began at 0."""
    found = watched()
    found.read([counters(100, 0, **OFF)], 0.0)
    found.read([counters(110, 1, **OFF), counters(5, 4, **ON)], 30.0)
    assert found.reading == Reading(30.0, counted=Block(15, 5))
    assert sorted(found.increments.values()) == [Block(5, 4), Block(10, 1)]


def test_a_cohort_that_is_gone_leaves_the_window_too() -> None:
    """Else its last errors would count for ever."""
    found = watched()
    found.read([counters(0, 0, **OFF), counters(0, 0, **ON)], 0.0)
    found.read([counters(10, 0, **OFF), counters(10, 10, **ON)], 30.0)
    for at in (60.0, 90.0):
        found.read([counters(at, 0, **OFF)], at)
    assert found.reading is not None
    assert found.reading.counted is not None
    assert found.reading.counted.failures == 0


def test_frozen_counters_are_no_reading() -> None:
    """A service that counts nothing any more is not one without errors."""
    found = watched()
    troubles = []
    for at in (0.0, 30.0, 60.0, 90.0, 120.0):
        found.read([counters(1000, 5)], at)
        troubles.append(found.trouble.partition(" was counted ")[2])
    assert (found.reading, troubles[1:]) == (None, ["yet", "in 1 min", "in 1 min", "in 1 min"])


def test_no_failure_is_a_reading_of_a_count() -> None:
    """Of what counts failures alone, nothing is good news."""
    found = watched(COUNT)
    for at in (0.0, 30.0):
        found.read([Measurement(COUNT.name, details={"counters": {"total": {"": 7.0}}})], at)
    assert found.reading == Reading(30.0, counted=Block(0))
    assert measured(parse("database_connection_failures > 10", bad=True), found.reading) == 0


def test_a_restart_is_seen_and_counts_nothing() -> None:
    """Every cohort that had counted something has fallen; what came since then is not known."""
    found = watched()
    found.read([counters(100, 0, **OFF), counters(0, 0, **ON)], 0.0)
    found.read([counters(110, 1, **OFF), counters(0, 0, **ON)], 30.0)
    found.read([counters(3, 3, **OFF), counters(0, 0, **ON)], 60.0)
    assert found.restarted
    assert found.reading is None
    assert not found.increments


def test_one_of_two_instances_reset_is_no_restart() -> None:
    """The other goes on, and what the one has counted since then is counted."""
    found = watched()
    found.read([counters(100, 0, endpoint="a"), counters(100, 0, endpoint="b")], 0.0)
    found.read([counters(2, 2, endpoint="a"), counters(110, 0, endpoint="b")], 30.0)
    assert not found.restarted
    assert found.reading == Reading(30.0, counted=Block(12, 2))


def test_a_change_forgets_windows_and_what_was_counted_across_it() -> None:
    """No window straddles a change of what is watched, and no block of a test either."""
    found = watched()
    for at in (0.0, 30.0):
        found.read([counters(at, at)], at)
    found.changed()
    assert (found.reading, found.increments) == (None, {})
    found.read([counters(60, 60)], 60.0)
    assert found.reading is None
    found.read([counters(90, 60)], 90.0)
    assert found.reading == Reading(90.0, counted=Block(30, 0))


def test_what_was_counted_in_a_long_gap_is_of_no_window() -> None:
    """Twenty failures in an hour are not twenty in a minute."""
    found = watched(COUNT)
    for at, total in ((0.0, 0.0), (3600.0, 20.0), (3630.0, 21.0)):
        found.read([Measurement(COUNT.name, details={"counters": {"total": {"": total}}})], at)
        if at == 3600.0:
            assert found.reading is None
    assert found.reading == Reading(3630.0, counted=Block(1))


def test_a_sample_that_is_seen_twice_is_not_a_time_without_failures() -> None:
    """A source whose own time goes in steps longer than the window is no reading at all, not one of 0."""
    found = watched(COUNT, window=3.0)
    for second in range(20):
        stepped = float(second // 5 * 5)
        found.read(
            [Measurement(COUNT.name, end=stepped, details={"counters": {"total": {"": 8.0 * second}}})], 0
        )
        assert found.reading is None


def test_the_same_sample_twice_counts_once() -> None:
    """Where a source is read more often than it samples."""
    found = watched()
    for at, end in ((0.0, 0.0), (30.0, 20.0), (40.0, 20.0)):
        found.read(
            [Measurement("error_rate", end=end or 1.0, details={"counters": {"total": {"": end}}})], at
        )
    assert found.reading == Reading(20.0, counted=Block(20))
    assert not found.increments


def test_what_rose_while_a_sources_time_stood_still_or_went_back_is_not_lost() -> None:
    """It is counted when time goes on: a minute's resolution, or two replicas whose clocks differ."""
    found = watched()
    for at, end, total in ((0.0, 1.0, 0.0), (10.0, 20.0, 5.0), (20.0, 20.0, 9.0), (30.0, 15.0, 12.0)):
        found.read([Measurement("error_rate", end=end, details={"counters": {"total": {"": total}}})], at)
    found.read([Measurement("error_rate", end=40.0, details={"counters": {"total": {"": 20.0}}})], 40.0)
    assert found.reading == Reading(40.0, counted=Block(20))
    assert found.increments == {"{}": Block(15)}


def test_an_edge_that_a_threshold_needs_and_no_bucket_has_is_no_reading() -> None:
    """From the first reading on, with the edges that there are: a missing one is not 'nothing above it'."""
    limit = parse("response_time_p95 < 500ms", metrics=KNOWN)
    found = watched(TIME, edges=frozenset({limit.edge or 0.0}))
    kinds = {"total": {"": 5.0}, "100.0": {"": 5.0}, "1000.0": {"": 5.0}}
    found.read([Measurement("response_time", details={"counters": kinds})], 0.0)
    assert found.trouble == "no bucket ends at 500 ms; accepted are the edges that there are: 100, 1000"


def test_an_edge_that_one_instance_lacks_is_no_reading() -> None:
    """Its requests above the limit would be counted as none."""
    limit = parse("response_time_p95 <= 500ms", metrics=KNOWN)
    found = watched(TIME, edges=frozenset({limit.edge or 0.0}))
    kinds = {"total": {"a": 5.0, "b": 5.0}, "100.0": {"a": 5.0, "b": 0.0}, "500.0": {"a": 5.0}}
    found.read([Measurement("response_time", details={"counters": kinds})], 0.0)
    assert found.trouble == "no bucket ends at 500 ms; accepted are the edges that there are: 100"


@pytest.mark.parametrize(
    ("text", "bad", "block", "breaks"),
    [
        ("response_time_p95 < 500ms", False, Block(100, 0, {500.0: 5, math.nextafter(500.0, 0): 6}), True),
        ("response_time_p95 <= 500ms", False, Block(100, 0, {500.0: 5, math.nextafter(500.0, 0): 6}), False),
        ("response_time_p95 > 500ms", True, Block(100, 0, {500.0: 5}), False),
        ("response_time_p95 > 500ms", True, Block(100, 0, {500.0: 6}), True),
        ("response_time_p95 > 500ms", True, Block(100, 0, {}), None),
        ("error_rate > 5%", True, Block(100, 5), False),
        ("error_rate > 5%", True, Block(100, 6), True),
        ("error_rate >= 5%", True, Block(100, 5), True),
        ("error_rate > 5%", True, Block(0), None),
        ("cache_hit_rate < 80", True, Block(10, 2), False),
        ("cache_hit_rate < 80", True, Block(10, 3), True),
        ("database_connection_failures > 10", True, Block(10), False),
        ("database_connection_failures > 10", True, Block(11), True),
    ],
)
def test_counts_are_held_against_a_limit(text: str, bad: bool, block: Block, breaks: bool | None) -> None:
    """Just at a limit and just over it, and nothing where nothing was counted."""
    assert broken(parse(text, bad=bad, metrics=KNOWN), Reading(0.0, counted=block)) is breaks


def feedback(least: int) -> Threshold:
    """A limit of the users' marks."""
    return parse("user_feedback_score < 3.5", bad=True, min_n=least)


@pytest.mark.parametrize(("n", "breaks"), [(None, True), (29, None), (30, True)])
def test_a_mean_of_few_answers_says_nothing(n: int | None, breaks: bool | None) -> None:
    """Neither good nor bad below the number that is asked for."""
    assert broken(feedback(30), Reading(0.0, 3.0, n=n)) is breaks


def test_a_missing_reading_is_known_since_when() -> None:
    """The first of several, until there is one again."""
    found = watched(METRICS["cache_memory"])
    found.missed("no answer", 10.0)
    found.missed("no answer", 40.0)
    assert (found.since, found.trouble) == (10.0, "no answer")
    found.read([Measurement("cache_memory", value=50.0)], 70.0)
    assert (found.reading, found.since) == (Reading(70.0, 50.0), 70.0)


def test_what_the_next_process_needs_goes_through_json() -> None:
    """Resumed, it counts on from the very reading."""
    found = watched()
    for at in (0.0, 30.0):
        found.read([counters(at, at / 10, **ON)], at)
    resumed = watched()
    resumed.resume(json.loads(json.dumps(found.to_json())))
    for each in (found, resumed):
        each.read([counters(60, 6, **ON)], 60.0)
    assert resumed == found


@pytest.mark.parametrize(
    ("text", "reading", "says"),
    [
        ("error_rate > 5%", Reading(0.0, counted=Block(340, 7)), "2.06 % of 340"),
        (
            "response_time_p95 > 500ms",
            Reading(0.0, counted=Block(1000, 0, {500.0: 70})),
            "7 % of 1,000 above 500ms",
        ),
        ("cache_memory > 80", Reading(0.0, 81.0), "81 %"),
        ("error_rate > 5%", Reading(0.0, counted=Block(0)), "nothing"),
    ],
)
def test_a_value_is_shown_as_a_person_reads_it(text: str, reading: Reading, says: str) -> None:
    """With its unit, and with what it is a share of."""
    assert shown(parse(text, bad=True, metrics=KNOWN), reading) == says


def test_a_bad_score_of_a_starved_machine_says_nothing_and_a_good_one_does() -> None:
    """That this machine waited for a processor makes no page slow, and no good score worse."""
    found, limit = watched(METRICS["lighthouse_performance_score"]), parse("performance_score < 85", bad=True)
    for score, breaks in ((40.0, None), (99.0, False)):
        seen = Measurement(limit.metric, value=score, details={"doubt": "this machine was starved"})
        found.take([[seen]], 0.0)
        assert found.reading
        assert broken(limit, found.reading) is breaks
        assert Reading.from_json(found.reading.to_json()) == found.reading


def test_labels_that_never_end_are_forgotten() -> None:
    """Raw paths as endpoints: what is not there any more is not remembered for ever."""
    found = watched()
    for at in range(30):
        found.read([counters(at, 0, endpoint=f"/{at}/{number}") for number in range(100)], float(at))
    assert len(found.counters) <= 1100
