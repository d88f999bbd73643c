from __future__ import annotations

import json
import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rampgate.model.cohorts import (
    BETS,
    BLOCK_S,
    BUNCH,
    LESS,
    PRODUCTS,
    RATIOS,
    Pair,
    PairTest,
    evidence,
    excess,
    need,
    reached,
    split_gain,
    together,
)
from rampgate.model.measurement import Block
from rampgate.watch.cohorts import Comparison, Finding

MARGIN = 0.003
MINUTE = 60.0
ENDPOINT = "/patients"
UNTOUCHED = [[0.0] * len(BETS)] * PRODUCTS


def binomial(n: int, p: float) -> list[float]:
    """The chance of 0 to n failures."""
    return [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


def allowed(q: float) -> float:
    """How often those with the feature may fail at most where the others fail so often."""
    return q + MARGIN * (1 - q)


def votes(chance: random.Random, n: int, p: float) -> int:
    """How many of n fail independently."""
    return sum(chance.random() < p for _ in range(n))


sizes = st.integers(1, 12)
rates = st.floats(0, 0.9)


@given(sizes, sizes, rates, st.sampled_from(RATIOS))
def test_the_split_gains_nothing_on_average_at_the_margin(on: int, off: int, q: float, ratio: float) -> None:
    """Of independent failures that just keep the margin no bet on a split gains on average, at any rate."""
    mean = sum(
        first * second * math.exp(split_gain(Pair(on, k, off, m), ratio, MARGIN))
        for k, first in enumerate(binomial(on, allowed(q)))
        for m, second in enumerate(binomial(off, q))
    )
    assert mean <= 1 + 1e-9


@given(sizes, sizes, rates, st.sampled_from(LESS))
def test_harmless_gains_nothing_on_average_where_the_margin_is_used_up(
    on: int, off: int, q: float, ratio: float
) -> None:
    """A feature that harms by the margin is called harmless by no bet that gains on average."""
    mean = sum(
        first * second * math.exp(split_gain(Pair(on, k, off, m), ratio, MARGIN))
        for k, first in enumerate(binomial(on, allowed(q)))
        for m, second in enumerate(binomial(off, q))
    )
    assert mean <= 1 + 1e-9


@given(sizes, sizes, rates, st.sampled_from(BETS), st.integers(1, 4))
def test_a_block_gains_nothing_on_average_at_the_margin(
    on: int, off: int, q: float, bet: float, bunch: int
) -> None:
    """Nor does a bet on a block, where all failures of a side come in bunches of one size."""
    mean = sum(
        first * second * (1 + bet * excess([Pair(on * bunch, k * bunch, off * bunch, m * bunch)], MARGIN))
        for k, first in enumerate(binomial(on, allowed(q)))
        for m, second in enumerate(binomial(off, q))
    )
    assert mean <= 1 + 1e-9


@given(st.integers(1, BUNCH), st.floats(0.02, 0.9), st.floats(0.0, 0.05), st.sampled_from(RATIOS))
def test_a_bunch_on_one_side_gains_nothing_on_average(
    bunch: int, share: float, margin: float, ratio: float
) -> None:
    """The split to the power of 1/20 gains nothing on a bunch of up to 20 of either side."""
    n = 1000
    on, off = max(1, round(n * share)), n - max(1, round(n * share))
    gains = [
        split_gain(pair, ratio, margin) / BUNCH for pair in (Pair(on, bunch, off), Pair(on, 0, off, bunch))
    ]
    assert on / n * math.exp(gains[0]) + off / n * math.exp(gains[1]) <= 1 + 1e-9


def test_stakes_are_one_at_most() -> None:
    """However many endpoints there are, all stakes together are one at most, before anything is bet."""
    test = PairTest(MARGIN)
    test.add(MINUTE, {f"/{number}": Pair(0, 0, 5) for number in range(40)})
    assert evidence(test.paired) <= 1e-12
    assert evidence(test.split) <= 1e-12


def test_a_block_outlasts_a_bunch_of_votes() -> None:
    """No bet on a block is settled before 20 minutes and 20 votes of each side, whatever fails."""
    test = PairTest(MARGIN)
    for _ in range(BUNCH - 1):
        test.add(MINUTE, {ENDPOINT: Pair(1, 1, 100)})
    assert test.bets == UNTOUCHED
    test.add(MINUTE, {ENDPOINT: Pair(1, 1, 100)})
    assert min(test.bets[-1]) > 0
    assert test.block_s == 0.0


def test_every_other_block_is_of_the_same_product() -> None:
    """A block gains one of the two products something, and leaves the other as it is."""
    test = PairTest(MARGIN)
    test.add(BLOCK_S, {ENDPOINT: Pair(20, 20, 100)})
    first = test.bets[-1]
    test.add(BLOCK_S, {ENDPOINT: Pair(20, 0, 100, 20)})
    assert test.bets[0] == first
    assert max(test.bets[-1]) < 0


@given(st.integers(0, 3 * BUNCH), st.integers(1, 19), st.integers(1, BUNCH))
def test_a_bunch_across_blocks_gains_nothing_on_average(start: int, on: int, lasts: int) -> None:
    """A user who fails for up to 20 minutes, whenever that begins, gains no product of blocks anything."""
    wealth = []
    for side in (Pair(on, 1, 20 - on, 0), Pair(on, 0, 20 - on, 1)):
        test = PairTest(0.0)
        for minute in range(6 * BUNCH):
            within = start <= minute < start + lasts
            test.add(MINUTE, {ENDPOINT: side if within else Pair(on, 0, 20 - on)})
        wealth.append([math.exp(each) for product in test.bets for each in product])
    means = [on / 20 * mine + (1 - on / 20) * its for mine, its in zip(*wealth, strict=True)]
    assert max(means) <= 1 + 1e-9


def test_few_votes_make_no_block() -> None:
    """A block with fewer than 20 votes of a side goes on."""
    test = PairTest(MARGIN)
    test.add(3 * BLOCK_S, {ENDPOINT: Pair(19, 19, 1000)})
    assert test.bets == UNTOUCHED


def test_a_mix_of_endpoints_is_no_harm() -> None:
    """Users with the feature who use an endpoint more that fails often for everybody gain no bet anything."""
    test = PairTest(MARGIN)
    for _ in range(600):
        test.add(MINUTE, {"/often": Pair(50, 10, 100, 20), "/rarely": Pair(5, 0, 1000, 0)})
    assert not reached(test.paired, 0.5)
    assert not reached(test.split, 0.5)


def test_harm_in_one_endpoint_of_many_is_found() -> None:
    """Errors in one of ten endpoints are found by the stake on that one, where all together show little."""
    test = PairTest(MARGIN)
    for _ in range(240):
        calm = {f"/{number}": Pair(6, 0, 114, 1) for number in range(9)}
        test.add(MINUTE, {**calm, "/bad": Pair(6, 1, 114, 0)})
    assert reached(test.paired, 1e-4)


def test_shocks_are_not_the_features() -> None:
    """Trouble that meets everybody alike, for a minute or an hour, gains no bet anything to speak of."""
    chance = random.Random(7)  # noqa: S311 - a simulation, no secret
    test = PairTest(MARGIN)
    for minute in range(600):
        q = 0.6 if minute % 60 < 5 else 1.0 if 300 <= minute < 360 else 0.005
        test.add(MINUTE, {ENDPOINT: Pair(60, votes(chance, 60, q), 1140, votes(chance, 1140, q))})
    assert not reached(test.paired, 1e-2)
    assert not reached(test.split, 1e-2)


def test_the_need_is_about_right() -> None:
    """Half way to a decision the need is about as long as it took so far."""
    test = PairTest(MARGIN)
    pair = {ENDPOINT: Pair(60, 3, 1140, 6)}
    times = []
    while not reached(test.split, 1e-9):
        test.add(MINUTE, pair)
        times.append(need(test.split, 1e-9, test.seconds))
    half = times[len(times) // 2]
    assert half is not None
    assert half == pytest.approx(MINUTE * len(times) / 2, rel=0.3)
    assert all(later <= sooner for sooner, later in pairwise(t for t in times if t is not None))


def test_no_need_is_known_where_nothing_is_gained() -> None:
    """Where those with the feature fail less often, no need of a rollback is stated."""
    test = PairTest(MARGIN)
    test.add(MINUTE, {ENDPOINT: Pair(600, 0, 600, 60)})
    assert need(test.split, 1e-4, test.seconds) is None


def test_pairs_are_added() -> None:
    """The votes of all endpoints together are their sums."""
    assert together([Pair(1, 0, 2, 1), Pair(3, 2, 5, 0)]) == Pair(4, 2, 7, 1)


def counted(
    on: tuple[int, int], off: tuple[int, int], *, split: bool = False
) -> list[tuple[str, str, Block]]:
    """What one reading adds: with ``split`` the others are halves, those who get it next and later."""
    rest = [("next", off), ("later", off)] if split else [("off", off)]
    return [(ENDPOINT, "on", Block(*on)), *((ENDPOINT, cohort, Block(*each)) for cohort, each in rest)]


def after(
    comparison: Comparison, minutes: int, *read: list[tuple[str, str, Block]], start: int = 0
) -> Comparison:
    """The comparison after so many minutes, which read these in turn."""
    for minute in range(minutes):
        comparison.add(60.0 * (start + minute), read[minute % len(read)])
    return comparison


def test_harm_first_holds_then_rolls_back() -> None:
    """Errors of 10 % at the 5 % stage hold within minutes, and roll back after bunches are ruled out."""
    comparison, findings = Comparison(0.3, 1e-3, votes=True), []
    for minute in range(120):
        result = after(comparison, 1, counted((60, 6), (1140, 6)), start=minute).result
        findings.append((result.finding, result.may_roll_back))
    held, rolled = findings.index((Finding.HARMS, False)), findings.index((Finding.HARMS, True))
    assert held <= 10
    assert held < rolled
    assert set(findings[rolled:]) == {(Finding.HARMS, True)}
    assert "10 % of" in comparison.result.sentence


def test_undecided_names_its_need() -> None:
    """While it is undecided the sentence says how much longer it takes at this traffic."""
    result = after(Comparison(0.3, 1e-3, votes=True), 3, counted((60, 1), (1140, 6))).result
    assert result.finding is Finding.UNDECIDED
    assert result.need_s is not None
    assert "more at this traffic decide" in result.sentence


def test_a_feature_without_harm_is_called_harmless() -> None:
    """Where both sides fail alike for long enough, it is harmless, and never rolls back."""
    result = after(Comparison(0.3, 1e-3, votes=True), 1440, counted((600, 1), (600, 1))).result
    assert result.finding is Finding.HARMLESS
    assert not result.may_roll_back


def test_buckets_that_differ_anyway_are_not_trusted() -> None:
    """Where those who get the feature next fail unlike those who get it later, nothing is rolled back."""
    read = [
        (ENDPOINT, "on", Block(600, 60)),
        (ENDPOINT, "next", Block(600, 60)),
        (ENDPOINT, "later", Block(600, 1)),
    ]
    comparison = after(Comparison(0.3, 1e-3, votes=True), 600, read)
    assert comparison.result.finding is Finding.UNTRUSTED
    assert "next" in comparison.result.sentence
    assert not comparison.result.may_roll_back


def test_a_source_without_next_and_later_is_named() -> None:
    """The sentence says where the other buckets could not be compared, and not where they were."""
    without = after(Comparison(0.3, 1e-3, votes=True), 3, counted((60, 1), (600, 3)))
    assert "no next and later" in without.result.sentence
    compared = after(Comparison(0.3, 1e-3, votes=True), 3, counted((60, 1), (600, 3), split=True))
    assert "no next and later" not in compared.result.sentence


def test_requests_are_named_as_such_and_hold_nothing() -> None:
    """A source that counts requests, many of one user, is said to; its split is shown, and is no failure."""
    read = counted((60, 6), (600, 3))
    requests, votes = (after(Comparison(0.3, 1e-3, votes=each), 10, read).result for each in (False, True))
    assert requests.finding is Finding.UNDECIDED
    assert "surely more, if failures are independent" in requests.sentence
    assert "requests are counted, not users" in requests.sentence
    assert votes.finding is Finding.HARMS
    assert "requests are counted" not in votes.sentence
    assert after(Comparison(0.3, 1e-3), 120, read).result.may_roll_back


def test_other_cohorts_do_not_count() -> None:
    """Users without a cohort, enrolled ones or own traffic, are on neither side."""
    comparison = after(
        Comparison(0.3, 1e-3, votes=True),
        60,
        [(ENDPOINT, "enrolled", Block(100, 100)), (ENDPOINT, "", Block(9, 9))],
    )
    assert comparison.totals == Pair()
    assert comparison.result.finding is Finding.UNDECIDED


def test_what_is_skipped_does_not_count() -> None:
    """Minutes with our own load, and the reading after them, are left out."""
    comparison = Comparison(0.3, 1e-3, votes=True)
    comparison.skip(0.0)
    after(comparison, 2, counted((60, 60), (600, 3)), counted((50, 0), (500, 0)), start=1)
    assert comparison.totals == Pair(50, 0, 500, 0)


def test_a_change_of_percentage_begins_anew() -> None:
    """No evidence straddles a change of percentage or version; a rollback that was due stays due."""
    comparison = after(Comparison(0.3, 1e-3, votes=True), 15, counted((60, 6), (1140, 6)))
    findings = [comparison.result.finding]
    comparison.changed(anew=True)
    findings.append(comparison.result.finding)
    assert findings == [Finding.HARMS, Finding.UNDECIDED]
    comparison = after(comparison, 120, counted((60, 6), (1140, 6)))
    comparison.changed(anew=True)
    assert comparison.result.may_roll_back


def test_a_restart_drops_the_block_alone() -> None:
    """A restart of the deployment drops the block that it lies in, and nothing that was shown before."""
    comparison = after(Comparison(0.3, 1e-3, votes=True), 30, counted((60, 1), (1140, 6)))
    totals = comparison.totals
    comparison.changed(anew=False)
    assert comparison.totals == totals


def test_it_goes_on_after_a_kill() -> None:
    """What was written as JSON and read back goes on as if nothing had happened."""
    reads = [counted((60, 2), (570, 3), split=True), counted((55, 0), (600, 2), split=True)]
    whole = after(Comparison(0.3, 1e-3, votes=True), 50, *reads)
    first = after(Comparison(0.3, 1e-3, votes=True), 30, *reads)
    second = Comparison(0.3, 1e-3, votes=True)
    second.resume(json.loads(json.dumps(first.to_json())))
    assert after(second, 20, *reads, start=30).to_json() == whole.to_json()
