from __future__ import annotations

import copy
import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rampgate.judging.threshold import parse, validate
from rampgate.model.always_valid import ALARMS, BETS, AlwaysValidTest
from rampgate.model.metrics import METRICS, Kind

N = 1000
"""Requests of a second in these tests: a fraction is a multiple of 1/1000."""

histories = st.lists(st.one_of(st.integers(0, 60), st.integers(0, N)), max_size=25)
limits = st.sampled_from([0.001, 0.02, 0.05, 0.3, 0.7])


def told(watch: AlwaysValidTest, counts: list[int], start: int = 0, n: int = N) -> AlwaysValidTest:
    """The watch after these seconds."""
    for second, failing in enumerate(counts, start):
        watch.add(second, failing, n)
    return watch


def wealth_after(watch: AlwaysValidTest, failing: int) -> float:
    """The wealth if the next second were this one."""
    other = copy.deepcopy(watch)
    other.add(10_000, failing, N)
    return math.exp(other.log_wealth)


def seeded(seed: int, rate: float, bunches: int, size: int, seconds: int) -> list[int]:
    """Failing requests per second: whole bunches fail, each with this chance."""
    chance = random.Random(seed)  # noqa: S311 - a simulation, no secret
    return [size * sum(chance.random() < rate for _ in range(bunches)) for _ in range(seconds)]


@given(histories, limits, st.integers(0, N), st.integers(0, N))
@settings(max_examples=300, deadline=None)
def test_no_second_within_the_limit_gains_on_average(
    history: list[int], limit: float, low: int, high: int
) -> None:
    """After any past, the wealth grows on average under no two-point distribution whose mean is allowed."""
    watch = told(AlwaysValidTest(limit, 1e-4), history)
    low, high = min(low, high), max(low, high)
    if low > limit * N:
        low = 0
    # The heaviest chance of the higher point that keeps the mean at the limit.
    chance = 1.0 if high <= limit * N else (limit * N - low) / (high - low)
    mean = chance * wealth_after(watch, high) + (1 - chance) * wealth_after(watch, low)
    assert mean <= math.exp(watch.log_wealth) * (1 + 1e-9)


PATHS = [
    {0: 0.6, 50: 0.4},
    {0: 0.98, 1000: 0.02},
    {10: 2 / 3, 40: 1 / 3},
    {0: 0.63, 20: 0.3, 200: 0.07},
]


@pytest.mark.parametrize("chances", PATHS)
def test_ville_holds_exactly_over_every_path(chances: dict[int, float]) -> None:
    """Over all paths of eight seconds within the limit, e is 1 at most and firing as rare as alpha."""
    limit, alpha = 0.02, 0.2
    assert sum(failing * chance for failing, chance in chances.items()) <= limit * N + 1e-9
    mean = fired = 0.0
    for path in itertools.product(chances, repeat=8):
        watch = told(AlwaysValidTest(limit, alpha), list(path))
        weight = math.prod(chances[failing] for failing in path)
        mean += weight * math.exp(watch.log_wealth)
        fired += weight * (watch.fired_at is not None)
    assert mean <= 1 + 1e-9
    assert 0 < fired <= alpha


def test_simulated_services_at_the_limit_are_stopped_as_rarely_as_alpha() -> None:
    """400 runs of exactly the limit: independent, bunched, all at once, and trouble in 2 of 5 seconds."""
    alpha, runs, seconds = 0.05, 100, 120
    for kind, (bunches, size) in enumerate([(200, 1), (50, 4), (1, 200)]):
        fired = 0
        for seed in range(runs):
            path = seeded(1000 * kind + seed, 0.02, bunches, size, seconds)
            fired += told(AlwaysValidTest(0.02, alpha), path, n=200).fired_at is not None
        # 13 or more of 100 happen with chance 0.001 when each has 0.05; the seeds are fixed.
        assert fired < 13
    treacherous = 0
    for seed in range(runs):
        path = [10 * (count > 0) for count in seeded(5000 + seed, 0.4, 1, 1, seconds)]
        treacherous += told(AlwaysValidTest(0.02, alpha), path, n=200).fired_at is not None
    assert treacherous < 13


def test_no_healthy_run_is_stopped() -> None:
    """Half the limit, failing four at a time, for ten minutes: never, at the alpha of a real run."""
    for seed in range(20):
        assert told(AlwaysValidTest(0.02, 1e-4), seeded(seed, 0.01, 50, 4, 600), n=200).fired_at is None


