"""The reference deployment after its last step: every flag on for one account and off for the other."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.e2e.test_deployment import START_SECONDS, Deployment, set_flag, wait_for

from pharmapilot.auth import COOKIE

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
    with advanced.client(advanced.ready["off_email"]) as client:
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


def patients(client: httpx.Client, query: dict[str, Any]) -> dict[str, Any]:
    """One page, asked for anew while the stores of a busy machine do not answer in time."""
    deadline = time.monotonic() + START_SECONDS
    while (answer := client.get("/api/patients", params=query)).status_code == 503:
        assert time.monotonic() < deadline, answer.text
    page: dict[str, Any] = answer.json()
    return page


def walk(client: httpx.Client, limit: int = 100) -> list[str]:
    """The ids of all patients, page by page, as the answers lead; by number where there is a next page."""
    seen: list[str] = []
    query: dict[str, Any] = {}
    while True:
        answer = patients(client, {"limit": limit, **query})
        seen += [patient["id"] for patient in answer["items"]]
        if answer.get("nextPage"):
            query = {"page": answer["nextPage"]}
        elif answer["nextCursor"]:
            query = {"cursor": answer["nextCursor"]}
        else:
            return seen


@pytest.mark.parametrize("account", ["on", "off"])
def test_pages_lead_through_every_patient(account: str, request: pytest.FixtureRequest) -> None:
    """By cursor or by number, nobody is lost and nobody comes twice."""
    client: httpx.Client = request.getfixturevalue(account)
    assert walk(client) == [f"p-{number:05d}" for number in range(1, 5001)]


def test_paging_flag_decides_what_the_next_page_is_called(on: httpx.Client, off: httpx.Client) -> None:
    """A cursor is an id; without the flag pages have numbers."""
    first, numbered = (client.get("/api/patients?limit=50").json() for client in (on, off))
    assert first["nextCursor"] == "p-00050"
    assert "nextPage" not in first
    assert numbered["nextPage"] == 2
    third = off.get("/api/patients?limit=50&page=3").json()
    assert (third["items"][0]["id"], third["nextPage"]) == ("p-00101", 4)
    assert on.get("/api/patients?limit=50&page=3").json()["items"] == third["items"]
    for query in ("page=0", "page=x", "page=2&cursor=p-00050"):
        assert off.get(f"/api/patients?{query}").status_code == 400


@pytest.mark.parametrize("account", ["on", "off"])
def test_broken_paging_repeats_or_leaves_out(
    advanced: Deployment, account: str, request: pytest.FixtureRequest
) -> None:
    """Whoever walks the pages can see the fault, and the walk still ends."""
    client: httpx.Client = request.getfixturevalue(account)
    with fault(advanced, paging_repeats={}):
        seen = walk(client)
        assert len(set(seen)) < len(seen)
    with fault(advanced, paging_gap={}):
        seen = walk(client)
        assert len(set(seen)) == len(seen) < 5000


def test_search_uses_the_index_where_the_flag_is_on(
    advanced: Deployment, on: httpx.Client, off: httpx.Client
) -> None:
    """The same patients for both, found with an index for one and by reading everything for the other."""
    query = "/api/patients/search?ward=cardiology&risk=high&limit=50"
    fast, slow = (client.get(query) for client in (on, off))
    assert [item["id"] for item in fast.json()["items"]] == [item["id"] for item in slow.json()["items"]]
    assert len(fast.json()["items"]) == 50
    assert len(fast.content) < len(slow.content)
    for client, stage in ((on, "IXSCAN"), (off, "COLLSCAN")):
        user = client.get("/api/auth/me").json()
        who = f"userId={user['id']}&workspaceId={user['workspaceId']}"
        told = read(advanced, f"database/explain?name=patients_by_ward&{who}")
        assert told["stage"] == stage
        assert (told["docsExamined"] == 5000) is (stage == "COLLSCAN")
        last = read(advanced, f"database/explain?name=patients_last_page&{who}")
        assert last["docsExamined"] == (100 if client is on else 5000)
    for wrong in ("ward=cellar&risk=high", "ward=surgery", "ward=surgery&risk=high&limit=0"):
        assert on.get(f"/api/patients/search?{wrong}").status_code == 400


def test_explain_follows_flag_and_fault(advanced: Deployment) -> None:
    """Without a user it tells what the flag's users get; a missing index turns their way into a scan."""
    path = "database/explain?name=patients_by_ward"
    assert read(advanced, path)["stage"] == "IXSCAN"
    with fault(advanced, missing_index={}):
        assert read(advanced, path)["stage"] == "COLLSCAN"
    set_flag(advanced, "databaseOptimization", percentage=0)
    assert read(advanced, path)["stage"] == "COLLSCAN"
    set_flag(advanced, "databaseOptimization", percentage=25)
    assert advanced.admin.get("/api/admin/database/explain?name=all").status_code == 400


def test_cache_that_never_hits_is_seen_in_header_and_counters(
    advanced: Deployment, on: httpx.Client, off: httpx.Client
) -> None:
    """Hits count while the cache works, misses alone while it does not, and nothing without the flag."""
    on.get("/api/patients?limit=33")
    lookups = series(advanced, "cache_lookups_total")
    assert off.get("/api/patients?limit=33").headers["X-Cache"] == "off"
    assert series(advanced, "cache_lookups_total") == lookups
    hits = series(advanced, "cache_hits_total")
    assert on.get("/api/patients?limit=33").headers["X-Cache"] == "hit"
    assert series(advanced, "cache_hits_total") == hits + 1
    with fault(advanced, cache_never_hit={}):
        misses = series(advanced, "cache_misses_total")
        assert [on.get("/api/patients?limit=33").headers["X-Cache"] for _ in range(3)] == ["miss"] * 3
        assert series(advanced, "cache_hits_total") == hits + 1
        assert series(advanced, "cache_misses_total") == misses + 3


