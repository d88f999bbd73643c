from __future__ import annotations

import json
import math

import pytest

from rampgate.model.increments import Counters, Increment, Window, added, increment, remembered
from rampgate.model.measurement import Block

BELOW = math.nextafter(500.0, -math.inf)


def totals(**series: float) -> Counters:
    """Counters of requests alone."""
    return {"total": dict(series)}


def rates(total: float, failed: float, name: str = "") -> Counters:
    """Of one series."""
    return {"total": {name: total}, "failed": {name: failed}}


@pytest.mark.parametrize(
    ("before", "now", "block", "restarted"),
    [
        (None, totals(a=5), None, None),
        (totals(a=5), totals(a=9), Block(4), False),
        (totals(a=5), totals(a=5), Block(0), False),
        (totals(a=5, b=5), totals(a=9, b=1), Block(5), False),
        (totals(a=5, b=5), totals(a=1, b=1), None, True),
        (totals(a=5, b=0), totals(a=1, b=0), None, True),
        (totals(a=5), totals(b=3), None, True),
        (totals(a=5), totals(a=7, b=3), Block(5), False),
        (totals(a=5, b=5), totals(a=7), Block(2), False),
        (totals(a=0), totals(a=0), Block(0), None),
        ({}, totals(a=7), Block(7), None),
        (rates(10, 2), rates(20, 5), Block(10, 3), False),
        (rates(10, 2), rates(11, 5), Block(1, 1), False),
        ({"total": {"": 10}, "failed": {}}, rates(20, 5), Block(10, 5), False),
        (rates(10, 5), rates(20, 2), Block(0, 0), False),
        (rates(10.4, 0.4), rates(20.9, 0.9), Block(11, 1), False),
    ],
    ids=[
        "nothing before",
        "a rise",
        "frozen",
        "one of two reset",
        "both reset",
        "what counted is reset",
        "another series instead",
        "a new series",
        "a series gone",
        "nothing counted yet",
        "a new cohort",
        "failures",
        "a failure before its request",
        "the first failure",
        "failures fell alone",
        "fractions, which add up over readings",
    ],
)
def test_counters_say_what_came_between_two_readings(
    before: Counters | None, now: Counters, block: Block | None, restarted: bool | None
) -> None:
    """What one has counted since its reset is certain, a new one began at 0, and all reset are a restart."""
    assert increment(before, now) == Increment(block, restarted)


def histogram(total: float, *counts: tuple[float, float], name: str = "") -> Counters:
    """Of one series: edges with how many lay at or below each."""
    return {"total": {name: total}} | {repr(edge): {name: count} for edge, count in counts}


def test_buckets_say_how_many_lay_above_each_edge() -> None:
    """The edge of < and that of <= are apart, as thresholds have them."""
    before = histogram(10, (100.0, 5), (500.0, 8), (BELOW, 8))
    now = histogram(30, (100.0, 15), (500.0, 26), (BELOW, 26))
    assert increment(before, now).block == Block(20, 0, {100.0: 10, BELOW: 2, 500.0: 2})


def test_an_edge_that_some_histogram_lacks_says_nothing() -> None:
    """Two versions with other buckets: at the edge of one alone the others' requests would be left out."""
    one, other = histogram(10, (100.0, 5), (500.0, 8), name="a"), histogram(10, (100.0, 5), name="b")
    both = {kind: {**one[kind], **other.get(kind, {})} for kind in one}
    assert increment({}, both).block == Block(20, 0, {100.0: 10})


def test_blocks_add_at_the_edges_that_both_have() -> None:
    """An edge of one alone would hide what the other had above it; a block of nothing takes none away."""
    assert added(Block(5, 1, {1.0: 2, 2.0: 1}), Block(5, 2, {1.0: 3})) == Block(10, 3, {1.0: 5})
    assert (
        added(Block(0), Block(5, 2, {1.0: 3}))
        == added(Block(5, 2, {1.0: 3}), Block(0))
        == Block(5, 2, {1.0: 3})
    )


def test_a_series_that_comes_back_goes_on() -> None:
    """A target that was not scraped for a while has not had all its requests since then."""
    before = remembered(totals(a=100, b=50), totals(b=60))
    assert increment(before, totals(a=101, b=61)) == Increment(Block(2), restarted=False)


def test_a_window_holds_what_its_seconds_counted() -> None:
    """A piece that ended a window ago is gone, at the very second."""
    window = Window(60.0)
    for start in (0.0, 30.0, 60.0):
        window.add(start, start + 30, Block(int(start) + 1))
    assert window.counted == Block(31 + 61)
    window.forget(120.0)
    assert window.counted == Block(61)
    window.forget(150.0)
    assert window.counted == Block(0)


def test_a_window_is_read_back_as_it_was() -> None:
    """Edges keep every digit: < and <= at one limit stay apart."""
    window = Window(60.0)
    window.add(0.0, 30.0, Block(9, 2, {BELOW: 4, 500.0: 3}))
    again = Window.from_json(60.0, json.loads(json.dumps(window.to_json())))
    assert again == window
    assert again.counted == Block(9, 2, {BELOW: 4, 500.0: 3})
