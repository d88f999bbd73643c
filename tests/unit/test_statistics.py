import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from rampgate.judging.judge import judge
from rampgate.judging.threshold import parse
from rampgate.model import statistics
from rampgate.model.measurement import GROWTH, Histogram, Measurement
from rampgate.outcome import Outcome

ALPHA = 1e-3


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    """A count of a sample: (k, n) with 0 <= k <= n."""
    n = draw(st.integers(1, 5000))
    return draw(st.integers(0, n)), n


alphas = st.sampled_from([0.05, 1e-2, 1e-3, 1e-5])


@given(counts(), alphas)
@settings(max_examples=60, deadline=None)
def test_bounds_are_those_of_clopper_and_pearson(count: tuple[int, int], alpha: float) -> None:
    """Both one-sided bounds are the ends of scipy's exact interval at twice the alpha."""
    k, n = count

    interval = binomtest(k, n).proportion_ci(1 - 2 * alpha, method="exact")

    assert statistics.lower(k, n, alpha) == pytest.approx(interval.low, abs=1e-9)
    assert statistics.upper(k, n, alpha) == pytest.approx(interval.high, abs=1e-9)


@given(counts(), alphas)
@settings(max_examples=60, deadline=None)
def test_bounds_move_with_the_count(count: tuple[int, int], alpha: float) -> None:
    """One failure more never lowers a bound, one success more never raises one, and the rate lies between."""
    k, n = count

    assert 0 <= statistics.lower(k, n, alpha) <= k / n <= statistics.upper(k, n, alpha) <= 1
    assert statistics.upper(k, n + 1, alpha) <= statistics.upper(k + 1, n + 1, alpha)
    assert statistics.lower(k, n + 1, alpha) <= statistics.lower(k + 1, n + 1, alpha)
    assert statistics.upper(k, n + 1, alpha) <= statistics.upper(k, n, alpha)
    assert statistics.lower(k, n + 1, alpha) <= statistics.lower(k, n, alpha)


@pytest.mark.parametrize(
    ("k", "low", "high"),
    [(0, 0.0, 1 - 0.05 ** (1 / 20)), (20, 0.05 ** (1 / 20), 1.0)],
    ids=["none of 20: the upper bound has a closed form", "all of 20: so has the lower bound"],
)
def test_bounds_at_the_ends(k: int, low: float, high: float) -> None:
    """Nothing failed and everything failed have bounds, one of them trivial."""
    assert statistics.lower(k, 20, 0.05) == pytest.approx(low)
    assert statistics.upper(k, 20, 0.05) == pytest.approx(high)


def test_published_interval() -> None:
    """3 of 1000 at 95 % is the interval that statsmodels and R print."""
    low, high = statistics.share_interval(3, 1000, 0.05)

    assert low == pytest.approx(0.000619, abs=5e-7)
    assert high == pytest.approx(0.008742, abs=5e-7)


@pytest.mark.parametrize(
    ("n", "passes", "fails"),
    [(300, None, 16), (1000, 7, 36), (6000, 87, 156), (60_000, 1094, 1308)],
    ids=["300 cannot pass", "1,000", "6,000", "60,000"],
)
def test_two_percent_at_one_in_a_thousand(n: int, passes: int | None, fails: int) -> None:
    """The greatest count that passes and the least that fails, and nothing but undecided between them."""

    def outcome(k: int) -> Outcome:
        return statistics.three_way(k, n, 0.02, ALPHA, ALPHA)

    if passes is None:
        assert outcome(0) is Outcome.UNDECIDED
    else:
        assert outcome(passes) is Outcome.PASSED
        assert outcome(passes + 1) is Outcome.UNDECIDED
    assert outcome(fails - 1) is Outcome.UNDECIDED
    assert outcome(fails) is Outcome.FAILED


@pytest.mark.parametrize(
    ("alpha", "exceeding", "n"),
    [
        (0.05, 0, 59), (0.05, 1, 93), (0.05, 2, 124), (0.05, 5, 208), (0.05, 10, 336),
        (1e-3, 0, 135), (1e-3, 1, 181), (1e-3, 2, 220), (1e-3, 5, 324), (1e-3, 10, 476),
        (1e-4, 0, 180), (1e-4, 10, 547),
    ],
)  # fmt: skip
def test_requests_that_show_a_p95(alpha: float, exceeding: int, n: int) -> None:
    """So many requests with so many over the limit show a p95 below it, and one request fewer does not."""
    assert statistics.three_way(exceeding, n, 0.05, alpha, ALPHA) is Outcome.PASSED
    assert statistics.three_way(exceeding, n - 1, 0.05, alpha, ALPHA) is Outcome.UNDECIDED


