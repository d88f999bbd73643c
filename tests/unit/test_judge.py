import math
from dataclasses import replace

import pytest
from tests.unit.judging import ALPHA, FAILED, PASSED, UNDECIDED, held, latencies

from rampgate.judging.judge import judge
from rampgate.judging.threshold import parse
from rampgate.model.measurement import Measurement
from rampgate.outcome import Outcome


@pytest.mark.parametrize(
    ("n", "failures", "outcome"),
    [
        (1000, 7, PASSED), (1000, 8, UNDECIDED), (1000, 35, UNDECIDED), (1000, 36, FAILED),
        (6000, 87, PASSED), (6000, 88, UNDECIDED), (6000, 155, UNDECIDED), (6000, 156, FAILED),
        (300, 0, UNDECIDED), (300, 16, FAILED), (0, 0, UNDECIDED),
    ],
)  # fmt: skip
@pytest.mark.parametrize("text", ["error_rate < 2%", "error_rate <= 2%"])
def test_rates(text: str, n: int, failures: int, outcome: Outcome) -> None:
    """Two per cent are decided at exactly these counts, whether the limit itself is good or not."""
    assert held(text, n=n, failures=failures).outcome is outcome


def test_triggers_are_the_same_limit_from_the_other_side() -> None:
    """More than 2 % is bad: what passes below 2 % does not trigger, what fails does."""
    assert held("error_rate > 2%", bad=True, n=1000, failures=7).outcome is PASSED
    assert held("error_rate > 2%", bad=True, n=1000, failures=20).outcome is UNDECIDED
    assert held("error_rate > 2%", bad=True, n=1000, failures=36).outcome is FAILED


@pytest.mark.parametrize(
    ("text", "bad", "at_limit"),
    [
        ("api_response_time_p95 < 500ms", False, FAILED),
        ("api_response_time_p95 <= 500ms", False, PASSED),
        ("api_response_time_p95 > 500ms", True, PASSED),
        ("api_response_time_p95 >= 500ms", True, FAILED),
    ],
)
def test_latencies_of_exactly_the_limit(text: str, bad: bool, at_limit: Outcome) -> None:
    """When every answer takes exactly the limit, < and <= differ, and so do > and >=."""
    threshold = parse(text, bad=bad)

    judgement = judge(threshold, latencies(threshold, [500.0] * 200), alpha_fail=ALPHA)

    assert judgement.outcome is at_limit


@pytest.mark.parametrize(
    ("n", "slow", "outcome"),
    [
        (134, 0, UNDECIDED), (135, 0, PASSED), (180, 1, UNDECIDED), (181, 1, PASSED),
        (200, 31, FAILED), (200, 10, UNDECIDED), (1, 1, UNDECIDED), (0, 0, UNDECIDED),
    ],
)  # fmt: skip
def test_p95(n: int, slow: int, outcome: Outcome) -> None:
    """A p95 is decided by how many took too long, at the known numbers of requests."""
    threshold = parse("api_response_time_p95 < 500ms")

    judgement = judge(
        threshold, latencies(threshold, [300.0] * (n - slow) + [812.0] * slow), alpha_fail=ALPHA
    )

    assert judgement.outcome is outcome


def test_unanswered_requests_are_slow_ones() -> None:
    """A fast half and a half that never answered fails, and has no p95 to show."""
    threshold = parse("api_response_time_p95 < 500ms")

    judgement = judge(threshold, latencies(threshold, [3.0] * 100, unanswered=100), alpha_fail=ALPHA)

    assert judgement.outcome is FAILED
    assert (judgement.measured, judgement.high) == (None, None)
    assert (
        "100 of 200 requests failed (5 % allowed); p95 of 200 requests lies beyond every answer"
        in judgement.sentence
    )


