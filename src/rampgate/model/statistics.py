"""The statistics behind a verdict: exact binomial bounds, and the stated model for a median.

Rates and quantiles share one engine: "p95 below 1000 ms" says that fewer than 5 % take 1000 ms or more.
Wilson's and the normal bounds are not used: in the far tail they err more often than they say.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from statistics import NormalDist, median, stdev
from typing import TYPE_CHECKING, NamedTuple

from rampgate.model.measurement import GROWTH
from rampgate.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.model.measurement import Histogram

SD_FLOOR = 3.0
"""Points: Lighthouse's performance never varies less than this, however alike a few of its scores look."""
MODEL_ALPHA = 0.05
"""One-sided risk of the median model, the same for a pass and for a fail."""
FEWEST_SCORES = 3
"""Scores below which a median says nothing."""
_MEDIAN_FACTOR = 1.2533
_FARTHEST = 10**12


class Bounds(NamedTuple):
    """A lower and an upper bound; None where the sample gives none."""

    low: float | None
    high: float | None


def upper(k: float, n: float, alpha: float) -> float:
    """The exact upper bound of a proportion, one-sided at confidence 1 - alpha.

    Source: Clopper & Pearson, Biometrika 26 (1934) 404, in its beta form. A k that is no integer gives
    the smooth continuation, which ``needed`` searches.
    """
    from scipy.special import betainccinv

    return 1.0 if k >= n else float(betainccinv(k + 1, n - k, alpha))


def lower(k: float, n: float, alpha: float) -> float:
    """The exact lower bound of a proportion, one-sided at confidence 1 - alpha (source: see ``upper``)."""
    from scipy.special import betaincinv

    return 0.0 if k <= 0 else float(betaincinv(k, n - k + 1, alpha))


def three_way(k: int, n: int, limit: float, alpha_pass: float, alpha_fail: float) -> Outcome:
    """Is the true proportion below the limit (passed), above it (failed), or may it be either (undecided)?

    The binomial tails at the limit itself, which is the same as comparing the Clopper-Pearson bounds with
    it, without the rounding of an inverse. Passed is wrong at most with probability alpha_pass, failed
    with alpha_fail.

    Raises:
        ValueError: no 0 <= k <= n, a limit outside (0, 1), an alpha outside (0, 0.5).
    """
    _demand(k, n, limit)
    for alpha in (alpha_pass, alpha_fail):
        if not 0 < alpha < 0.5:  # noqa: PLR2004 - at one half a sample could both pass and fail
            raise ValueError(f"alpha must lie between 0 and 0.5, found {alpha}")
    if _at_most(k, n, limit) <= alpha_pass:
        return Outcome.PASSED
    if _at_least(k, n, limit) <= alpha_fail:
        return Outcome.FAILED
    return Outcome.UNDECIDED


def needed(k: int, n: int, limit: float, alpha_pass: float, alpha_fail: float) -> int | None:
    """About how many more observations decide, if the observed rate goes on; 0 when it is decided.

    Without any observation: as many as pass when none of them fails. None when the observed rate sits so
    near the limit that no number decides. Source: bisection on the continued Clopper-Pearson bounds.

    Raises:
        ValueError: see ``three_way``.
    """
    if three_way(k, n, limit, alpha_pass, alpha_fail) is not Outcome.UNDECIDED:
        return 0
    rate = k / n if n else 0.0

    def decides(total: int) -> bool:
        if rate < limit:
            return upper(rate * total, total, alpha_pass) <= limit
        return lower(rate * total, total, alpha_fail) > limit

    end = max(n, 1)
    while not decides(end):
        end *= 2
        if end > _FARTHEST:
            return None
    total = bisect_left(range(end), x=True, lo=n, key=decides)
    return max(1, total - n)


