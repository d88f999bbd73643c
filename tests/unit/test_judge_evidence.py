import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.judging import ALPHA, ERROR, FAILED, PASSED, UNDECIDED, held, latencies

from rampgate.judging.judge import judge
from rampgate.judging.threshold import parse
from rampgate.model import statistics
from rampgate.model.measurement import Measurement, merge
from rampgate.outcome import Outcome


@pytest.mark.parametrize(
    ("text", "seen", "says"),
    [
        ("error_rate < 2%", {"n": 100}, "which of them failed was not counted"),
        ("error_rate < 2%", {"n": 100, "failures": 101}, "101 of 100 is no count"),
        ("error_rate < 2%", {"n": 100, "failures": -1}, "-1 of 100 is no count"),
        ("error_rate < 2%", {"n": -1, "failures": 0}, "-1 observations"),
        ("error_rate < 2%", {"n": 100, "failures": 0, "value": math.nan}, "is no number: nan"),
        ("flag_share == 25%", {"n": 20_000}, "which of them failed was not counted"),
        ("flag_share == 25%", {"n": 20_000, "failures": 20_001}, "is no count"),
        ("flag_mismatches == 0", {"n": 20_000}, "which of them failed was not counted"),
        ("flag_mismatches <= 5", {"n": 20_000, "failures": -1}, "is no count"),
        ("up == 1", {"value": math.nan}, "up is no number: nan"),
        ("up == 1", {"value": math.inf}, "up is no number: inf"),
        ("performance_score >= 85", {"values": (90, math.nan, 91)}, "is no number: 90, nan, 91"),
        ("time_to_healthy < 30s", {"value": 1.0, "unit": "ms"}, "measured in ms, asked for in s"),
        ("up == 1", {"value": 1.0, "unit": "ms"}, "measured in ms, asked for in a plain number"),
        ("api_response_time_p95 < 500ms", {"n": 9, "exceedances": {500.0: 0}}, "499.99999999999994 ms"),
        ("api_response_time_p95 <= 500ms", {"n": 9, "exceedances": {499.0: 0}}, "were not counted"),
        ("api_response_time_p95 <= 500ms", {"n": 9, "exceedances": {500.0: 10}}, "10 of 9 is no count"),
        ("api_response_time_p95 <= 500ms", {"n": 9, "exceedances": {500.0: 0}, "unit": "s"}, "measured in s"),
    ],
)  # fmt: skip
def test_broken_instruments(text: str, seen: dict[str, Any], says: str) -> None:
    """A number that is none and a count that was not made are errors, which say nothing about the target."""
    judgement = held(text, **seen)

    assert judgement.outcome is ERROR
    assert says in judgement.sentence


def test_another_metric_is_an_error() -> None:
    """A measurement of something else is never held against a threshold."""
    judgement = judge(parse("up == 1"), Measurement("redis_up", value=1.0), alpha_fail=ALPHA)

    assert judgement.outcome is ERROR
    assert judgement.sentence == "error: measured redis_up, asked for up"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("error_rate < 2%", {"n": 1000, "failures": 0}),
        ("user_feedback_score >= 3", {"n": 1000, "value": 5.0}),
        ("user_feedback_score >= 3", {"n": 1000, "value": 1.0}),
        ("flag_mismatches == 0", {"n": 1000, "failures": 0}),
        ("performance_score >= 85", {"values": (99.0,) * 4}),
    ],
)
def test_a_minimum_of_evidence(text: str, seen: dict[str, Any]) -> None:
    """Below the number that a threshold asks for nothing passes; at it, it is judged."""
    n = seen.get("n") or len(seen["values"])

    short = held(replace(parse(text), min_n=n + 1), **seen)

    assert short.outcome is UNDECIDED
    assert short.needed == 1
    assert held(replace(parse(text), min_n=n), **seen).outcome is not UNDECIDED


def test_a_failing_rate_needs_no_minimum() -> None:
    """Proof of failure counts, however few observations it took."""
    assert held(replace(parse("error_rate < 2%"), min_n=10_000), n=50, failures=40).outcome is FAILED


