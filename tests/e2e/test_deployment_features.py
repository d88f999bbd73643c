"""The reference deployment after its last step: every flag on for one account and off for the other."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.e2e.test_deployment import Deployment, set_flag

from pharmapilot.auth import OFF_EMAIL

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def advanced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One deployment for all tests of this file, each of which leaves it as it was."""
    with Deployment(tmp_path_factory.mktemp("advanced"), "--scene", "advanced") as running:
        yield running


@pytest.fixture(scope="module")
def on(advanced: Deployment) -> Iterator[httpx.Client]:
    """A user for whom every flag is on."""
    with advanced.client() as client:
        yield client


@pytest.fixture(scope="module")
def off(advanced: Deployment) -> Iterator[httpx.Client]:
    """A user for whom every flag but monitoring is off."""
    with advanced.client(OFF_EMAIL) as client:
        yield client


@contextmanager
def fault(deployment: Deployment, **switched: object) -> Iterator[None]:
    """The fault is on inside the block."""
    answer = deployment.admin.put("/api/admin/faults", json=switched)
    assert answer.status_code == 200, answer.text
    try:
        yield
    finally:
        deployment.admin.delete("/api/admin/faults")


def read(deployment: Deployment, path: str) -> Any:
    """The JSON of an admin path."""
    return deployment.admin.get(f"/api/admin/{path}").json()


def series(deployment: Deployment, name: str) -> float:
    """The sum over all labels of a series; 0 where there is none."""
    lines = deployment.admin.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.replace("{", " ").startswith(f"{name} "))


def test_accounts_stand_on_their_sides_of_every_flag(
    advanced: Deployment, on: httpx.Client, off: httpx.Client
) -> None:
    """What the other tests compare is really on for one and off for the other."""
    users = [client.get("/api/auth/me").json() for client in (on, off)]
    wanted = [{"userId": user["id"], "workspaceId": user["workspaceId"]} for user in users]
    answer = httpx.post(advanced.ready["api"] + "/api/feature-flags/evaluate", json={"users": wanted})
    with_flags, without = (result["flags"] for result in answer.json()["results"])
    assert all(with_flags.values())
    assert [name for name, is_on in without.items() if is_on] == ["performanceMonitoring"]


def test_vitals_are_kept_while_monitoring_is_on(advanced: Deployment, on: httpx.Client) -> None:
    """A visit that a browser measured is in the figures and in /metrics, and without the flag it is not."""
    beacon = {"page": "/patients", "metrics": {"LCP": 800, "CLS": 0.01, "TTFB": 20}}
    before = series(advanced, "web_vitals_lcp_seconds_count")
    assert on.post("/api/vitals", json=beacon).status_code == 204
    assert series(advanced, "web_vitals_lcp_seconds_count") == before + 1
    assert read(advanced, "performance/vitals?minutes=5")["LCP"]["p75"] == 800
    health = read(advanced, "performance/health")
    assert (health["status"], health["collecting"]) == ("ok", True)
    assert health["lastVitalAt"] > 0
    set_flag(advanced, "performanceMonitoring", percentage=0)
    assert on.post("/api/vitals", json=beacon).status_code == 204
    set_flag(advanced, "performanceMonitoring", percentage=100)
    assert httpx.post(advanced.ready["api"] + "/api/vitals", json=beacon).status_code == 204
    assert series(advanced, "web_vitals_lcp_seconds_count") == before + 1
    assert on.post("/api/vitals", json={"page": "/"}).status_code == 400


def test_lost_vitals_are_unhealthy(advanced: Deployment, on: httpx.Client) -> None:
    """Vitals that go nowhere are told by the health of the monitoring, and seen in its series."""
    before = series(advanced, "web_vitals_received_total")
    with fault(advanced, vitals_lost={}):
        beacon = {"page": "/", "metrics": {"FCP": 100}}
        assert on.post("/api/vitals", json=beacon).status_code == 204
        health = advanced.admin.get("/api/admin/performance/health")
        assert (health.status_code, health.json()["status"]) == (503, "lost")
        assert series(advanced, "web_vitals_received_total") == before
    assert advanced.admin.get("/api/admin/performance/health").status_code == 200


def test_series_can_freeze_or_be_missing(advanced: Deployment, on: httpx.Client) -> None:
    """Whoever trusts /metrics can be shown one that stands still, or has a hole."""
    with fault(advanced, metrics_frozen={}):
        before = series(advanced, "http_requests_total")
        on.get("/api/auth/me")
        assert series(advanced, "http_requests_total") == before
    assert series(advanced, "http_requests_total") > before
    with fault(advanced, metrics_missing={"name": "mongodb_up"}):
        assert "mongodb_up" not in advanced.admin.get("/metrics").text
    assert series(advanced, "mongodb_up") == 1
    assert series(advanced, "pharmapilot_build_info") == 1
