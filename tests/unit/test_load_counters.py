from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rampgate.judging.threshold import parse
from rampgate.load.counters import Counters, Counts
from rampgate.load.seconds import second_of
from rampgate.load.table import BAD, CUT, SIGN_IN, UNREAD, Row, Table
from rampgate.model.measurement import Histogram, Measurement
from rampgate.model.ramp import DEFAULT_RAMP

BELOW = parse("p(95)<1000", metric="http_req_duration")
AT_MOST = parse("p(95)<=1000", metric="http_req_duration")


def row(ms: float = 20.0, *, endpoint: int = 0, status: int = 200, connect_ms: float = 0.0) -> Row:
    """One request, by default a good one on the plateau."""
    return Row(15.0, endpoint, 0, status, ms, connect_ms)


def measured(*rows: Row) -> tuple[Measurement, Measurement]:
    """Failures and durations of these requests."""
    counts = Counts()
    counts.add(Table.of(rows), [limit.edge for limit in (BELOW, AT_MOST) if limit.edge is not None], 30.0)
    return counts.failures({}, (0, 1)), counts.durations([BELOW, AT_MOST], {}, (0, 1))


def test_an_edge_is_counted_on_the_time_as_measured() -> None:
    """A time equal to the limit violates p(95)<1000 and meets p(95)<=1000; one bit below meets both."""
    _, duration = measured(row(math.nextafter(1000, 0)), row(1000.0), row(math.nextafter(1000, 2000)))
    assert duration.exceedances == {BELOW.edge: 2, AT_MOST.edge: 1}


def test_failed_requests_lie_above_every_edge() -> None:
    """A fast 500 and a request without an answer count as failures and as slow, and are in no histogram."""
    failed, duration = measured(row(), row(1.0, status=500), row(1.0, status=0), row(1.0, status=302))
    assert (failed.n, failed.failures) == (4, 3)
    assert failed.details["statuses"] == {"200": 1, "302": 1, "500": 1, "no answer": 1}
    assert (duration.n, duration.exceedances) == (4, {BELOW.edge: 3, AT_MOST.edge: 3})
    assert duration.histogram is not None
    assert sum(duration.histogram.counts.values()) == 1


def test_statuses_stand_beside_failures_and_durations() -> None:
    """A 503, a time-out and a cut connection are told apart; a sign-in's status is none of an endpoint's."""
    failed, duration = measured(
        row(1.0, status=503),
        row(29_000.0, status=0),
        row(5.0, status=0),
        row(1.0, endpoint=SIGN_IN, status=401),
    )
    statuses = {"503": 1, "time-out": 1, "no answer": 1}
    assert failed.details["statuses"] == statuses
    assert duration.details["statuses"] == statuses


def test_what_was_not_waited_for_is_slow_and_did_not_fail() -> None:
    """A request in flight at the end exceeds every limit, and its unknown answer is no failure."""
    failed, duration = measured(row(), row(30_000.0, status=CUT), row(1.0, status=500))
    assert (failed.n, failed.failures) == (2, 1)
    assert failed.details["statuses"] == {"200": 1, "500": 1, "not waited for": 1}
    assert (duration.n, duration.exceedances) == (3, {BELOW.edge: 2, AT_MOST.edge: 2})
    counts = Counts()
    counts.add(Table.of([row(), row(30_000.0, status=CUT)]), [1000.0])
    second = second_of(15, counts, [1000.0], 1, 1.0)
    assert (second.failures, second.exceedances) == (0, {1000.0: 1})


@pytest.mark.parametrize("status", [200, 401, CUT])
def test_a_sign_in_is_in_no_rate(status: int) -> None:
    """Accounts are judged by their sign-ins: one that failed is no failed request, a good one hides none."""
    failed, duration = measured(row(), row(9_000.0, endpoint=SIGN_IN, status=status))
    assert (failed.n, failed.failures, failed.details["statuses"]) == (1, 0, {"200": 1})
    assert (duration.n, duration.exceedances) == (1, {BELOW.edge: 0, AT_MOST.edge: 0})


