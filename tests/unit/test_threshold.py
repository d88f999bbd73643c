import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rampgate.judging.threshold import MIN_SHARE, Aggregation, Polarity, Threshold, exceeds, parse, validate
from rampgate.model.metrics import METRICS, Kind, Metric
from rampgate.outcome import Severity

R, Q, V, C, S, M = (
    Aggregation.RATE,
    Aggregation.QUANTILE,
    Aggregation.VALUE,
    Aggregation.COUNT,
    Aggregation.SHARE,
    Aggregation.MEDIAN,
)


@pytest.mark.parametrize(
    ("text", "bad", "metric", "aggregation", "operator", "limit", "unit"),
    [
        ("error_rate > 5%", True, "error_rate", R, ">", 0.05, ""),
        ("error_rate < 2%", False, "error_rate", R, "<", 0.02, ""),
        ("error_rate <= 0.02", False, "error_rate", R, "<=", 0.02, ""),
        ("error_rate<2e-2", False, "error_rate", R, "<", 0.02, ""),
        ("api_response_time_p95 > 5000ms", True, "api_response_time", Q, ">", 5000, "ms"),
        ("api_response_time_p95 > 1000", True, "api_response_time", Q, ">", 1000, "ms"),
        ("api_response_time_p95 <= 1.5s", False, "api_response_time", Q, "<=", 1500, "ms"),
        ("user_feedback_score < 3.0", True, "user_feedback_score", V, "<", 3, ""),
        ("up == 0", True, "up", V, "==", 0, ""),
        ("up != 1", True, "up", V, "!=", 1, ""),
        ("time_to_healthy < 30s", False, "time_to_healthy", V, "<", 30, "s"),
        ("time_to_healthy < 500 ms", False, "time_to_healthy", V, "<", 0.5, "s"),
        ("cache_hit_rate < 80%", True, "cache_hit_rate", V, "<", 80, "%"),
        ("performance_score < 50", True, "lighthouse_performance_score", M, "<", 50, ""),
        ("lighthouse_performance_score >= 85", False, "lighthouse_performance_score", M, ">=", 85, ""),
        ("database_connection_failures > 10", True, "database_connection_failures", C, ">", 10, ""),
        ("flag_mismatches == 0", False, "flag_mismatches", C, "==", 0, ""),
        ("flag_share == 25%", False, "flag_share", S, "==", 0.25, ""),
        ("flag_share == 0.25", False, "flag_share", S, "==", 0.25, ""),
        ("flag_share == 0%", False, "flag_share", S, "==", 0, ""),
        ("flag_share == 100%", False, "flag_share", S, "==", 1, ""),
    ],
)
def test_texts_with_their_metric(
    text: str, bad: bool, metric: str, aggregation: Aggregation, operator: str, limit: float, unit: str
) -> None:
    """A text that names its metric is read with the metric's unit and way of judging."""
    threshold = parse(text, bad=bad)

    assert threshold.source == text
    assert threshold.polarity is (Polarity.BAD if bad else Polarity.GOOD)
    assert (threshold.metric, threshold.aggregation, threshold.operator) == (metric, aggregation, operator)
    assert (threshold.limit, threshold.unit) == (limit, unit)
    assert threshold.quantile == (0.95 if aggregation is Q else None)


@pytest.mark.parametrize(
    ("text", "metric", "aggregation", "limit", "quantile"),
    [
        ("p(95)<1000", "http_req_duration", Q, 1000, 0.95),
        ("p( 99.9 ) <= 2s", "http_req_duration", Q, 2000, 0.999),
        ("rate<0.02", "http_req_failed", R, 0.02, None),
        ("rate < 2%", "http_req_failed", R, 0.02, None),
        ("value == 1", "up", V, 1, None),
        ("count == 0", "flag_mismatches", C, 0, None),
        ("share == 25%", "flag_share", S, 0.25, None),
        ("median >= 85", "performance_score", M, 85, None),
        ("error_rate < 2%", "error_rate", R, 0.02, None),
        ("performance_score >= 85", "lighthouse_performance_score", M, 85, None),
        ("api_response_time_p50 < 100", "api_response_time", Q, 100, 0.5),
    ],
)
def test_texts_with_the_metric_apart(
    text: str, metric: str, aggregation: Aggregation, limit: float, quantile: float | None
) -> None:
    """k6's form is read with a metric given apart, and so is a text that names that metric again."""
    threshold = parse(text, metric=metric)

    assert threshold.metric == {"performance_score": "lighthouse_performance_score"}.get(metric, metric)
    assert (threshold.aggregation, threshold.limit, threshold.quantile) == (aggregation, limit, quantile)


def test_attributes() -> None:
    """What is said beside the text arrives; what is not said has careful defaults."""
    given_ = parse(
        "error_rate > 5% for 2m", bad=True, name="high", severity=Severity.CRITICAL, abort=True, min_n=9
    )
    bare = parse("error_rate < 2%")

    assert (given_.name, given_.severity, given_.abort, given_.min_n) == ("high", Severity.CRITICAL, True, 9)
    assert given_.duration_s == 120
    assert (bare.name, bare.severity, bare.abort, bare.min_n) == ("", Severity.WARNING, False, 0)
    assert bare.duration_s == 0
    assert bare.bad is False


def test_evidence_asked_for_by_default() -> None:
    """A share asks for 200 users, other flag checks for 100, and a score for three runs."""
    assert parse("flag_share == 25%").min_n == MIN_SHARE == 200
    assert parse("flag_mismatches == 0").min_n == 100
    assert parse("lighthouse_performance_score >= 85").min_n == 3


