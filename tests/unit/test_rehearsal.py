"""A rehearsal: everything that waits takes less time, and limits stay where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from rampgate.config import rehearsal, watch_policy
from rampgate.config.loading import load
from rampgate.config.settings import Settings

ENTRY = {"name": "reported", "path": "/rate", "value": "rate", "unit": "%"}


def settings(**more: object) -> Settings:
    """Settings with a metric that has an interval and an age of its own."""
    metrics = [{**ENTRY, "interval": "60s", "max_age": "10m"}]
    return Settings.model_validate({"metrics": metrics, **more})


def test_time_goes_faster() -> None:
    """Load, watch, intervals and windows by the factor; what is too short for a judgement stays."""
    found = rehearsal.scaled(settings(), 10)
    assert found.load.extended.duration == 60
    assert found.soak.duration == 180
    assert (found.watch.interval, found.watch.window) == (3, 30)
    assert (found.watch.recovery, found.watch.max_age) == (6, 15)
    (entry,) = found.table("metrics")
    assert (entry.interval, entry.max_age) == (6, 60)
    assert found.load.extended.users == 50
    assert (found.watch.min_responses, found.watch.confirmations) == (30, 3)


def test_nothing_is_shorter_than_what_can_decide() -> None:
    """However large the factor; what was shorter anyway stays as it is."""
    found = rehearsal.scaled(settings(watch={"interval": "1s"}, soak={"duration": "20s"}), 1000)
    assert (found.load.extended.duration, found.soak.duration) == (30, 20)
    assert (found.watch.interval, found.watch.window) == (1, 2)
    assert found.table("metrics")[0].interval == 2


def test_a_factor_of_one_changes_nothing() -> None:
    """What is no rehearsal is what the file says."""
    meant = settings()
    assert rehearsal.scaled(meant, 1) is meant


def test_rules_must_hold_for_less_time() -> None:
    """The shipped rules with the same limits, each for a thirtieth of its duration."""
    file = Path(__file__).parents[2] / "rampgate.toml"
    meant, _ = load(file, from_environment=False)
    before = watch_policy.build(meant, file.parent)
    after = rehearsal.scaled_rules(before, 30)
    assert [str(each.name) for each in after.rules] == [each.name for each in before.rules]
    assert [each.threshold.limit for each in after.rules] == [each.threshold.limit for each in before.rules]
    lasting = [each.threshold.duration_s for each in before.rules]
    assert [each.threshold.duration_s for each in after.rules] == pytest.approx([d / 30 for d in lasting])
    assert any(lasting)
    assert after.monitoring.web_vitals.collection_interval == 2


def test_its_name_has_the_factor() -> None:
    """As the verdict line says it."""
    assert rehearsal.said(30.0) == "rehearsal: time scale 30"


def test_what_comes_seldom_keeps_a_window_that_holds_some() -> None:
    """Votes, one a user and minute, and visits."""
    counters = {"each": "r", "total": "t", "failed": "f", "cohort": "c", "endpoint": "e"}
    votes = {"name": "votes", "path": "/c", "votes": True, **counters}
    found = rehearsal.scaled(Settings.model_validate({"metrics": [votes]}), 30)
    assert found.table("metrics")[0].window == 120


def test_a_rehearsal_audits_one_page() -> None:
    """An audit takes as long as ever."""
    pages = [{"name": name, "path": f"/{name}", "lighthouse": name != "a"} for name in "abc"]
    meant = Settings.model_validate({"target": {"web": "http://127.0.0.1:9"}, "pages": pages})
    found = rehearsal.with_one_audit(meant, 30)
    assert [page.name for page in found.pages if page.lighthouse] == ["b"]
    assert rehearsal.with_one_audit(meant, 1) is meant