def test_connecting_is_told_apart() -> None:
    """The time to connect is in the details, and in no duration."""
    _, duration = measured(row(5.0, connect_ms=900.0), row(5.0), row(5.0, connect_ms=100.0))
    assert (duration.details["connects"], duration.details["connect_median_ms"]) == (2, 500.0)
    assert duration.details["worst_ms"] == 5.0


def test_the_judged_quantile_is_told_exactly() -> None:
    """The p95 in the details is a measured time to 0.01 ms, the nearest rank; failed ones stand above."""
    _, duration = measured(*(row(float(ms)) for ms in range(1, 101)))
    assert duration.details["p95_ms"] == 95.0
    _, duration = measured(*(row(float(ms)) for ms in range(1, 95)), *(row(1.0, status=500),) * 6)
    assert duration.details["p95_ms"] is None


def test_the_histogram_is_that_of_the_engine() -> None:
    """The same buckets as elsewhere, so that histograms of several runs can be added."""
    times = [0.0, 0.0005, 0.3, 20.0, 20.01, 999.0, 61_000.0]
    _, duration = measured(*(row(ms) for ms in times))
    assert duration.histogram == Histogram.of(times)


def test_no_request_is_no_number() -> None:
    """Without a request there is no count, and no quantile."""
    failed, duration = measured()
    assert (failed.n, failed.failures, duration.n, duration.exceedances) == (
        0,
        0,
        0,
        {BELOW.edge: 0, AT_MOST.edge: 0},
    )
    assert duration.details["p95_ms"] is None


requests = st.builds(
    Row,
    st.floats(-10, 1_100),
    st.integers(SIGN_IN, 2),
    st.integers(0, 2),
    st.sampled_from([200, 204, 302, 401, 503, 0, CUT]),
    st.floats(0, 31_000),
    st.sampled_from([0.0, 1.5]),
    st.integers(UNREAD, BAD),
)


@given(st.lists(requests, max_size=60), st.integers(1, 9))
def test_blocks_add_up_to_all_requests_at_once(rows: list[Row], size: int) -> None:
    """However requests are cut into blocks and added up by slices, the counts are the same."""
    blocks, whole = Counters([BELOW, AT_MOST], DEFAULT_RAMP, 30.0), Counts()
    for begin in range(0, len(rows), size):
        blocks.add(Table.of(rows[begin : begin + size]))
    whole.add(Table.of(rows), [limit.edge for limit in (BELOW, AT_MOST) if limit.edge is not None], 30.0)
    total = blocks.of(lambda *_: True)
    assert total.failures({}, (0, 1)) == whole.failures({}, (0, 1))
    assert total.durations([BELOW], {}, (0, 1)) == whole.durations([BELOW], {}, (0, 1))
    assert total.timed == sum(row.endpoint != SIGN_IN for row in rows)


def test_what_timed_out_is_left_out_for_a_starved_generator() -> None:
    """A starved generator makes time-outs; a wrong status or a cut connection it cannot have made."""
    counts = Counts()
    rows = [row(), row(29_000.0, status=0), row(5.0, status=0), row(1.0, status=503)]
    counts.add(Table.of(rows), [1000.0], 30.0)
    failed = counts.failures({}, (0, 1), starved=True)
    assert (failed.n, failed.failures) == (3, 2)
    assert failed.details["statuses"] == {"200": 1, "503": 1, "no answer": 1}
    assert failed.note.startswith("1 requests that timed out")


@pytest.mark.parametrize(
    ("status", "failures"), [(199, 1), (200, 0), (299, 0), (300, 1), (404, 1), (0, 1), (CUT, 0)]
)
def test_success_is_2xx_and_nothing_else(status: int, failures: int) -> None:
    """A redirect is no answer of an endpoint, and neither is an error or silence."""
    failed, _ = measured(row(status=status))
    assert failed.failures == failures
