import pytest

from pharmapilot.metrics import Metrics, Recent
from pharmapilot.traffic import Asker


def test_nothing_observed_is_null_and_not_zero() -> None:
    """No requests is no error rate: a gate must not read it as a good one."""
    figures = Recent().figures(5)
    assert (figures.requests, figures.error_percent, figures.p95_ms) == (0, None, None)


def test_figures_are_those_of_the_last_minutes() -> None:
    """What is older than asked for does not count."""
    now = [0.0]
    recent = Recent(lambda: now[0])
    for _ in range(10):
        recent.add(0.010, error=True)
    now[0] = 120.0
    for index in range(40):
        recent.add(0.020, error=index == 0)
    assert recent.figures(1).error_percent == pytest.approx(2.5)
    assert recent.figures(5).error_percent == pytest.approx(22.0)


def test_percentile_is_rounded_up_by_at_most_a_tenth() -> None:
    """The 95th percentile is never told too low."""
    recent = Recent(lambda: 0.0)
    for milliseconds in range(1, 101):
        recent.add(milliseconds / 1000, error=False)
    p95 = recent.figures(1).p95_ms
    assert p95 is not None
    assert 95 <= p95 <= 95 * 1.1


def test_series_carry_the_buckets_of_the_seed_and_the_cohort() -> None:
    """Prometheus can tell the cohorts apart at 50 to 5000 ms."""
    metrics = Metrics()
    metrics.traffic.add("GET", "/api/patients", 200, Asker("user-1", "on"), 0.3)
    metrics.stores({"mongodb": "ok", "redis": "down"})
    lines = metrics.exposition().decode().splitlines()
    prefix = 'http_request_duration_seconds_bucket{cohort="on",endpoint="/api/patients",le='
    edges = [line.removeprefix(prefix).split('"')[1] for line in lines if line.startswith(prefix)]
    assert edges == ["0.05", "0.1", "0.2", "0.5", "1.0", "2.0", "5.0", "+Inf"]
    assert f'{prefix}"0.2",origin="user"}} 0.0' in lines
    assert f'{prefix}"0.5",origin="user"}} 1.0' in lines
    assert {"mongodb_up 1.0", "redis_up 0.0"} <= set(lines)
