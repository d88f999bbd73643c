from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.load_runs import settings

from rampgate.config import policy
from rampgate.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = {"path": "/f/{flag}?u={user}", "expected": {"new": 25}}
PAGES = [{"name": "home", "path": "/", "lighthouse": True}, {"name": "help", "path": "/help"}]
UNDER_LOAD = "endpoint, cohort, ramp_stage"
RAMP_STAGES = "plateau, whole run, or a stage as the report names it (stage 1: 0 to 20 users)"


def told_of(folder: Path, metric: str, expect: str, **where: str) -> list[str]:
    """What is told of such a threshold under [thresholds], or under [load] for the metrics of a load run."""
    entry = {"expect": expect, "where": where}
    load = {"thresholds": {metric: [entry]}} if metric.startswith("http_") else {}
    more: dict[str, Any] = {} if load else {"thresholds": {"mine": entry}}
    read = settings(folder, load, flags=FLAGS, pages=PAGES, **more)
    try:
        (policy.load_rules if load else policy.build)(read)
    except ConfigurationError as error:
        return error.problems
    return []


@pytest.mark.parametrize(
    ("metric", "expect", "where"),
    [
        ("error_rate", "error_rate < 1%", {"endpoint": "one"}),
        ("up", "up == 1", {"service": "api"}),
        ("page_up", "page_up == 1", {"page": "help"}),
        ("lighthouse", "lighthouse_performance_score >= 90", {"page": "home", "form_factor": "mobile"}),
        ("flag", "flag_mismatches == 0", {"flag": "new"}),
        ("http_req_failed", "rate<0.01", {"endpoint": "two", "cohort": "on"}),
        ("http_req_duration", "p(95)<500", {"ramp_stage": "plateau"}),
        ("http_req_duration", "p(95)<500", {"ramp_stage": "stage 2: 10 to 50 users"}),
        ("cache_hit_rate", "cache_hit_rate > 50", {"anything": "goes"}),
    ],
)
def test_a_label_that_measurements_carry_is_accepted(
    tmp_path: Path, metric: str, expect: str, where: dict[str, str]
) -> None:
    """Every label that the checks put on what they measure, with the names of the settings."""
    assert told_of(tmp_path, metric, expect, **where) == []


@pytest.mark.parametrize(
    ("metric", "expect", "where", "says"),
    [
        (
            "error_rate",
            "error_rate < 1%",
            {"endpiont": "one"},
            "thresholds.mine.where: found the label 'endpiont'; did you mean endpoint? accepted are endpoint",
        ),
        (
            "error_rate",
            "error_rate < 1%",
            {"endpoint": "three"},
            "thresholds.mine.where.endpoint: found 'three'; accepted are one, two",
        ),
        (
            "lighthouse",
            "lighthouse_performance_score >= 90",
            {"page": "help"},
            "thresholds.mine.where.page: found 'help'; accepted are home",
        ),
        (
            "http_req_failed",
            "rate<0.01",
            {"page": "home"},
            "load.thresholds.http_req_failed.where: found the label 'page'; accepted are " + UNDER_LOAD,
        ),
        (
            "http_req_failed",
            "rate<0.01",
            {"cohort": "maybe"},
            "load.thresholds.http_req_failed.where.cohort: found 'maybe'; accepted are on, off",
        ),
        (
            "http_req_duration",
            "p(95)<500",
            {"ramp_stage": "platau"},
            "load.thresholds.http_req_duration.where.ramp_stage: found 'platau'; accepted are " + RAMP_STAGES,
        ),
    ],
    ids=["label", "endpoint", "page", "label under load", "cohort", "ramp stage"],
)
def test_a_label_that_no_measurement_carries_is_told(
    tmp_path: Path, metric: str, expect: str, where: dict[str, str], says: str
) -> None:
    """Such a threshold would never be judged: file, key, what was found and what is accepted."""
    assert told_of(tmp_path, metric, expect, **where) == [f"rampgate.toml: {says}"]


def test_all_wrong_labels_are_told_at_once(tmp_path: Path) -> None:
    """One line for each."""
    found = told_of(tmp_path, "http_req_failed", "rate<0.01", endpoint="x", cohort="y", ramp_stage="z")
    assert len(found) == 3