@given(counts(), st.floats(0.01, 0.99), alphas, alphas)
@settings(max_examples=80, deadline=None)
def test_three_way_is_the_comparison_of_the_bounds(
    count: tuple[int, int], limit: float, alpha_pass: float, alpha_fail: float
) -> None:
    """Passed says that the upper bound is below the limit, failed that the lower is above it."""
    k, n = count
    high, low = statistics.upper(k, n, alpha_pass), statistics.lower(k, n, alpha_fail)

    outcome = statistics.three_way(k, n, limit, alpha_pass, alpha_fail)

    if min(abs(high - limit), abs(low - limit)) > 1e-9:
        expected = Outcome.PASSED if high < limit else Outcome.FAILED if low > limit else Outcome.UNDECIDED
        assert outcome is expected


@pytest.mark.parametrize("n", [50, 300, 2000])
@pytest.mark.parametrize("limit", [0.02, 0.05])
def test_neither_error_is_likelier_than_its_alpha(n: int, limit: float) -> None:
    """At the limit itself, summed over all counts: a fail at most alpha_fail, a pass at most alpha_pass."""
    outcomes = {k: statistics.three_way(k, n, limit, 1e-3, 1e-2) for k in range(n + 1)}

    def chance(wrong: Outcome) -> float:
        return float(sum(binom.pmf(k, n, limit) for k, outcome in outcomes.items() if outcome is wrong))

    assert chance(Outcome.PASSED) <= 1e-3
    assert 0 < chance(Outcome.FAILED) <= 1e-2


def test_no_sample_decides_nothing() -> None:
    """Zero of zero is undecided."""
    assert statistics.three_way(0, 0, 0.02, ALPHA, ALPHA) is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("k", "n", "limit", "alpha"),
    [
        (-1, 10, 0.02, ALPHA), (11, 10, 0.02, ALPHA), (1, 10, 0.0, ALPHA), (1, 10, 1.0, ALPHA),
        (1, 10, 0.02, 0.0), (1, 10, 0.02, 0.5),
    ],
)  # fmt: skip
def test_nonsense_is_refused(k: int, n: int, limit: float, alpha: float) -> None:
    """Counts, limits and alphas that cannot be are errors, on either alpha."""
    with pytest.raises(ValueError, match=r"found|no count"):
        statistics.three_way(k, n, limit, alpha, ALPHA)
    with pytest.raises(ValueError, match=r"found|no count"):
        statistics.three_way(k, n, limit, ALPHA, alpha)


def test_needed_without_any_request_is_the_best_case() -> None:
    """Nothing seen: as many as show 2 % when none of them fails, ln(0.001) / ln(0.98)."""
    assert statistics.needed(0, 0, 0.02, ALPHA, ALPHA) == 342


