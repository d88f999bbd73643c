from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from rampgate.errors import EvidenceError
from rampgate.judging.threshold import parse
from rampgate.load.times import SIGN_IN, RawTimes, Row, measure, read

if TYPE_CHECKING:
    from pathlib import Path

BELOW = parse("p(95)<1000", metric="http_req_duration")
AT_MOST = parse("p(95)<=1000", metric="http_req_duration")


def row(
    ms: float = 20.0, *, endpoint: int = 0, status: int = 200, at: float = 15.0, connect_ms: float = 0.0
) -> Row:
    """One request, by default a good one on the plateau."""
    return Row(at, endpoint, ms, connect_ms, status, 1)


def test_an_edge_is_counted_on_the_time_as_measured() -> None:
    """A time equal to the limit violates p(95)<1000 and meets p(95)<=1000; one bit below meets both."""
    rows = [row(math.nextafter(1000, 0)), row(1000.0), row(math.nextafter(1000, 2000))]
    _, duration = measure(rows, [BELOW, AT_MOST], labels={}, span=(0, 1))
    assert duration.exceedances == {BELOW.edge: 2, AT_MOST.edge: 1}


def test_failed_requests_lie_above_every_edge() -> None:
    """A fast 500 and a request without an answer count as failures and as slow, and are in no histogram."""
    failed, duration = measure(
        [row(), row(1.0, status=500), row(1.0, status=0), row(1.0, status=302)],
        [BELOW],
        labels={},
        span=(0, 1),
    )
    assert (failed.n, failed.failures) == (4, 3)
    assert failed.details["statuses"] == {"200": 1, "302": 1, "500": 1, "no answer": 1}
    assert (duration.n, duration.exceedances) == (4, {BELOW.edge: 3})
    assert duration.histogram is not None
    assert sum(duration.histogram.counts.values()) == 1


def test_a_sign_in_counts_among_the_failures_only() -> None:
    """A slow sign-in is no slow endpoint, and a refused one is a failed request."""
    failed, duration = measure(
        [row(), row(9_000.0, endpoint=SIGN_IN, status=401)], [BELOW], labels={}, span=(0, 1)
    )
    assert (failed.n, failed.failures, failed.details["sign_ins"]) == (2, 1, 1)
    assert (duration.n, duration.exceedances) == (1, {BELOW.edge: 0})


def test_connecting_is_told_apart() -> None:
    """The time to connect is in the details, and in no duration."""
    _, duration = measure(
        [row(5.0, connect_ms=900.0), row(5.0), row(5.0, connect_ms=100.0)], [BELOW], labels={}, span=(0, 1)
    )
    assert (duration.details["connects"], duration.details["connect_median_ms"]) == (2, 500.0)
    assert duration.details["worst_ms"] == 5.0


def test_raw_times_come_back_to_the_last_bit(tmp_path: Path) -> None:
    """What is read back is what was measured, so that judging again gives the same counts."""
    times = RawTimes(tmp_path / "load.csv")
    written = [row(math.nextafter(1000, 0), connect_ms=0.1 + 0.2), row(1 / 3, endpoint=SIGN_IN, status=0)]
    for one in written:
        times.add(one)
    assert read(times.path) == (written, []), "each row is in the file before it is closed"
    times.close()
    times.close()


@pytest.mark.parametrize("cut", [1, 2, 9])
def test_a_torn_last_row_is_dropped_and_named(tmp_path: Path, cut: int) -> None:
    """A kill in the middle of a line costs that line, even where its beginning reads well."""
    times = RawTimes(tmp_path / "load.csv")
    times.add(row())
    times.add(row())
    times.close()
    times.path.write_bytes(times.path.read_bytes()[:-cut])
    rows, dropped = read(times.path)
    assert rows == [row()]
    assert dropped == ["load.csv: its last line is torn and was dropped"]


def test_a_broken_line_in_the_middle_is_refused(tmp_path: Path) -> None:
    """Evidence that somebody edited is not judged."""
    path = tmp_path / "load.csv"
    path.write_text(RawTimes.HEADER + "1.0,0,twenty,0.0,200,1,1\n1.0,0,20.0,0.0,200,1,1\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match="line 2"):
        read(path)