def test_shown_bounds_do_not_contradict_the_outcome() -> None:
    """The buckets of the histogram are coarser than the counts; what is shown stays on the judged side."""
    threshold = parse("api_response_time_p95 <= 500ms")

    passed = judge(threshold, latencies(threshold, [500.0] * 1000), alpha_fail=ALPHA)
    failed = judge(threshold, latencies(threshold, [math.nextafter(500, 501)] * 1000), alpha_fail=ALPHA)

    assert passed.measured is not None
    assert passed.high is not None
    assert passed.measured <= 500
    assert passed.high <= 500
    assert failed.measured is not None
    assert failed.low is not None
    assert failed.measured >= 500
    assert failed.low >= 500


def test_latencies_without_a_histogram() -> None:
    """The counts alone decide; only the display has less to show."""
    threshold = parse("api_response_time_p95 < 500ms")

    judgement = judge(threshold, replace(latencies(threshold, [3.0] * 200), histogram=None), alpha_fail=ALPHA)

    assert judgement.outcome is PASSED
    assert judgement.measured is None
    assert "p95 of 200 requests is not known" in judgement.sentence


@pytest.mark.parametrize(
    ("n", "on", "outcome"),
    [
        (20_000, 5000, PASSED), (20_000, 5600, FAILED), (199, 50, UNDECIDED), (100, 23, UNDECIDED),
        (100, 100, FAILED), (0, 0, UNDECIDED),
    ],
    ids=["a quarter", "28 %", "one user too few", "the seed's hundred", "few, and all on", "nobody"],
)  # fmt: skip
def test_shares(n: int, on: int, outcome: Outcome) -> None:
    """A share passes with enough users when it agrees, and fails with any number when it cannot be."""
    assert held("flag_share == 25%", n=n, failures=on).outcome is outcome


@pytest.mark.parametrize(("text", "on"), [("flag_share == 0%", 1), ("flag_share == 100%", 19_999)])
def test_shares_at_the_ends(text: str, on: int) -> None:
    """At 0 and 100 % one user on the wrong side fails, and none passes."""
    assert held(text, n=20_000, failures=on).outcome is FAILED
    assert held(text, n=20_000, failures=round(on / 20_000) * 20_000).outcome is PASSED


def test_shares_are_judged_at_alpha_fail() -> None:
    """4,731 of 20,000 at 25 % agree at 1e-5, 4,730 do not, and four looks move the line."""
    threshold = parse("flag_share == 25%")

    def outcome(on: int, looks: int) -> Outcome:
        seen = Measurement("flag_share", n=20_000, failures=on)
        return judge(threshold, seen, alpha_fail=1e-5, looks=looks).outcome

    assert (outcome(4731, 1), outcome(4730, 1), outcome(4730, 4)) == (PASSED, FAILED, PASSED)


@pytest.mark.parametrize(
    ("text", "bad", "scores", "outcome"),
    [
        ("performance_score >= 85", False, (89, 89, 89), PASSED),
        ("performance_score >= 85", False, (88, 88, 88), UNDECIDED),
        ("performance_score >= 85", False, (88, 88, 88, 88, 88), PASSED),
        ("performance_score >= 85", False, (85, 85, 85), UNDECIDED),
        ("performance_score >= 85", False, (82, 82, 82), UNDECIDED),
        ("performance_score >= 85", False, (81, 81, 81), FAILED),
        ("performance_score >= 85", False, (70, 95, 100), UNDECIDED),
        ("performance_score >= 85", False, (99, 99), UNDECIDED),
        ("performance_score >= 85", False, (), UNDECIDED),
        ("performance_score < 50", True, (46, 46, 46), FAILED),
        ("performance_score < 50", True, (50, 50, 50), UNDECIDED),
        ("performance_score < 50", True, (54, 54, 54), PASSED),
        ("performance_score >= 0", False, (0, 0, 0), PASSED),
        ("performance_score > 0", False, (0, 0, 0), UNDECIDED),
        ("performance_score < 100", True, (100, 100, 100), UNDECIDED),
    ],
)
def test_scores(text: str, bad: bool, scores: tuple[float, ...], outcome: Outcome) -> None:
    """A median of three alike is decided from 3.6 points off; scattered, few or no scores are undecided."""
    assert held(text, bad=bad, values=scores).outcome is outcome