@pytest.mark.parametrize(
    ("k", "n", "why"),
    [(0, 100, "towards a pass"), (10, 1000, "towards a slow pass"), (3, 60, "towards a fail")],
)
def test_needed_is_where_the_sample_decides(k: int, n: int, why: str) -> None:
    """When the observed rate goes on, the forecast number decides, and one failure less of it does not."""
    more = statistics.needed(k, n, 0.02, ALPHA, ALPHA)
    assert more is not None, why
    step = n // math.gcd(k, n)
    before = (n + more - 1) // step * step

    def goes_on(total: int) -> Outcome:
        return statistics.three_way(total * k // n, total, 0.02, ALPHA, ALPHA)

    assert goes_on(before) is Outcome.UNDECIDED
    assert goes_on(before + step) is not Outcome.UNDECIDED


def test_needed_when_decided_is_nothing() -> None:
    """A decided sample needs no more."""
    assert statistics.needed(7, 1000, 0.02, ALPHA, ALPHA) == 0
    assert statistics.needed(36, 1000, 0.02, ALPHA, ALPHA) == 0


def test_needed_at_the_limit_is_unknown() -> None:
    """A rate that sits at the limit is decided by no number."""
    assert statistics.needed(4, 200, 0.02, ALPHA, ALPHA) is None


@given(counts(), st.floats(0.01, 0.99), alphas)
@settings(max_examples=60, deadline=None)
def test_two_sided_agrees_with_its_interval(count: tuple[int, int], share: float, alpha: float) -> None:
    """A share is rejected exactly when the interval leaves it out."""
    k, n = count
    low, high = statistics.share_interval(k, n, alpha)

    if min(abs(share - low), abs(share - high)) > 1e-9:
        assert (statistics.two_sided(k, n, share) <= alpha) == (not low <= share <= high)


@pytest.mark.parametrize(("on", "rejected"), [(4730, True), (4731, False), (5272, False), (5273, True)])
def test_acceptance_region_of_a_quarter(on: int, rejected: bool) -> None:
    """Of 20,000 users at 25 % and alpha 1e-5, 4,731 to 5,272 on are accepted."""
    assert (statistics.two_sided(on, 20_000, 0.25) <= 1e-5) is rejected


@pytest.mark.parametrize(
    ("k", "share", "p"),
    [(0, 0.0, 1.0), (1, 0.0, 0.0), (50, 1.0, 1.0), (49, 1.0, 0.0), (25, 0.5, 1.0)],
    ids=["none at 0 %", "one at 0 %", "all at 100 %", "one short of 100 %", "exactly half"],
)
def test_two_sided_at_the_ends(k: int, share: float, p: float) -> None:
    """At 0 and 100 % a single user on the wrong side is proof; at the share itself nothing is."""
    assert statistics.two_sided(k, 50, share) == p


@pytest.mark.parametrize(("k", "share"), [(-1, 0.5), (51, 0.5), (1, -0.1), (1, 1.1)])
def test_two_sided_refuses_nonsense(k: int, share: float) -> None:
    """Counts and shares that cannot be are errors."""
    with pytest.raises(ValueError, match=r"no count|between 0 and 1"):
        statistics.two_sided(k, 50, share)


def test_rank_that_bounds_a_p95() -> None:
    """59 values bound the p95 by their greatest at 95 %, 58 bound it by none."""
    assert statistics.quantile_ranks(59, 0.95, 0.05)[1] == 59
    assert statistics.quantile_ranks(58, 0.95, 0.05)[1] is None
    assert statistics.quantile_ranks(0, 0.95, 0.05) == (None, None)


@given(st.integers(1, 3000), st.sampled_from([0.5, 0.9, 0.95, 0.99]), alphas)
@settings(max_examples=60, deadline=None)
def test_ranks_hold_their_confidence(n: int, q: float, alpha: float) -> None:
    """Each rank errs at most alpha, and the next tighter one would err more."""
    low, high = statistics.quantile_ranks(n, q, alpha)

    if low is not None:
        assert binom.cdf(low - 1, n, q) <= alpha + 1e-12
    assert binom.cdf(low or 0, n, q) > alpha - 1e-12
    if high is not None:
        assert binom.cdf(high - 1, n, q) >= 1 - alpha - 1e-12
        assert high == 1 or binom.cdf(high - 2, n, q) < 1 - alpha + 1e-12
    else:
        assert binom.cdf(n - 1, n, q) < 1 - alpha + 1e-12


def test_quantile_bounds_are_edges_of_buckets_around_the_values() -> None:
    """The bounds enclose the values of their ranks by no more than a bucket."""
    values = [float(value) for value in range(1, 1001)]
    low_rank, high_rank = statistics.quantile_ranks(1000, 0.95, ALPHA)
    assert low_rank is not None
    assert high_rank is not None

    low, high = statistics.quantile_bounds(Histogram.of(values), 0.95, ALPHA)

    assert low is not None
    assert high is not None
    assert low <= values[low_rank - 1] < low * GROWTH * (1 + 1e-12)
    assert high / GROWTH <= values[high_rank - 1] * (1 + 1e-12) < high * (1 + 1e-12)


def test_requests_without_an_answer_lie_above_all_answers() -> None:
    """With a tenth unanswered the p95 has no point and no upper bound, and its p50 still has both."""
    histogram = Histogram.of([100.0] * 900)

    assert statistics.quantile_point(histogram, 0.95, missing=100) is None
    assert statistics.quantile_bounds(histogram, 0.95, ALPHA, missing=100).high is None
    assert statistics.quantile_point(histogram, 0.5, missing=100) == pytest.approx(100, rel=0.005)
    assert statistics.quantile_bounds(histogram, 0.5, ALPHA, missing=100).high == pytest.approx(100, rel=0.01)
    assert statistics.quantile_point(histogram, 0.95) == histogram.quantile(0.95)


def test_nothing_has_no_bounds() -> None:
    """An empty histogram gives neither point nor bound."""
    assert statistics.quantile_point(Histogram(), 0.95) is None
    assert statistics.quantile_bounds(Histogram(), 0.95, ALPHA) == (None, None)


def audited(metric: str) -> Outcome:
    """What three audits that came to 96 are judged as, where 95 is wanted."""
    seen = Measurement(metric, n=3, values=(96.0, 96.0, 96.0))
    return judge(parse(f"{metric} >= 95"), seen, alpha_fail=1e-4, alpha_pass=1e-3).outcome


@pytest.mark.parametrize(
    ("scores", "middle", "reach"),
    [
        ((88, 89, 90), 89, 1.6449 * 1.2533 * 3 / 3**0.5),
        ((88, 88, 88, 88, 88), 88, 1.6449 * 1.2533 * 3 / 5**0.5),
        ((60, 70, 80), 70, 2.91999 * 1.2533 * 10 / 3**0.5),
    ],
    ids=[
        "alike scores: the floor of 3",
        "five reach less far",
        "scattered scores: their own, by Student's t",
    ],
)
def test_median_model(scores: tuple[float, ...], middle: float, reach: float) -> None:
    """1.645 standard errors of a deviation of 3 from the median, or 2.92 of the scores' own, the wider."""
    assert statistics.median_bounds(scores) == pytest.approx(
        (middle, middle - reach, middle + reach), abs=1e-3
    )


def test_a_score_that_hardly_scatters_has_a_floor_of_its_own() -> None:
    """Three times 96 for accessibility is surely 95 or more; of performance it is not sure."""
    assert audited("lighthouse_accessibility_score") is Outcome.PASSED
    assert audited("lighthouse_performance_score") is Outcome.UNDECIDED


def test_median_bounds_stay_among_scores() -> None:
    """No bound leaves 0 to 100."""
    assert statistics.median_bounds((100, 100, 100))[2] == 100
    assert statistics.median_bounds((0, 0, 0))[1] == 0


def test_two_scores_have_no_median() -> None:
    """Fewer than three scores are refused."""
    with pytest.raises(ValueError, match="2 scores; a median needs 3"):
        statistics.median_bounds((90, 91))


@pytest.mark.parametrize(("users", "points"), [(750, 6.5), (2_000, 4), (7_500, 2)])
def test_the_smallest_error_of_share_that_so_many_users_show(users: int, points: float) -> None:
    """At 25 % and an alpha of 1e-4 to 3e-5, as a run of few or many flags has, to within half a point."""
    for alpha in (1e-4, 3e-5):
        error = statistics.share_error(users, 0.25, alpha)
        assert 100 * error == pytest.approx(points, abs=0.5)
        off = round(users * error)
        shares = round(users * 0.25) + off, round(users * 0.25) - off
        assert all(statistics.two_sided(on, users, 0.25) <= alpha for on in shares)
        assert any(
            statistics.two_sided(on - (1 if on > users / 4 else -1), users, 0.25) > alpha for on in shares
        )


@pytest.mark.parametrize("share", [0.01, 0.05, 0.25, 0.5, 0.99])
def test_fewer_users_do_not_tell_a_share_from_none_or_all(share: float) -> None:
    """From this many on, nobody or everybody being on is rejected; with one user less it is not."""
    fewest = statistics.fewest_of_share(share, 3e-5)

    def farthest(n: int) -> float:
        return min(max(statistics.two_sided(0, n, share), statistics.two_sided(n, n, share)), 1.0)

    assert farthest(fewest) <= 3e-5 < farthest(fewest - 1)
    assert statistics.fewest_of_share(0.0, 3e-5) == statistics.fewest_of_share(1.0, 3e-5) == 1


def test_the_share_that_so_many_observations_miss_once_in_a_thousand() -> None:
    """Fifty connections show an instance with 13 % of the traffic, 2,000 users an error of 0.35 %."""
    assert statistics.rarest_seen(50) == pytest.approx(0.129, abs=5e-4)
    assert (1 - statistics.rarest_seen(2_000)) ** 2_000 == pytest.approx(1e-3)
    assert statistics.rarest_seen(0) == 1.0


@pytest.mark.parametrize("n", [1, 2, 3, 10, 50, 250, 1_200])
def test_surely_above_is_the_first_count_that_is_so_rare(n: int) -> None:
    """So many are that rare where the share is true, and one fewer are not; of too few, none are."""
    fewest = statistics.surely_above(n, 0.02, 6e-5)
    assert binom.sf(fewest - 1, n, 0.02) <= 6e-5 < binom.sf(fewest - 2, n, 0.02)
