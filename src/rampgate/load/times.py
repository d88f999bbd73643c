"""Floor 6. The raw times of a load run: one line per request, and the measurements that are made from them.

A line is written by one os.write to a file opened with O_APPEND as soon as its request has ended, so that a
kill at any point keeps what was measured and tears the last line at most.
"""

from __future__ import annotations

import math
import os
import statistics
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from rampgate.errors import EvidenceError
from rampgate.judging.threshold import exceeds
from rampgate.model.measurement import Histogram, Measurement
from rampgate.probes.ask import is_2xx

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rampgate.judging.threshold import Threshold

SIGN_IN = -1
"""The endpoint index of a sign-in: its failure counts, its time is not one of an endpoint."""
OUTSIDE = -1
"""The phase of a request that was sent before or after the ramp."""
FAILED, DURATION = "http_req_failed", "http_req_duration"


class Row(NamedTuple):
    """One request.

    Args:
        start_s: when it was sent, in seconds since the ramp began.
        endpoint: its index among the endpoints under load, or SIGN_IN.
        duration_ms: from sending to the last byte of the answer, or to the failure, connecting left out.
        connect_ms: name look-up, connecting and TLS; 0 on a connection that was open.
        status: the HTTP status, 0 when no whole answer came.
        phase: the stage of the ramp that it was sent in, or OUTSIDE.
    """

    start_s: float
    endpoint: int
    duration_ms: float
    connect_ms: float
    status: int
    phase: int

    @property
    def ok(self) -> bool:
        """Whether the whole answer came, with a status that says success."""
        return is_2xx(self.status)


class RawTimes:
    """Appends requests to a file.

    Args:
        path: must not exist.

    Raises:
        EvidenceError: it cannot be written.
    """

    HEADER = "start_s,endpoint,duration_ms,connect_ms,status,phase,ok\n"

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError as error:
            raise EvidenceError(f"{path}: cannot be written: {error.strerror}") from None
        self._write(self.HEADER)

    def add(self, row: Row) -> None:
        """Append one request. Times are written to the last bit: an edge is counted on what was measured.

        Raises:
            EvidenceError: the disk is full.
        """
        self._write(
            f"{row.start_s:.6f},{row.endpoint},{row.duration_ms!r},{row.connect_ms!r},"
            f"{row.status},{row.phase},{int(row.ok)}\n"
        )

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, line: str) -> None:
        data = line.encode()
        if os.write(self._file, data) != len(data):
            raise EvidenceError(f"{self.path}: a request could not be written whole (disk full?)")


def read(path: Path) -> tuple[list[Row], list[str]]:
    """Read the requests back, and one sentence for a torn last line, which is dropped.

    Raises:
        EvidenceError: the file cannot be read, or a line other than the last is broken.
    """
    try:
        *lines, torn = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EvidenceError(f"{path}: cannot be read: {error}") from None
    if lines and f"{lines[0]}\n" != RawTimes.HEADER:
        raise EvidenceError(f"{path}: its first line is not {RawTimes.HEADER.strip()}")
    rows = []
    for number, line in enumerate(lines[1:], 2):
        try:
            rows.append(_row(line))
        except ValueError:
            raise EvidenceError(f"{path}: line {number} is not a request") from None
    # A line without its end may read well and be wrong: 12.5 can be the beginning of 12.578.
    return rows, [f"{path.name}: its last line is torn and was dropped"] if torn else []


def _row(line: str) -> Row:
    start, endpoint, duration, connect, status, phase, _ = line.split(",")
    return Row(float(start), int(endpoint), float(duration), float(connect), int(status), int(phase))


def measure(
    rows: Sequence[Row],
    thresholds: Iterable[Threshold],
    *,
    labels: Mapping[str, str],
    span: tuple[float, float],
) -> list[Measurement]:
    """``http_req_failed`` and ``http_req_duration`` of these requests.

    A failed request lies above every edge; a sign-in counts among the failures only.

    Args:
        rows: the requests.
        thresholds: whose edges are counted, each exactly.
        labels: what the requests have in common.
        span: seconds since the epoch, from and to.
    """
    timed = [row for row in rows if row.endpoint != SIGN_IN]
    good = [row.duration_ms for row in timed if row.ok]
    lost = len(timed) - len(good)
    connects = [row.connect_ms for row in rows if row.connect_ms > 0]
    statuses = Counter(str(row.status) if row.status else "no answer" for row in rows)
    common = {"labels": dict(labels), "start": span[0], "end": span[1]}
    failed = Measurement(
        FAILED,
        n=len(rows),
        failures=sum(not row.ok for row in rows),
        details={"statuses": dict(sorted(statuses.items())), "sign_ins": len(rows) - len(timed)},
        **common,  # type: ignore[arg-type]  # the fields differ in type, a dict of them cannot say so
    )
    duration = Measurement(
        DURATION,
        "ms",
        n=len(timed),
        exceedances={
            t.edge: lost + sum(exceeds(t, ms) for ms in good) for t in thresholds if t.edge is not None
        },
        histogram=Histogram.of(good),
        details={
            "median_ms": _rounded(statistics.median(good) if good else None),
            "worst_ms": _rounded(max(good, default=None)),
            "connects": len(connects),
            "connect_median_ms": _rounded(statistics.median(connects) if connects else None),
        },
        **common,  # type: ignore[arg-type]  # as above
    )
    return [failed, duration]


def _rounded(value: float | None) -> float | None:
    """To the microsecond."""
    return value if value is None or not math.isfinite(value) else round(value, 3)
