"""Floor 6. What is judged of a load run: its cells, and the measurements that are made of each."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from rampgate.load.seconds import ranked
from rampgate.load.table import SIGN_IN
from rampgate.model.measurement import GROWTH, Histogram, Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rampgate.judging.threshold import Threshold
    from rampgate.load.table import Column, Table

FAILED, DURATION = "http_req_failed", "http_req_duration"


def measure(
    table: Table,
    thresholds: Iterable[Threshold],
    *,
    labels: Mapping[str, str],
    span: tuple[float, float],
) -> list[Measurement]:
    """``http_req_failed`` and ``http_req_duration`` of these requests.

    A failed request lies above every edge; a sign-in counts among the failures only.

    Args:
        table: the requests.
        thresholds: whose edges are counted, each exactly.
        labels: what the requests have in common.
        span: seconds since the epoch, from and to.
    """
    import numpy as np

    timed = table.where(table.endpoint != SIGN_IN)
    times = np.sort(np.where(timed.ok, timed.duration_ms, np.inf))
    good = times[np.isfinite(times)]
    connects = table.connect_ms[table.connect_ms > 0]
    counted = [threshold for threshold in thresholds if threshold.edge is not None]
    quantiles = {threshold.quantile for threshold in counted if threshold.quantile is not None}
    common = {"labels": dict(labels), "start": span[0], "end": span[1]}
    failed = Measurement(
        FAILED,
        n=len(table),
        failures=int(np.count_nonzero(~table.ok)),
        details={"statuses": _statuses(table), "sign_ins": len(table) - len(timed)},
        **common,  # type: ignore[arg-type]  # the fields differ in type, a dict of them cannot say so
    )
    duration = Measurement(
        DURATION,
        "ms",
        n=len(timed),
        exceedances={t.edge: int(np.count_nonzero(times > t.edge)) for t in counted if t.edge is not None},
        histogram=_histogram(good),
        details={
            "median_ms": _rounded(float(np.median(good)) if len(good) else None),
            "worst_ms": _rounded(float(good[-1]) if len(good) else None),
            **{f"p{100 * q:g}_ms": _rounded(ranked(times, q)) for q in sorted(quantiles)},
            "connects": len(connects),
            "connect_median_ms": _rounded(float(np.median(connects)) if len(connects) else None),
        },
        **common,  # type: ignore[arg-type]  # as above
    )
    return [failed, duration]


def _statuses(table: Table) -> dict[str, int]:
    counted = Counter(str(status) if status else "no answer" for status in table.status.tolist())
    return dict(sorted(counted.items()))


def _histogram(times: Column) -> Histogram:
    import numpy as np

    buckets = np.floor(np.log(np.maximum(times, 1e-3)) / math.log(GROWTH)).astype(int)
    return Histogram(
        dict(zip(*(each.tolist() for each in np.unique(buckets, return_counts=True)), strict=True))
    )


def _rounded(value: float | None) -> float | None:
    """To the microsecond."""
    return None if value is None else round(value, 3)
