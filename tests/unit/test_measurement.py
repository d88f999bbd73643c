from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rampgate.model.measurement import GROWTH, Histogram, Measurement, merge

TIMES = st.lists(st.floats(0.001, 1e7), max_size=60)
FULL = Measurement(
    "api_response_time",
    "ms",
    n=3,
    failures=1,
    exceedances={500.0: 1, 0.1: 3},
    histogram=Histogram({5: 2, -3: 1}),
    value=1.5,
    values=(1.0, 2.0),
    labels={"endpoint": "a"},
    start=1.25,
    end=2.5,
    note="said",
    details={"deep": [1, {"x": None}]},
)


@given(TIMES, TIMES)
def test_merging_histograms_is_as_if_all_had_been_seen_at_once(
    first: list[float], second: list[float]
) -> None:
    """Two processes may count apart and add."""
    merged = Histogram.of(first).merge(Histogram.of(second))
    assert dict(merged.counts) == dict(Histogram.of(first + second).counts)


@given(st.lists(st.floats(0.001, 1e7), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_quantile_is_told_to_half_a_percent(times: list[float], q: float) -> None:
    """The value shown lies within one bucket of the nearest-rank quantile."""
    exact = sorted(times)[max(1, math.ceil(q * len(times))) - 1]
    shown = Histogram.of(times).quantile(q)
    assert shown is not None
    assert exact / GROWTH <= shown <= exact * GROWTH


def test_of_nothing_there_is_no_quantile() -> None:
    """No observations are not a fast answer."""
    assert Histogram().quantile(0.95) is None


@pytest.mark.parametrize("seen", [FULL, Measurement("up"), Measurement("up", value=0.0, n=1, failures=0)])
def test_a_measurement_survives_the_journal(seen: Measurement) -> None:
    """What is read back is what was written, to the last digit."""
    assert Measurement.from_json(json.loads(json.dumps(seen.to_json()))) == seen


def test_zero_is_written_and_nothing_is_not() -> None:
    """A zero is an observation; an empty field is none."""
    assert Measurement("up", value=0.0, failures=0).to_json() == {
        "metric": "up",
        "n": 0,
        "failures": 0,
        "value": 0.0,
        "start": 0.0,
        "end": 0.0,
    }


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_what_is_no_number_stays_visible(number: float) -> None:
    """JSON has no NaN, yet the reader sees that one was measured, and it is judged as one."""
    written = json.dumps(Measurement("up", value=number, values=(number,)).to_json(), allow_nan=False)
    back = Measurement.from_json(json.loads(written))
    assert back.value is not None
    assert not math.isfinite(back.value)
    assert repr(back.values[0]) == repr(number)


@pytest.mark.parametrize("data", [{"metric": "up", "n": "x"}, {"metric": "up", "value": "x"}])
def test_what_is_no_measurement_is_refused(data: dict[str, object]) -> None:
    """A number that is none is no evidence."""
    with pytest.raises(ValueError, match="x"):
        Measurement.from_json(data)


def test_a_measurement_has_a_metric() -> None:
    """Without it nobody knows what was measured."""
    with pytest.raises(KeyError):
        Measurement.from_json({"n": 5})


def test_looks_add_up() -> None:
    """Counts add, values follow each other, the time spans both, and neither side's evidence is lost."""
    more = Measurement(
        "api_response_time",
        "ms",
        n=4,
        failures=0,
        exceedances={500.0: 0, 0.1: 4},
        histogram=Histogram({5: 1}),
        values=(3.0,),
        labels={"endpoint": "a"},
        start=3.0,
        end=4.0,
        details={"second": 1},
    )
    both = merge(FULL, more)
    assert (both.n, both.failures, both.values) == (7, 1, (1.0, 2.0, 3.0))
    assert both.exceedances == {500.0: 1, 0.1: 7}
    assert both.histogram
    assert dict(both.histogram.counts) == {5: 3, -3: 1}
    assert (both.start, both.end, both.note) == (1.25, 4.0, "said")
    assert both.details == {"deep": [1, {"x": None}], "second": 1}


def test_statuses_of_both_are_added() -> None:
    """How many requests got which status is said of all requests, not of the last series alone."""
    series = [Measurement("a", details={"statuses": each}) for each in ({"200": 3, "503": 1}, {"503": 2})]
    assert merge(*series).details == {"statuses": {"200": 3, "503": 3}}


def test_a_count_that_one_look_lacks_is_not_made_up() -> None:
    """Failures that nobody counted are not none."""
    assert merge(Measurement("a", n=1, failures=0), Measurement("a", n=1)).failures is None


@pytest.mark.parametrize(
    "other", [Measurement("b"), Measurement("a", exceedances={1.0: 0}), Measurement("a", exceedances={})]
)
def test_only_the_same_can_be_merged(other: Measurement) -> None:
    """Another metric, or counts above other edges, cannot be added."""
    with pytest.raises(ValueError, match="cannot merge a with"):
        merge(Measurement("a", exceedances={2.0: 0}), other)