@pytest.mark.parametrize(
    ("written", "good"), [("<", ">="), ("<=", ">"), (">", "<="), (">=", "<"), ("==", "!="), ("!=", "==")]
)
def test_what_is_bad_negated_is_good(written: str, good: str) -> None:
    """The good side of a trigger is its exact complement; of anything else it is the text itself."""
    text = f"user_feedback_score {written} 3"

    assert parse(text, bad=True).good() == (good, 3)
    assert parse(text).good() == (written, 3)


@pytest.mark.parametrize(
    ("text", "bad", "at_limit"),
    [
        ("api_response_time_p95 < 1000ms", False, True),
        ("api_response_time_p95 <= 1000ms", False, False),
        ("api_response_time_p95 > 1000ms", True, False),
        ("api_response_time_p95 >= 1000ms", True, True),
    ],
    ids=[
        "below 1000 is good, so 1000 itself is not",
        "1000 at most is good, so 1000 is",
        "above 1000 is bad, so 1000 is not bad",
        "1000 and more is bad, so 1000 is",
    ],
)
def test_a_value_at_the_limit(text: str, bad: bool, at_limit: bool) -> None:
    """An observation equal to the limit counts as an exceedance exactly where it is not good."""
    threshold = parse(text, bad=bad)

    assert exceeds(threshold, 1000.0) is at_limit
    assert exceeds(threshold, math.nextafter(1000, math.inf)) is True
    assert exceeds(threshold, math.nextafter(1000, 0)) is False
    assert exceeds(threshold, math.inf) is True


def test_edges_do_not_collide() -> None:
    """Strict and lax thresholds at one limit count under keys of their own, and equal ones share a key."""
    strict = parse("api_response_time_p95 < 1000ms")
    lax = parse("api_response_time_p95 <= 1000ms")
    trigger = parse("api_response_time_p95 > 1000ms", bad=True)

    assert strict.edge != lax.edge
    assert lax.edge == trigger.edge == 1000
    assert strict.edge == parse("api_response_time_p50 < 1s").edge


def test_an_edge_survives_json() -> None:
    """The key of a count is found again after it was written and read as text."""
    edge = parse("api_response_time_p95 < 1000ms").edge

    assert edge is not None
    assert float(repr(edge)) == edge


def test_only_quantiles_have_an_edge() -> None:
    """A rate has none, and nothing exceeds it."""
    rate = parse("error_rate < 2%")

    assert rate.edge is None
    assert exceeds(rate, 1e9) is False


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("api_response_time_p95 < 1s", 0.05),
        ("api_response_time_p99.9 < 1s", 0.001),
        ("api_response_time_p50 < 1s", 0.5),
        ("error_rate < 2%", 0.02),
    ],
)
def test_what_may_lie_above(text: str, allowed: float) -> None:
    """A p95 allows exactly 0.05 above its limit, with no dust of binary arithmetic."""
    assert parse(text).allowed == allowed


GOOD = {
    Kind.RATE: ["<", "<="],
    Kind.LATENCY: ["<", "<="],
    Kind.VALUE: ["<", "<=", ">", ">=", "==", "!="],
    Kind.SCORE: [">", ">="],
    Kind.COUNT: ["<", "<=", "=="],
    Kind.SHARE: ["=="],
}
COMPLEMENT = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


@st.composite
def thresholds(draw: st.DrawFn) -> Threshold:
    """Any valid threshold."""
    metric = draw(st.sampled_from(list(METRICS.values())))
    bad = draw(st.booleans())
    fractions = st.floats(1e-9, 1, exclude_max=True)
    limits = {
        Kind.RATE: fractions,
        Kind.SHARE: fractions,
        Kind.SCORE: st.floats(0, 100),
        Kind.COUNT: st.integers(0, 10**6).map(float),
        Kind.LATENCY: st.floats(1e-3, 1e9),
        Kind.VALUE: st.floats(-1e12, 1e12),
    }
    good = draw(st.sampled_from(GOOD[metric.kind]))
    kinds = {Kind.RATE: R, Kind.SHARE: S, Kind.SCORE: M, Kind.COUNT: C, Kind.LATENCY: Q, Kind.VALUE: V}
    return Threshold(
        source="",
        metric=metric.name,
        aggregation=kinds[metric.kind],
        operator=COMPLEMENT[good] if bad else good,
        limit=draw(limits[metric.kind]),
        unit=metric.unit,
        quantile=draw(st.integers(1, 9999)) / 10_000 if metric.kind is Kind.LATENCY else None,
        polarity=Polarity.BAD if bad else Polarity.GOOD,
        duration_s=float(draw(st.integers(0, 10**5))),
        min_n=draw(st.integers(0, 10**6)),
    )


@given(thresholds())
def test_text_round_trip(threshold: Threshold) -> None:
    """Whatever a threshold says of itself reads back as the same threshold."""
    again = parse(str(threshold), bad=threshold.bad, min_n=threshold.min_n)

    assert replace(again, source="") == threshold
    assert validate(again) == []


@given(thresholds())
def test_source_and_metric_read_back(threshold: Threshold) -> None:
    """Evidence keeps the source and the metric; the two together are read back."""
    written = parse(str(threshold), bad=threshold.bad)

    assert parse(written.source, metric=written.metric, bad=written.bad) == written


def test_metrics_of_the_settings() -> None:
    """A metric that the settings declare is known, a whole name goes before a percentile, its unit counts."""
    own = {"queue_wait_p75": Metric("queue_wait_p75", Kind.VALUE, "ms", "waiting for a worker")}

    threshold = parse("queue_wait_p75 > 3s", bad=True, metrics={**METRICS, **own})

    assert (threshold.metric, threshold.aggregation, threshold.limit) == ("queue_wait_p75", V, 3000)
    assert "is no known metric" in validate(threshold)[0]