def two_sided(k: int, n: int, share: float) -> float:
    """The p-value of "the true proportion is this share", exact and two-sided.

    Twice the smaller binomial tail (Clopper & Pearson 1934; Fay, R Journal 2 (2010) 53, calls it central):
    it rejects exactly when ``share_interval`` at the same alpha leaves the share out.

    Raises:
        ValueError: no 0 <= k <= n, or a share outside 0 to 1.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no count")
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies between 0 and 1, found {share}")
    return min(1.0, 2 * min(_at_most(k, n, share), _at_least(k, n, share)))


def share_interval(k: int, n: int, alpha: float) -> tuple[float, float]:
    """The Clopper-Pearson interval of a proportion at confidence 1 - alpha, half of alpha on each side."""
    return lower(k, n, alpha / 2), upper(k, n, alpha / 2)


def rarest_seen(n: int) -> float:
    """The share that n observations miss with probability 1e-3: (1 - share)^n = 1e-3."""
    return float(1 - 1e-3 ** (1 / n)) if n else 1.0


def surely_above(n: int, share: float, alpha: float) -> int:
    """The count that so many of n reach with probability alpha at most where this share is; n + 1: none.

    Binomial: whoever counts them one by one may stop at that number, and it stays the same test.
    """
    return bisect_left(range(n + 1), x=True, key=lambda k: _at_least(k, n, share) <= alpha)


def share_error(n: int, share: float, alpha: float) -> float:
    """The smallest error of an observed share of n that ``two_sided`` rejects at alpha, on either side.

    A side on which no count is rejected does not limit it: see ``fewest_of_share``.
    """
    middle = n * share
    above = range(math.ceil(middle), n + 1)
    below = range(math.floor(middle), -1, -1)
    found = [
        abs(side[at] / n - share)
        for side in (above, below)
        if (at := bisect_left(side, x=True, key=lambda k: two_sided(k, n, share) <= alpha)) < len(side)
    ]
    return max(found, default=1.0)


def fewest_of_share(share: float, alpha: float) -> int:
    """How many observations ``two_sided`` needs to reject this share at alpha when none, or all, are on."""
    rarer = max(share, 1 - share)
    return 1 if rarer >= 1 else math.ceil(math.log(alpha / 2) / math.log(rarer))


def quantile_ranks(n: int, q: float, alpha: float) -> tuple[int | None, int | None]:
    """Ranks, counted from 1, of the two observations that bound the q-quantile, each at 1 - alpha.

    Source: order statistics; the count of observations below the quantile is binomial (n, q). Hahn &
    Meeker, Statistical Intervals (1991), 5.2. None where the sample is too small for a bound.
    """
    from scipy.special import bdtr

    def below(count: int) -> float:
        return float(bdtr(count, n, q))

    low = bisect_right(range(n), alpha, key=below)
    high = bisect_left(range(n), 1 - alpha, key=below) + 1
    return low or None, high if high <= n else None


def quantile_point(histogram: Histogram, q: float, *, missing: int = 0) -> float | None:
    """The nearest-rank q-quantile for display, None when it lies among those that never answered."""
    rank = max(1, math.ceil(q * (sum(histogram.counts.values()) + missing)))
    index = _bucket(histogram, rank)
    return None if index is None else float(GROWTH ** (index + 0.5))


def quantile_bounds(histogram: Histogram, q: float, alpha: float, *, missing: int = 0) -> Bounds:
    """Bounds of the q-quantile for display, each one-sided at 1 - alpha.

    Args:
        histogram: those that answered; a bound is the outer edge of its bucket.
        q: the quantile, between 0 and 1.
        alpha: one-sided, for either bound.
        missing: how many never answered: they lie above all that did.
    """
    answered = sum(histogram.counts.values())
    low, high = quantile_ranks(answered + missing, q, alpha)
    below, above = _bucket(histogram, low), _bucket(histogram, high)
    return Bounds(
        None if below is None else GROWTH**below,
        None if above is None else GROWTH ** (above + 1),
    )


def median_bounds(
    scores: Sequence[float], alpha: float = MODEL_ALPHA, floor: float = SD_FLOOR
) -> tuple[float, float, float]:
    """Median of a few scores of 0 to 100, and its bounds, each one-sided at 1 - alpha: (median, low, high).

    A model, no exact test: scores scatter normally, and a median errs by 1.2533 sd / sqrt(n) (asymptotic:
    sqrt(pi/2); Kendall & Stuart, Advanced Theory, 10.11). The bound is the wider of two: the floor as a known
    deviation, with the normal quantile, and the scores' own, with Student's t at n - 1 degrees of freedom
    (Student, 1908), since it is estimated from so few.

    Args:
        scores: three or more.
        alpha: the risk at each side.
        floor: the least standard deviation, in points.

    Raises:
        ValueError: fewer scores than FEWEST_SCORES.
    """
    if len(scores) < FEWEST_SCORES:
        raise ValueError(f"{len(scores)} scores; a median needs {FEWEST_SCORES}")
    middle = median(scores)
    from scipy.special import stdtrit

    known = NormalDist().inv_cdf(1 - alpha) * floor
    estimated = float(stdtrit(len(scores) - 1, 1 - alpha)) * stdev(scores)
    reach = _MEDIAN_FACTOR * max(known, estimated) / math.sqrt(len(scores))
    return middle, max(0.0, middle - reach), min(100.0, middle + reach)


def _demand(k: int, n: int, limit: float) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no count")
    if not 0 < limit < 1:
        raise ValueError(f"a limit lies between 0 and 1, found {limit}")


def _at_most(k: int, n: int, p: float) -> float:
    """P(at most k of n), binomial with p."""
    from scipy.special import bdtr

    return float(bdtr(k, n, p))


def _at_least(k: int, n: int, p: float) -> float:
    """P(at least k of n), binomial with p."""
    from scipy.special import bdtrc

    return 1.0 if k == 0 else float(bdtrc(k - 1, n, p))


def _bucket(histogram: Histogram, rank: int | None) -> int | None:
    """The bucket that holds the observation of this rank, None when it is beyond all that answered."""
    seen = 0
    for index in sorted(histogram.counts):
        seen += histogram.counts[index]
        if rank is not None and rank <= seen:
            return index
    return None
