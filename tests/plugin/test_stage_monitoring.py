"""The checks of the monitoring before a deploy, in a pytest of their own against small servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.plugin.deployment import Project, closed_address, deployed
from tests.unit.fakes import send_json, serving

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

SETTINGS = """
environment = "test"
policy = "triggers.yml"
[target]
api = "{api}"
headers = {{ X-Canary = "canary-of-the-target" }}
[monitoring]
prometheus = "{prometheus}"
rules = ["Slow"]
metrics = {{ rate = "rate_query" }}
timeout = "2s"
[stages.predeploy]
patience = "0s"
"""
TRIGGERS = "rollback_triggers: {warning: [user_feedback_score < 3.0]}\n"
CHECKS = ["jobs_are_up", "rules_are_loaded", "metrics_are_delivered"]


def project(folder: Path, api: str, prometheus: str) -> Project:
    """Settings with a target and a Prometheus."""
    made = Project(folder, SETTINGS.format(api=api, prometheus=prometheus))
    made.write("triggers.yml", TRIGGERS)
    return made


def outcomes(made: Project) -> dict[str, str]:
    """The monitoring checks' outcomes by their short names."""
    ran = made.run("-m", "predeploy")
    told = {check.partition("::")[2]: outcome for check, outcome in ran.outcomes.items()}
    assert "Traceback" not in ran.told
    return told


class Prometheus:
    """A Prometheus whose answers the test decides; keeps the headers that it was sent."""

    def __init__(self) -> None:
        self.loaded = "Slow"
        self.status = 200
        self.headers: list[str] = []

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        self.headers.append(str(handler.headers))
        parts = urlsplit(handler.path)
        if parts.path == "/-/ready":
            send_json(handler, 200, "ready")
            return
        send_json(handler, self.status, {"status": "success", "data": self._data(parts.path, parts.query)})

    def _data(self, path: str, query: str) -> dict[str, Any]:
        labels = {"job": "api"}
        if path == "/api/v1/targets":
            return {"activeTargets": [{"labels": labels, "health": "up"}]}
        if path == "/api/v1/rules":
            return {"groups": [{"rules": [{"type": "alerting", "name": self.loaded, "health": "ok"}]}]}
        assert parse_qs(query)["query"][0] in {"up", "rate_query"}
        return {"resultType": "vector", "result": [{"metric": labels, "value": [1, "1"]}]}


def test_healthy_monitoring_passes_and_is_sent_nothing_of_the_targets(tmp_path: Path) -> None:
    """Each check passes; a header of the target, which may be a secret, does not go to the monitoring."""
    prometheus = Prometheus()
    with deployed() as target, serving(prometheus) as address:
        made = project(tmp_path, target.url, address)
        told = outcomes(made)
    assert set(told.values()) == {"passed"}, told
    assert {"service_is_up[api]", "monitoring_is_up[prometheus]", *CHECKS} <= set(told)
    assert not any("canary" in headers for headers in prometheus.headers)
    journal = "".join(path.read_text(encoding="utf-8") for path in made.latest.glob("*.jsonl"))
    assert "thresholds on user_feedback_score are never judged" in journal


def test_prometheus_that_does_not_answer_is_one_failure(tmp_path: Path) -> None:
    """Its own check fails; what depends on it is skipped because of it, and the verdict holds."""
    with deployed() as target:
        made = project(tmp_path, target.url, closed_address())
        told = outcomes(made)
    assert told["monitoring_is_up[prometheus]"] == "failed"
    assert {told[name] for name in CHECKS} == {"skipped"}
    assert made.verdict["verdict"] == "hold"


@pytest.mark.parametrize(("status", "outcome"), [(500, "error"), (200, "failed")])
def test_bad_answer_and_bad_news_are_told_apart(tmp_path: Path, status: int, outcome: str) -> None:
    """A Prometheus that cannot say is an error; one that says no is a failure, with the rule's name."""
    prometheus = Prometheus()
    prometheus.loaded, prometheus.status = "Other", status
    with deployed() as target, serving(prometheus) as address:
        made = project(tmp_path, target.url, address)
        told = outcomes(made)
    assert told["rules_are_loaded"] == outcome
    reasons = json.dumps(made.verdict)
    assert ("Slow: not loaded" if status == 200 else "Prometheus, /api/v1/rules: found HTTP 500") in reasons


PUSHED = """
environment = "test"
[target]
api = "{api}"
[monitoring]
prometheus = "{prometheus}/select/0/prometheus"
jobs = false
metrics = {{ rate = "rate_query" }}
[monitoring.headers.prometheus]
X-Scope-OrgID = "tenant-of-ours"
"""


def test_a_tenant_of_a_store_of_pushed_metrics_is_asked_under_its_own_path(tmp_path: Path) -> None:
    """No health address, no targets, a prefix and a tenant: what is asked for is judged, and passes."""
    queries = 0

    def answer(handler: BaseHTTPRequestHandler) -> None:
        nonlocal queries
        path = urlsplit(handler.path).path
        if (
            path != "/select/0/prometheus/api/v1/query"
            or handler.headers["X-Scope-OrgID"] != "tenant-of-ours"
        ):
            send_json(handler, 400, "unsupported path")
            return
        queries += 1
        result = [{"metric": {}, "value": [1, "1"]}]
        send_json(handler, 200, {"status": "success", "data": {"resultType": "vector", "result": result}})

    with deployed() as target, serving(answer) as address:
        made = Project(tmp_path, PUSHED.format(api=target.url, prometheus=address))
        ran = made.run("-m", "predeploy")
    assert ran.outcomes["predeploy/monitoring::monitoring_is_up[prometheus]"] == "passed"
    assert ran.outcomes["predeploy/monitoring::metrics_are_delivered"] == "passed"
    assert not any("jobs_are_up" in check for check in ran.outcomes)
    assert queries
    assert "tenant-of-ours" not in ran.told
    assert not any("tenant-of-ours" in file.read_text() for file in tmp_path.rglob("journal-*.jsonl"))
