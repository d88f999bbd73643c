"""Whether a number after a deploy differs from the one before it by more than chance explains."""

from __future__ import annotations

import math

import pytest

from rampgate.model.differences import ALPHA, Difference, of_quantiles, of_rates, of_scores
from rampgate.model.statistics import Bounds


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ((0, 0), (1, 100), Difference.UNKNOWN),
        ((0, 600), (0, 4000), Difference.WITHIN),
        ((3, 600), (20, 4000), Difference.WITHIN),
        ((3, 600), (120, 4000), Difference.BEYOND),
        ((120, 4000), (3, 600), Difference.BEYOND),
        ((1, 10), (3, 10), Difference.WITHIN),
    ],
)
def test_a_rate_differs_by_its_counts(
    before: tuple[int, int], after: tuple[int, int], found: Difference
) -> None:
    """In either direction; what was counted too seldom is within noise, and nothing counted says nothing."""
    assert of_rates(before, after) is found


@pytest.mark.parametrize("rate", [0.001, 0.02, 0.5])
def test_the_same_rate_is_called_beyond_noise_as_seldom_as_is_said(rate: float) -> None:
    """The exact chance over all pairs of counts, of 60 and 40 observations with the same true rate."""
    from scipy.stats import binom

    before, after = binom(60, rate), binom(40, rate)
    wrong = sum(
        before.pmf(k1) * after.pmf(k2)
        for k1 in range(61)
        for k2 in range(41)
        if of_rates((k1, 60), (k2, 40)) is Difference.BEYOND
    )
    assert wrong <= ALPHA


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ((), (90,), Difference.UNKNOWN),
        ((96, 97, 95), (94,), Difference.WITHIN),
        ((96, 97, 95), (60, 61, 59), Difference.BEYOND),
        ((96, 50, 95), (60, 61, 59), Difference.WITHIN),
    ],
)
def test_a_score_differs_by_how_scores_scatter(
    before: tuple[float, ...], after: tuple[float, ...], found: Difference
) -> None:
    """By the floor of a score's scatter, and by its own where that is larger."""
    assert of_scores(before, after, 3.0) is found


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (Bounds(10, 12), Bounds(13, 15), Difference.BEYOND),
        (Bounds(13, 15), Bounds(10, 12), Difference.BEYOND),
        (Bounds(10, 12), Bounds(12, 15), Difference.WITHIN),
        (Bounds(10, 20), Bounds(12, 15), Difference.WITHIN),
        (Bounds(10, 12), Bounds(math.inf, math.inf), Difference.BEYOND),
        (Bounds(10, None), Bounds(20, 30), Difference.UNKNOWN),
    ],
)
def test_two_percentiles_differ_where_their_bounds_do_not_overlap(
    before: Bounds, after: Bounds, found: Difference
) -> None:
    """Bounds that touch are no difference; without a bound nothing can be said."""
    assert of_quantiles(before, after) is found
