from __future__ import annotations

import math

from rampgate.judging.threshold import parse
from rampgate.load.cells import measure
from rampgate.load.seconds import count
from rampgate.load.times import CUT, SIGN_IN, Row, Table
from rampgate.model.measurement import Histogram, Measurement

BELOW = parse("p(95)<1000", metric="http_req_duration")
AT_MOST = parse("p(95)<=1000", metric="http_req_duration")


def row(ms: float = 20.0, *, endpoint: int = 0, status: int = 200, connect_ms: float = 0.0) -> Row:
    """One request, by default a good one on the plateau."""
    return Row(15.0, endpoint, 0, status, ms, connect_ms)


def measured(*rows: Row) -> tuple[Measurement, Measurement]:
    """Failures and durations of these requests."""
    failed, duration = measure(Table.of(rows), [BELOW, AT_MOST], labels={}, span=(0, 1))
    return failed, duration


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


def test_what_was_not_waited_for_is_slow_and_did_not_fail() -> None:
    """A request in flight at the end exceeds every limit, and its unknown answer is no failure."""
    failed, duration = measured(row(), row(30_000.0, status=CUT), row(1.0, status=500))
    assert (failed.n, failed.failures) == (2, 1)
    assert failed.details["statuses"] == {"200": 1, "500": 1, "not waited for": 1}
    assert (duration.n, duration.exceedances) == (3, {BELOW.edge: 2, AT_MOST.edge: 2})
    second = count(15, Table.of([row(), row(30_000.0, status=CUT)]), [1000.0], 1, 1.0)
    assert (second.failures, second.exceedances) == (0, {1000.0: 1})


def test_a_sign_in_that_was_not_waited_for_failed() -> None:
    """Nobody judges its time, so that it would be dropped otherwise."""
    failed, duration = measured(row(), row(30_000.0, endpoint=SIGN_IN, status=CUT))
    assert (failed.n, failed.failures, duration.n) == (2, 1, 1)


def test_a_sign_in_counts_among_the_failures_only() -> None:
    """A slow sign-in is no slow endpoint, and a refused one is a failed request."""
    failed, duration = measured(row(), row(9_000.0, endpoint=SIGN_IN, status=401))
    assert (failed.n, failed.failures, failed.details["sign_ins"]) == (2, 1, 1)
    assert (duration.n, duration.exceedances) == (1, {BELOW.edge: 0, AT_MOST.edge: 0})


def test_connecting_is_told_apart() -> None:
    """The time to connect is in the details, and in no duration."""
    _, duration = measured(row(5.0, connect_ms=900.0), row(5.0), row(5.0, connect_ms=100.0))
    assert (duration.details["connects"], duration.details["connect_median_ms"]) == (2, 500.0)
    assert duration.details["worst_ms"] == 5.0


def test_the_judged_quantile_is_told_exactly() -> None:
    """The p95 in the details is a measured time, the nearest rank; a failed request stands above all."""
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