@pytest.mark.parametrize(("alphas", "looks"), [((0.0, ALPHA), 1), ((ALPHA, 0.5), 1), ((ALPHA, ALPHA), 0)])
def test_impossible_chances(alphas: tuple[float, float], looks: int) -> None:
    """Alphas outside 0 to 0.5 and a judgement without a look are refused."""
    with pytest.raises(ValueError, match="found alphas"):
        judge(parse("up == 1"), Measurement("up"), alpha_fail=alphas[0], alpha_pass=alphas[1], looks=looks)


def test_looks_split_both_alphas() -> None:
    """Four looks at 1e-3 judge like one look at 2.5e-4, both ways."""
    threshold = parse("error_rate < 2%")
    for failures in range(60):
        seen = Measurement("error_rate", n=1000, failures=failures)

        split = judge(threshold, seen, alpha_fail=ALPHA, alpha_pass=ALPHA, looks=4)

        assert split == judge(threshold, seen, alpha_fail=ALPHA / 4, alpha_pass=ALPHA / 4)


texts = st.sampled_from(["error_rate < 2%", "error_rate <= 5%", "flag_share == 25%", "flag_mismatches <= 3"])


@given(texts, st.integers(0, 3000), st.integers(0, 3000))
@settings(max_examples=80, deadline=None)
def test_no_evidence_never_passes(text: str, n: int, failures: int) -> None:
    """Whatever is measured, a pass has observations behind it, and a worse count is no better an outcome."""
    order = list(Outcome)
    threshold = replace(parse(text), min_n=0)
    failures = min(failures, n)

    now = held(threshold, n=n, failures=failures)

    assert now.outcome is UNDECIDED if n == 0 else now.outcome is not ERROR
    if failures < n and "share" not in text:
        worse = held(threshold, n=n, failures=failures + 1)
        assert order.index(worse.outcome) >= order.index(now.outcome)


def test_parts_merge_to_the_judgement_of_the_whole() -> None:
    """Two looks at one endpoint, merged, are judged like one look that saw it all."""
    threshold = parse("api_response_time_p95 < 500ms")
    first, second = [300.0] * 90 + [812.0] * 2, [320.0] * 120 + [900.0]

    merged = judge(
        threshold, merge(latencies(threshold, first), latencies(threshold, second)), alpha_fail=ALPHA
    )

    assert merged == judge(threshold, latencies(threshold, first + second), alpha_fail=ALPHA)


def test_simulated_errors_stay_below_their_alphas() -> None:
    """A growing sample judged at four looks at the limit itself: false FAIL and false PASS keep their 5 %.

    20,000 runs, fixed seed. The exact tests are conservative, so that the floor of 1 % only shows that the
    simulation can fail at all.
    """
    threshold = parse("error_rate < 2%")
    sizes = (200, 500, 1000, 2000)
    steps = np.diff((0, *sizes))
    failures = np.cumsum(np.random.default_rng(20260818).binomial(steps, 0.02, (20_000, 4)), axis=1)

    @cache
    def outcome(n: int, k: int) -> Outcome:
        seen = Measurement("error_rate", n=n, failures=k)
        return judge(threshold, seen, alpha_fail=0.05, alpha_pass=0.05, looks=4).outcome

    def ends(run: Sequence[int]) -> Outcome:
        looks = (outcome(n, int(k)) for n, k in zip(sizes, run, strict=True))
        return next((seen for seen in looks if seen is not UNDECIDED), UNDECIDED)

    ended = [ends(run) for run in failures.tolist()]

    assert 0.01 < ended.count(FAILED) / len(ended) <= 0.05
    assert 0.01 < ended.count(PASSED) / len(ended) <= 0.05


def test_a_healthy_target_does_not_fail() -> None:
    """At half the limit, 2,000 requests fail with less than 1e-9 at the alpha of a run of forty tests."""
    threshold = parse("error_rate < 2%")
    fewest = next(
        k
        for k in range(2001)
        if judge(threshold, Measurement("error_rate", n=2000, failures=k), alpha_fail=ALPHA / 40).outcome
        is FAILED
    )

    assert statistics.two_sided(fewest, 2000, 0.01) < 1e-9