def test_cache_can_miss_a_share_of_what_it_holds(advanced: Deployment, on: httpx.Client) -> None:
    """With a share of 0.6 the store itself counts four hits in ten look-ups of what it holds."""
    states: Counter[str] = Counter()
    with fault(advanced, cache_never_hit={"share": 0.6}):
        for _ in range(200):
            states[on.get("/api/patients?limit=34").headers["X-Cache"]] += 1
    assert 0.2 < states["hit"] / 200 < 0.6
    assert states["hit"] + states["miss"] == 200


def test_a_session_that_ended_is_refused_unless_signing_out_is_broken(advanced: Deployment) -> None:
    """Signing out ends the session for everybody who holds its token; with the fault it goes on."""
    for broken, status in ((True, 200), (False, 401)):
        with advanced.client() as client:
            kept = {"Authorization": f"Bearer {client.cookies[COOKIE]}"}
            with fault(advanced, **({"sign_out_broken": {}} if broken else {})):
                answer = client.post("/api/auth/logout")
        assert answer.json() == {"signedOut": True}
        assert ("set-cookie" in answer.headers) is not broken
        assert httpx.get(advanced.ready["api"] + "/api/auth/me", headers=kept).status_code == status


def test_flag_service_can_be_late_or_fail_and_bulk_goes_on(advanced: Deployment, on: httpx.Client) -> None:
    """Both strike the question for one flag: the page has its default, and the bulk goes on."""
    one = "/api/feature-flags/virtualization?userId=u&workspaceId=w"
    asked = {"users": [{"userId": "u", "workspaceId": "w"}], "flags": ["virtualization"]}
    with fault(advanced, flags_slow={"ms": 700}):
        assert on.get(one).elapsed.total_seconds() >= 0.7
    with fault(advanced, flags_fail={}):
        assert on.get(one).status_code == 500
        assert on.post("/api/feature-flags/evaluate", json=asked).status_code == 200
        assert advanced.admin.get("/api/admin/feature-flags").status_code == 200
    assert on.get(one).status_code == 200


def job_ends(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """Wait until a job is neither queued nor running."""
    job: dict[str, Any] = {}

    def has_ended() -> bool:
        job.update(client.get(f"/api/jobs/{job_id}").json())
        return job["state"] in {"done", "failed"}

    wait_for(has_ended, 20, lambda: str(job))
    return job


def test_job_is_queued_with_the_flag_and_done_at_once_without(on: httpx.Client, off: httpx.Client) -> None:
    """Either way the export holds every patient, and only its owner may fetch it."""
    queued, waited = (client.post("/api/jobs", json={"kind": "export"}) for client in (on, off))
    assert (queued.status_code, queued.json()["state"]) == (202, "queued")
    assert (waited.status_code, waited.json()["state"], waited.json()["rows"]) == (200, "done", 5000)
    job = job_ends(on, queued.json()["id"])
    assert (job["state"], job["rows"]) == ("done", 5000)
    assert on.get(f"/api/jobs/{job['id']}/result").text.count("\n") == 5001
    assert off.get(f"/api/jobs/{job['id']}").status_code == 404
    assert off.get(f"/api/jobs/{job['id']}/result").status_code == 404
    assert on.post("/api/jobs", json={"kind": "import"}).status_code == 400


def test_stuck_queue_is_seen_by_the_waiting_user_and_in_the_gauge(
    advanced: Deployment, on: httpx.Client
) -> None:
    """A job that never ends stays queued, has no result, and is counted."""
    done = series(advanced, "jobs_done_total")
    with fault(advanced, jobs_stuck={}):
        job_id = on.post("/api/jobs", json={"kind": "export"}).json()["id"]
        assert on.get(f"/api/jobs/{job_id}").json()["state"] == "queued"
        assert on.get(f"/api/jobs/{job_id}/result").status_code == 404
        assert series(advanced, "jobs_queued") == 1
    assert job_ends(on, job_id)["state"] == "done"
    assert series(advanced, "jobs_queued") == 0
    assert series(advanced, "jobs_done_total") == done + 1


def test_feedback_and_population_are_aggregated(
    advanced: Deployment, on: httpx.Client, off: httpx.Client
) -> None:
    """The mean of the scores, and how many users it could have come from, on either side."""
    assert read(advanced, "feedback/score?minutes=5")["average"] is None
    for client, score in ((on, 5), (off, 2), (off, 2)):
        opinion = {"score": score, "comment": "quick"}
        assert client.post("/api/feedback", json=opinion).status_code == 201
    for wrong in ({"score": 0}, {"score": 3, "comment": 5}, {"score": 3, "comment": "x" * 1001}):
        assert on.post("/api/feedback", json=wrong).status_code == 400
    told = read(advanced, "feedback/score?minutes=5")
    assert (told["average"], told["responses"], told["population"]) == (3.0, 3, {"on": 1, "off": 1})
    with fault(advanced, feedback_low={"score": 2}):
        assert on.post("/api/feedback", json={"score": 5}).status_code == 201
    assert read(advanced, "feedback/score?minutes=5")["average"] == (5 + 2 + 2 + 2) / 4
    seen = read(advanced, "population")
    assert seen["users"] == 2
    assert seen["flags"]["apiCaching"] == {"on": 1, "off": 1}
    assert seen["flags"]["performanceMonitoring"] == {"on": 2, "off": 0}
    assert len(seen["flags"]) == 10
    assert on.get("/api/admin/population").status_code == 401
