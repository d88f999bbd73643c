"""Whether a number after a deploy differs from the one before it by more than chance explains. Pure."""

from __future__ import annotations

import math
from enum import StrEnum
from statistics import NormalDist, median, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.model.statistics import Bounds

ALPHA = 1e-3
"""Two-sided: of comparisons where nothing has changed, so many are called beyond noise at most."""
QUANTILE_ALPHA = ALPHA / 4
"""Of each bound: two must err together before two quantiles are called apart, on either side."""
_MEDIAN_FACTOR = 1.2533


class Difference(StrEnum):
    """What can be said of a difference."""

    BEYOND = "beyond noise"
    WITHIN = "within noise"
    UNKNOWN = "cannot be said"


def of_rates(before: tuple[int, int], after: tuple[int, int]) -> Difference:
    """Two shares, each a count of how many; the exact conditional test (Fisher 1935), twice the smaller tail.

    Args:
        before: count and number of observations.
        after: the same, later.
    """
    (k1, n1), (k2, n2) = before, after
    if not n1 or not n2:
        return Difference.UNKNOWN
    k, fewest, most = k1 + k2, max(0, k1 + k2 - n2), min(n1, k1 + k2)

    def tail(counts: range) -> float:
        return sum(math.exp(_choose(n1, x) + _choose(n2, k - x) - _choose(n1 + n2, k)) for x in counts)

    p = 2 * min(tail(range(fewest, k1 + 1)), tail(range(k1, most + 1)))
    return Difference.BEYOND if p <= ALPHA else Difference.WITHIN


def of_scores(before: Sequence[float], after: Sequence[float], floor: float) -> Difference:
    """Two medians of scores, by the model of ``median_bounds``: they scatter normally.

    Args:
        before: one score or more.
        after: the same, later.
        floor: the least standard deviation of a score, in points.
    """
    if not before or not after:
        return Difference.UNKNOWN

    def variance(scores: Sequence[float]) -> float:
        own = stdev(scores) if len(scores) > 1 else 0.0
        return (_MEDIAN_FACTOR * max(floor, own)) ** 2 / len(scores)

    reach = NormalDist().inv_cdf(1 - ALPHA / 2) * math.sqrt(variance(before) + variance(after))
    far = abs(median(after) - median(before)) > reach
    return Difference.BEYOND if far else Difference.WITHIN


def of_quantiles(before: Bounds, after: Bounds) -> Difference:
    """Two quantiles by their exact bounds, each one-sided at ``QUANTILE_ALPHA``: do they overlap?"""
    if None in {*before, *after}:
        return Difference.UNKNOWN
    (low, high), (later_low, later_high) = before, after
    apart = (high or 0.0) < (later_low or 0.0) or (later_high or 0.0) < (low or 0.0)
    return Difference.BEYOND if apart else Difference.WITHIN


def _choose(n: int, k: int) -> float:
    """The logarithm of n over k."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
