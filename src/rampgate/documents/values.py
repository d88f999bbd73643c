"""One number of a measurement, and whether two of them differ beyond noise."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

from rampgate.model import formats
from rampgate.model.differences import QUANTILE_ALPHA, Difference, of_quantiles, of_rates, of_scores
from rampgate.model.metrics import METRICS
from rampgate.model.statistics import Bounds, quantile_bounds, quantile_point, quantile_ranks
from rampgate.outcome import Outcome

if TYPE_CHECKING:
    from rampgate.judging.threshold import Threshold
    from rampgate.model.measurement import Measurement

P95 = 0.95
_EXACT = ("bundle_bytes", "bundle_bytes_gzip")
_THOUSAND, _PER_CENT = 1000.0, 100.0


def point(seen: Measurement, q: float) -> float | None:
    """The value, the median of scores, a quantile of times, or a rate as a fraction; None: there is none.

    A quantile is infinite where so many requests failed that it lies among those.
    """
    if seen.values:
        return float(median(seen.values))
    if seen.histogram:
        found = quantile_point(seen.histogram, q, missing=_unanswered(seen))
        return math.inf if found is None and seen.n else found
    if seen.value is not None:
        return seen.value
    return seen.failures / seen.n if seen.failures is not None and seen.n else None


def shown(seen: Measurement, q: float) -> str:
    """The same as a reader sees it, with what it stands on."""
    value = point(seen, q)
    if value is None:
        return "no answer" if seen.histogram else "no value"
    if math.isinf(value):
        return f"none: too many of {seen.n:,} requests failed"
    if seen.metric in _EXACT:
        return f"{formats.number(value / _THOUSAND)} kB"
    if seen.value is None and not seen.values and not seen.histogram:
        return f"{formats.percent(value)} of {seen.n:,}"
    unit = "" if seen.unit == "score" else seen.unit
    of = (
        f" (median of {len(seen.values)})"
        if seen.values
        else f" ({seen.n:,} requests)"
        if seen.histogram
        else ""
    )
    return f"{formats.number(value)} {unit}".rstrip() + of


def difference(before: Measurement, after: Measurement, q: float) -> Difference:
    """By the exact bounds of quantiles, by the model of scores, exactly of rates and of bytes."""
    if before.values and after.values:
        return of_scores(before.values, after.values, METRICS[after.metric].sd_floor)
    if before.histogram and after.histogram:
        return of_quantiles(_bounds(before, q), _bounds(after, q))
    if after.metric in _EXACT:
        return Difference.BEYOND if before.value != after.value else Difference.WITHIN
    if before.failures is not None and after.failures is not None:
        return of_rates((before.failures, before.n), (after.failures, after.n))
    return Difference.UNKNOWN


def within(threshold: Threshold, seen: Measurement) -> Outcome | None:
    """Whether a quantile of times keeps a limit, by its exact bounds; None where it is none."""
    if threshold.quantile is None or seen.histogram is None:
        return None
    low, high = _bounds(seen, threshold.quantile)
    if high is not None and high <= threshold.limit:
        return Outcome.PASSED
    return Outcome.FAILED if low is not None and low > threshold.limit else Outcome.UNDECIDED


def _bounds(seen: Measurement, q: float) -> Bounds:
    """Exact ones; infinite where so many failed that it lies among those."""
    if seen.histogram is None:
        return Bounds(None, None)
    ranks = quantile_ranks(max(seen.n, sum(seen.histogram.counts.values())), q, QUANTILE_ALPHA)
    found = quantile_bounds(seen.histogram, q, QUANTILE_ALPHA, missing=_unanswered(seen))
    return Bounds(*(math.inf if rank and at is None else at for rank, at in zip(ranks, found, strict=True)))


def _unanswered(seen: Measurement) -> int:
    return max(0, seen.n - sum(seen.histogram.counts.values())) if seen.histogram else 0
