"""Web vitals that are read as histograms: their 75th percentile is judged by counts of visits."""

from __future__ import annotations

from typing import Any

import pytest

from rampgate.config import watch_policy
from rampgate.config.settings import Settings
from rampgate.judging.judge import judge
from rampgate.judging.threshold import parse
from rampgate.model.measurement import Measurement
from rampgate.model.metrics import registry
from rampgate.outcome import Outcome

COUNTED = {"name": "web_vitals_lcp", "path": "/v", "total": "LCP.total", "buckets": "LCP.buckets"}
VALUE = {"name": "web_vitals_lcp", "path": "/v", "value": "LCP.p75", "watch_only": True}


def rule(entry: dict[str, Any], text: str) -> Any:
    """The one rule of a watch that reads it so."""
    settings = Settings.model_validate({"metrics": [entry], "watch": {"thresholds": {"lcp": text}}})
    (found,) = watch_policy.build(settings).rules
    return found.threshold


@pytest.mark.parametrize("text", ["web_vitals_lcp_p75 <= 3000ms", "web_vitals_lcp <= 3s"])
def test_a_percentile_that_is_counted_is_one_of_visits(text: str) -> None:
    """Under both of its names: at most a quarter of the visits may be above."""
    found = rule(COUNTED, text)
    assert (found.quantile, found.edge) == (0.75, 3000)
    assert rule(VALUE, text).quantile is None


@pytest.mark.parametrize(
    ("n", "slow", "outcome"),
    [(200, 10, Outcome.PASSED), (10, 0, Outcome.UNDECIDED), (200, 120, Outcome.FAILED)],
)
def test_it_is_judged_with_bounds(n: int, slow: int, outcome: Outcome) -> None:
    """By the journal's own settings, as a verdict judges it later; a few visits decide nothing."""
    metrics = registry([COUNTED])
    threshold = parse("web_vitals_lcp_p75 <= 3000ms", metrics=metrics)
    seen = Measurement("web_vitals_lcp", "ms", n=n, exceedances={3000.0: slow})
    assert judge(threshold, seen, alpha_fail=1e-3, alpha_pass=1e-3).outcome is outcome
    assert registry([VALUE])["web_vitals_lcp"].kind == "value"
