from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.unit.judging import ALPHA, FAILED, PASSED, UNDECIDED

from rampgate.judging.judge import Judgement, judge
from rampgate.judging.threshold import parse
from rampgate.model.measurement import Block, Measurement, merge
from rampgate.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

PER_BLOCK = 50


def in_blocks(failures: Sequence[int], per_block: int = PER_BLOCK) -> Measurement:
    """Requests of which so many failed in each block."""
    blocks = tuple(Block(per_block, failed) for failed in failures)
    return Measurement("error_rate", n=per_block * len(blocks), failures=sum(failures), blocks=blocks)


def judged(measurement: Measurement, text: str = "error_rate < 2%", looks: int = 4) -> Judgement:
    """Held against one threshold."""
    return judge(parse(text), measurement, alpha_fail=ALPHA, looks=looks)


def bunches(seed: int, rate: float, size: int, requests: int) -> list[int]:
    """Failures per block, of consecutive requests, not aligned to any block."""
    chance, left, failing = random.Random(seed), 0, [0] * (requests // PER_BLOCK)  # noqa: S311 - a simulation
    start = rate / (size * (1 - rate) + rate)
    for request in range(requests):
        left = left - 1 if left else size if chance.random() < start else 0
        failing[request // PER_BLOCK] += left > 0
    return failing


def test_failures_of_one_moment_do_not_fail_a_rate() -> None:
    """60 failures of 600 in three moments say no more than three moments can; unblocked they would fail."""
    moments = [0, 20, 0, 0, 0, 20, 0, 0, 0, 20, 0, 0]
    together = in_blocks(moments)
    alone = Measurement("error_rate", n=together.n, failures=together.failures)

    assert judged(together).outcome is UNDECIDED
    assert "too few blocks of time" in judged(together).sentence
    assert judged(alone).outcome is FAILED


def test_failures_that_go_on_fail_a_rate() -> None:
    """The same 10 %, in every block, are sure; and so they stay when calm follows."""
    steady = [5] * 12
    assert judged(in_blocks(steady)).outcome is FAILED
    assert judged(in_blocks(steady + [0] * 48)).outcome is FAILED
    assert judged(in_blocks(steady)).low is None


def test_looks_cost_a_failure_nothing() -> None:
    """What fails is always valid: it fails with the same evidence whether it is looked at once or often."""
    counts = next(
        [3] * blocks for blocks in range(1, 60) if judged(in_blocks([3] * blocks), looks=1).outcome is FAILED
    )
    assert judged(in_blocks(counts), looks=50).outcome is FAILED
    assert judged(in_blocks(counts[:-1]), looks=1).outcome is UNDECIDED


@pytest.mark.parametrize(
    ("failed", "looks", "outcome"),
    [(1, 4, PASSED), (2, 1, PASSED), (2, 4, UNDECIDED), (6, 1, UNDECIDED)],
)
def test_a_pass_is_as_exact_as_without_blocks(failed: int, looks: int, outcome: Outcome) -> None:
    """Of 600 requests two may fail at 2 % in one look, one in any of four: the counts that passed before."""
    counts = [1] * failed + [0] * (12 - failed)
    alone = Measurement("error_rate", n=600, failures=failed)

    assert judged(in_blocks(counts), looks=looks).outcome is outcome
    assert judged(alone, looks=looks).outcome is outcome


@pytest.mark.parametrize("size", [1, 4, 10, 20])
def test_a_healthy_target_is_not_failed_by_bunches(size: int) -> None:
    """Half of what is allowed, in bunches of up to 20 consecutive requests, fails none of 100 runs."""
    for seed in range(100):
        found = judged(in_blocks(bunches(seed, 0.01, size, 3000)))
        assert found.outcome in {PASSED, UNDECIDED}, (seed, found.sentence)


def test_times_are_judged_in_blocks_too() -> None:
    """A p95 fails where too many are slow block after block, not where one pause made them so."""
    text = "api_response_time_p95 < 500ms"
    edge = parse(text).edge or 0.0

    def timed(slow: Sequence[int]) -> Measurement:
        blocks = tuple(Block(PER_BLOCK, 0, {edge: count}) for count in slow)
        exceedances = {edge: sum(slow)}
        n = PER_BLOCK * len(slow)
        return Measurement("api_response_time", "ms", n=n, exceedances=exceedances, blocks=blocks)

    assert judged(timed([15] * 12), text).outcome is FAILED
    assert judged(timed([0, 50, 40, *[0] * 9]), text).outcome is UNDECIDED
    assert judged(timed([0] * 12), text).outcome is PASSED


@pytest.mark.parametrize(("n", "failures"), [(599, 0), (600, 1)])
def test_totals_that_are_not_those_of_the_blocks_are_an_error(n: int, failures: int) -> None:
    """Blocks that do not add up to what the measurement says are no evidence."""
    broken = replace(in_blocks([0] * 12), n=n, failures=failures)
    assert judged(broken).outcome is Outcome.ERROR


def test_blocks_are_kept_and_merged() -> None:
    """The journal gives back the same blocks, and a further look adds its own behind them."""
    first, second = in_blocks([1, 0]), in_blocks([0, 2])
    timed = Measurement("t", "ms", n=3, exceedances={5.0: 1}, blocks=(Block(3, 0, {5.0: 1}),))
    assert Measurement.from_json(first.to_json()) == first
    assert Measurement.from_json(timed.to_json()) == timed
    assert merge(first, second).blocks == first.blocks + second.blocks
