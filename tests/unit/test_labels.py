from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.load_runs import settings

from rampgate.config import labels, policy
from rampgate.config.settings import Settings
from rampgate.errors import ConfigurationError
from rampgate.model.metrics import METRICS as KNOWN

RECORDED = Path(__file__).parents[1] / "recorded"
FLAGS = {"path": "/f/{flag}?u={user}", "expected": {"new": 25}}
PAGES = [{"name": "home", "path": "/", "lighthouse": True}, {"name": "help", "path": "/help"}]
METRICS = [{"name": "orders", "unit": "", "path": "/m", "value": "n"}]
UNDER_LOAD = "endpoint, cohort, ramp_stage"
RAMP_STAGES = "plateau, whole run, or a stage as the report names it (stage 1: 0 to 20 users)"


def told_of(folder: Path, metric: str, expect: str, **where: str) -> list[str]:
    """What is told of such a threshold under [thresholds], or under [load] for the metrics of a load run."""
    entry = {"expect": expect, "where": where}
    load = {"thresholds": {metric: [entry]}} if metric.startswith("http_") else {}
    more: dict[str, Any] = {} if load else {"thresholds": {"mine": entry}}
    read = settings(folder, load, flags=FLAGS, pages=PAGES, metrics=METRICS, **more)
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
        ("cache_hit_rate", "cache_hit_rate > 50", {"service": "redis"}),
        ("command", "command_time < 60", {"command": "lint"}),
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
            "outage",
            "api_outage < 3s",
            {"endpoint": "one"},
            "thresholds.mine.where: found the label 'endpoint'; api_outage has no labels",
        ),
        (
            "up",
            "up == 1",
            {"service": "web"},
            "thresholds.mine.where.service: found 'web'; accepted are api",
        ),
        (
            "share",
            "flag_changed == 0",
            {"form": "single"},
            "thresholds.mine.where: found the label 'form'; accepted are flag",
        ),
        (
            "store",
            "cache_hit_rate > 50",
            {"endpoint": "one"},
            "thresholds.mine.where: found the label 'endpoint'; accepted are service",
        ),
        (
            "declared",
            "orders > 5",
            {"endpoint": "one"},
            "thresholds.mine.where: found the label 'endpoint'; orders has no labels",
        ),
        (
            "form factor",
            "lighthouse_performance_score >= 90",
            {"form_factor": "desktop"},
            "thresholds.mine.where.form_factor: found 'desktop'; accepted are mobile",
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
    ids=[
        "label",
        "endpoint",
        "outage",
        "service",
        "form",
        "store",
        "declared",
        "form factor",
        "page",
        "label under load",
        "cohort",
        "ramp stage",
    ],
)
def test_a_label_that_no_measurement_carries_is_told(
    tmp_path: Path, metric: str, expect: str, where: dict[str, str], says: str
) -> None:
    """Such a threshold would never be judged: file, key, what was found and what is accepted."""
    assert told_of(tmp_path, metric, expect, **where) == [f"rampgate.toml: {says}"]


def test_every_label_of_recorded_runs_is_known_of_its_metric() -> None:
    """What is measured is never refused as if it were not."""
    seen: dict[str, dict[str, str]] = {}
    for file in RECORDED.glob("*/*.jsonl.gz"):
        for line in gzip.decompress(file.read_bytes()).splitlines():
            found = json.loads(line).get("measurement")
            if isinstance(found, dict):
                seen.setdefault(found["metric"], {}).update(found.get("labels", {}))
    judged = {metric: carried for metric, carried in seen.items() if metric in KNOWN}
    assert len(judged) > 40
    lines = [line for metric, carried in judged.items() for line in labels.wrong(carried, metric, Settings())]
    assert [line for line in lines if "found the label" in line] == []


def test_all_wrong_labels_are_told_at_once(tmp_path: Path) -> None:
    """One line for each."""
    found = told_of(tmp_path, "http_req_failed", "rate<0.01", endpoint="x", cohort="y", ramp_stage="z")
    assert len(found) == 3
