from __future__ import annotations

from rampgate.config.policy import LOAD_CRITICAL
from rampgate.config.thresholds import defaults
from rampgate.judging.threshold import parse, validate
from rampgate.model.metrics import ALIASES, METRICS, Kind, registry


def test_every_alias_leads_to_a_metric() -> None:
    """Another name for a metric is of use only where there is one, and hides none."""
    assert set(ALIASES.values()) <= set(METRICS)
    assert not set(ALIASES) & set(METRICS)


def test_settings_may_declare_metrics_but_not_change_ours() -> None:
    """A declared number is a plain value; a built-in metric keeps its kind."""
    told = registry([{"name": "queue", "unit": "s"}, {"name": "error_rate"}, {"name": "bare"}])
    assert (told["queue"].kind, told["queue"].unit) == (Kind.VALUE, "s")
    assert told["error_rate"].kind is Kind.RATE
    assert told["bare"].unit == ""
    assert "queue" not in METRICS


def test_every_default_threshold_fits_its_metric() -> None:
    """What is in force without settings has nothing for ``validate`` to find."""
    thresholds = [parse(default.text, bad=default.bad, name=default.name) for default in defaults()]
    thresholds += [parse(text, metric=metric, bad=True) for metric, text in LOAD_CRITICAL]
    assert [problem for threshold in thresholds for problem in validate(threshold)] == []