def test_looks_widen_the_bounds_of_a_median() -> None:
    """What passes at one look is undecided at one of four, whatever the other alphas are."""
    threshold = parse("performance_score >= 85")
    seen = Measurement("lighthouse_performance_score", values=(89, 89, 89))

    assert judge(threshold, seen, alpha_fail=1e-9, alpha_pass=1e-9).outcome is PASSED
    assert judge(threshold, seen, alpha_fail=1e-9, alpha_pass=1e-9, looks=4).outcome is UNDECIDED


@pytest.mark.parametrize(
    ("text", "bad", "value", "outcome"),
    [
        ("up == 0", True, 0, FAILED), ("up == 0", True, 1, PASSED), ("up == 0", True, None, UNDECIDED),
        ("up == 1", False, 1, PASSED), ("up == 1", False, 0, FAILED),
        ("user_feedback_score < 3.0", True, 3, PASSED), ("user_feedback_score < 3.0", True, 2.999, FAILED),
        ("user_feedback_score <= 3.0", True, 3, FAILED), ("user_feedback_score <= 3.0", True, 3.001, PASSED),
        ("time_to_healthy < 30s", False, 30, FAILED), ("time_to_healthy < 30s", False, 29.9, PASSED),
        ("time_to_healthy <= 30s", False, 30, PASSED), ("time_to_healthy <= 30s", False, 30.1, FAILED),
        ("up != 0", False, 1, PASSED), ("up != 0", False, 0, FAILED), ("up > 0", False, 0, FAILED),
        ("up >= 1", False, 1, PASSED), ("up > 0", False, 1, PASSED), ("up >= 1", False, 0, FAILED),
    ],
)  # fmt: skip
def test_values(text: str, bad: bool, value: float | None, outcome: Outcome) -> None:
    """One value is compared as it is, at the limit too; no value decides nothing."""
    assert held(text, bad=bad, value=value).outcome is outcome


@pytest.mark.parametrize(
    ("text", "bad", "n", "count", "outcome"),
    [
        ("flag_mismatches == 0", False, 2000, 0, PASSED),
        ("flag_mismatches == 0", False, 2000, 1, FAILED),
        ("flag_mismatches == 0", False, 0, 0, UNDECIDED),
        ("database_connection_failures > 10", True, 50, 10, PASSED),
        ("database_connection_failures > 10", True, 50, 11, FAILED),
        ("database_connection_failures >= 10", True, 50, 10, FAILED),
        ("flag_changed <= 2", False, 100, 2, PASSED),
        ("flag_changed <= 2", False, 99, 2, UNDECIDED),
        ("flag_changed < 2", False, 50, 2, FAILED),
    ],
)
def test_counts(text: str, bad: bool, n: int, count: int, outcome: Outcome) -> None:
    """A count is compared exactly, never when nothing was looked at; of too few only what is wrong counts."""
    assert held(text, bad=bad, n=n, failures=count).outcome is outcome
    assert held(text, bad=bad, n=n, value=float(count)).outcome is outcome


@pytest.mark.parametrize("flag", ["a", "e", "lag", "re"])
def test_a_line_names_its_label_where_the_check_has_it_as_a_part_of_a_word_alone(flag: str) -> None:
    """A flag may be called a: every sentence has that letter, many as a word, and none of them names it."""
    seen = Measurement("flag_changed", n=40, value=0, labels={"flag": flag}, note="a longer duration")
    line = judge(parse("flag_changed == 0"), seen, alpha_fail=1e-5).line("immediate/flags::flags_are_sticky")
    assert line.startswith(f"{flag}: undecided: ")


@pytest.mark.parametrize("check", ["load/plateau[me]", "deploy/x::me_answers", "load/me"])
def test_a_line_does_not_repeat_a_label_that_the_check_names(check: str) -> None:
    """Whoever reads the check's name has read it."""
    seen = Measurement("flag_changed", n=40, value=0, labels={"endpoint": "me"})
    assert judge(parse("flag_changed == 0"), seen, alpha_fail=1e-5).line(check).startswith("undecided: ")