def test_a_late_spike_is_seen_as_soon_as_an_early_one() -> None:
    """An hour of calm costs a spike of 5 % no more than two seconds, and it is seen within 20."""
    took = []
    for calm in (0, 10, 300, 3600):
        path = seeded(7, 0.005, 200, 1, calm) + seeded(8, 0.05, 200, 1, 60)
        fired = told(AlwaysValidTest(0.02, 1e-4), path, n=200).fired_at
        assert fired is not None
        took.append(fired - calm + 1)
    assert min(took) > 0
    assert max(took) <= 20
    assert max(took) - min(took) <= 2


def test_a_dead_service_is_seen_within_seconds_even_after_noise() -> None:
    """Alarms that came to nothing use up little: everything failing fires in at most six seconds."""
    noisy = seeded(3, 0.01, 4, 50, 900)
    quiet = told(AlwaysValidTest(0.02, 1e-4), noisy, n=200)
    assert quiet.fired_at is None
    told(quiet, [200] * 6, start=900, n=200)
    assert quiet.fired_at is not None


def test_no_data_is_no_evidence() -> None:
    """Without requests nothing fires, and the watch says that it judged no second."""
    watch = told(AlwaysValidTest(0.02, 1e-4), [0] * 50, n=0)
    assert (watch.fired_at, watch.log_evidence, watch.seconds) == (None, 0.0, 0)


@given(histories, st.integers(0, 25))
def test_seconds_without_requests_change_nothing(history: list[int], at: int) -> None:
    """A gap, told or left out, gives the same evidence as none."""
    plain, told_gap, left_out = (
        AlwaysValidTest(0.02, 1e-4),
        AlwaysValidTest(0.02, 1e-4),
        AlwaysValidTest(0.02, 1e-4),
    )
    told(plain, history)
    for watch in (told_gap, left_out):
        told(watch, history[:at])
    for second in range(100, 110):
        told_gap.add(second, 0, 0)
    for watch in (told_gap, left_out):
        told(watch, history[at:], start=200)
    assert plain.log_evidence == told_gap.log_evidence == left_out.log_evidence
    assert plain.seconds == told_gap.seconds == left_out.seconds == len(history)


def test_what_has_fired_stays_fired() -> None:
    """Later calm takes back neither the second nor the evidence, and endless failure overflows nothing."""
    watch = told(AlwaysValidTest(0.02, 1e-4), [N] * 2000)
    at, evidence = watch.fired_at, watch.log_evidence
    assert at is not None
    assert math.isfinite(evidence)
    told(watch, [0] * 500, start=2000)
    assert (watch.fired_at, watch.log_evidence) == (at, evidence)
    assert watch.log_wealth < evidence


@given(histories, st.sampled_from([0.3, 1e-2, 1e-4, 3.3e-5]))
def test_the_threshold_in_the_journal_is_the_one_in_force(history: list[int], alpha: float) -> None:
    """Fired means exactly that ``abort_evidence < threshold`` is false of the evidence, at alpha or below."""
    watch = told(AlwaysValidTest(0.02, alpha), history)
    threshold = parse(f"abort_evidence < {watch.threshold}")
    assert validate(threshold) == []
    assert threshold.limit == watch.threshold >= math.log(1 / alpha)
    assert (watch.fired_at is not None) == (watch.log_evidence >= threshold.limit)
    assert METRICS["abort_evidence"].kind is Kind.VALUE


def test_a_high_limit_can_still_raise_an_alarm() -> None:
    """Twice the limit may be beyond everything; total failure is seen all the same."""
    assert told(AlwaysValidTest(0.7, 1e-2), [N] * 40).fired_at is not None


@pytest.mark.parametrize(("limit", "alpha"), [(0.0, 0.1), (1.0, 0.1), (0.02, 0.0), (0.02, 1.0)])
def test_what_would_break_the_guarantee_is_refused(limit: float, alpha: float) -> None:
    """No test is made of a limit or a chance that is none."""
    with pytest.raises(ValueError, match="found"):
        AlwaysValidTest(limit, alpha)


def test_no_bet_can_break_the_guarantee() -> None:
    """No bet loses more than its stake, together they stake no more than there is, and alarms are real."""
    assert all(0 <= u <= 1 and share >= 0 for u, share in BETS.items())
    assert sum(BETS.values()) <= 1 + 1e-12
    assert min(ALARMS) > 0


@pytest.mark.parametrize(("second", "failing", "n"), [(5, 0, 1), (4, 0, 1), (6, 2, 1), (6, -1, 1)])
def test_nonsense_and_rewritten_history_are_refused(second: int, failing: int, n: int) -> None:
    """A second is told once, in order, with a count that is one."""
    watch = AlwaysValidTest(0.02, 1e-4)
    watch.add(5, 0, 1)
    with pytest.raises(ValueError, match=r"second|count"):
        watch.add(second, failing, n)
