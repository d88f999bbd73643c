import asyncio
from itertools import islice

import httpx
import pytest
from tests.unit.pharmapilot.asking import ADMIN, ask

from pharmapilot import traffic, visitors
from pharmapilot.auth import users
from pharmapilot.flag_store import FlagStore
from pharmapilot.flags import (
    DEMO_PERCENTAGE,
    PLAN,
    Flag,
    HashKind,
    Rules,
    bucket,
    is_enabled,
    next_percentage,
)
from pharmapilot.traffic import RAMPGATE, USER, Asker, Times, Traffic, Votes

ON = Asker("user-1", "on")


def test_requests_of_a_gate_are_counted_apart_and_are_no_votes() -> None:
    """A gate's own load must not tell it how users fare."""
    counted = Traffic()
    counted.add("GET", "/api/patients", 500, ON._replace(origin=RAMPGATE), 0.01)
    counted.add("GET", "/api/patients", 200, ON, 0.01)
    (own,), (users_,) = counted.to_json(RAMPGATE), counted.to_json(USER)
    assert (own["total"], own["failed"]) == (1, 1)
    assert (users_["total"], users_["failed"]) == (1, 0)
    assert [(vote["total"], vote["failed"]) for vote in counted.votes.to_json()] == [(1, 0)]


def test_health_and_administration_are_no_traffic_of_users() -> None:
    """What watches the deployment would thin the rate of those who use it."""
    counted = Traffic()
    for endpoint in ("/health", "/metrics", "/api/admin/faults", "other"):
        counted.add("GET", endpoint, 200, Asker(), 0.01)
    assert counted.to_json(USER) == []


def test_unknown_methods_share_a_label() -> None:
    """Whatever a stranger sends as a method must not grow the series."""
    counted = Traffic()
    for number in range(50):
        counted.add(f"SCAN{number}", "other", 404, Asker(), 0.01)
    requests = next(iter(counted.collect()))
    assert [(sample.labels["method"], sample.value) for sample in requests.samples] == [("other", 50)]


def test_a_bucket_counts_what_took_exactly_its_edge() -> None:
    """A request of exactly 500 ms is not above 500 ms."""
    times = Times()
    for seconds in (0.5, 0.500001, 9.0):
        times.add(seconds)
    assert times.to_json() == {"50": 0, "100": 0, "200": 0, "500": 1, "1000": 2, "2000": 2, "5000": 2}
    assert (times.total, times.prometheus()[-1]) == (3, ("+Inf", 3.0))


def test_a_user_who_keeps_failing_is_one_failure_a_minute() -> None:
    """One user who tries again and again must not look like many."""
    now = [0.0]
    votes = Votes(lambda: now[0])
    for second in range(120):
        now[0] = float(second)
        votes.cast(ON, "/api/patients", failed=second % 3 > 0)
    votes.cast(Asker("user-2", "on"), "/api/patients", failed=False)
    assert votes.to_json() == [{"endpoint": "/api/patients", "cohort": "on", "total": 3, "failed": 2}]


def test_votes_of_a_minute_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many users come, the memory for their votes is bounded."""
    monkeypatch.setattr(traffic, "MAX_VOTES", 10)
    votes = Votes(lambda: 0.0)
    for number in range(50):
        votes.cast(Asker(f"user-{number}", "on"), "/api/patients", failed=True)
    assert votes.to_json()[0]["total"] == 10


def store(*flags: Flag) -> FlagStore:
    """A store that knows some flags; nothing is asked of a database."""
    from pharmapilot.faults import Faults

    found = FlagStore(None, Faults(), Rules())  # type: ignore[arg-type]  # no connection is made
    found._flags.update({flag.name: flag for flag in flags})  # as if read
    return found


@pytest.mark.parametrize("percentage", PLAN)
def test_next_are_those_whom_the_next_step_of_the_plan_reaches(percentage: int) -> None:
    """The A/A comparison needs the very users who get the feature next."""
    flags = store(Flag("apiCaching", enabled=True, percentage=percentage))
    for user in users():
        place = bucket(HashKind.SEED, "apiCaching", user.id, user.workspace_id)
        due = "next" if place < next_percentage(percentage) else "later"
        wanted = "on" if place < percentage else due
        side = flags.cohort(user.id, user.workspace_id)
        assert flags.group(user.id, user.workspace_id, side) == wanted


def test_whom_somebody_enrolled_is_in_no_cohort() -> None:
    """Testers chose, or were chosen: they are no sample of either side."""
    flags = store(
        Flag("apiCaching", enabled=True, percentage=25, user_overrides={"user-off": True, "user-demo": False})
    )
    assert {flags.group(name, "", flags.cohort(name, "")) for name in ("user-off", "user-demo")} == {""}


def test_counters_say_when_they_were_counted_and_can_freeze() -> None:
    """A source that froze gives itself away by the time of its sample."""

    async def story(client: httpx.AsyncClient) -> None:
        first = (await client.get("/api/admin/metrics/counters", headers=ADMIN)).json()
        await client.put("/api/admin/faults", headers=ADMIN, json={"metrics_frozen": {}})
        kept = (await client.get("/api/admin/metrics/counters", headers=ADMIN)).json()
        await client.get("/api/patients")
        again = (await client.get("/api/admin/metrics/counters", headers=ADMIN)).json()
        await client.delete("/api/admin/faults", headers=ADMIN)
        await client.get("/api/patients", headers={"X-Rampgate-Run": "run"})
        live = (await client.get("/api/admin/metrics/counters", headers=ADMIN)).json()
        assert first["at"] <= kept["at"] == again["at"] < live["at"]
        assert again["requests"] == []
        assert [each["total"] for each in live["requests"]] == [1]
        assert [each["total"] for each in live["ownRequests"]] == [1]

    ask(story, faults=True)


def test_a_source_of_figures_can_answer_anything_but_figures() -> None:
    """Each bad answer of a source can be tried, and ended again."""

    async def story(client: httpx.AsyncClient) -> None:
        found = {}
        for answer in ("unauthorized", "html", "huge"):
            await client.put("/api/admin/faults", headers=ADMIN, json={"metrics_source": {"answer": answer}})
            got = await client.get("/api/admin/metrics/counters", headers=ADMIN)
            found[answer] = got.status_code, got.headers["content-type"].split(";")[0], len(got.content) > 1e7
        await client.put("/api/admin/faults", headers=ADMIN, json={"metrics_source": {"answer": "never"}})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get("/metrics"), 0.05)
        await client.delete("/api/admin/faults", headers=ADMIN)
        assert (await client.get("/metrics")).status_code == 200
        assert found == {
            "unauthorized": (401, "application/json", False),
            "html": (200, "text/html", False),
            "huge": (200, "text/html", True),
        }

    ask(story, faults=True)


def test_every_visitor_leaves_feedback_and_vitals_first() -> None:
    """A watch finds enough of both from its first reading on."""
    for number in range(visitors.VISITORS):
        feedback, vitals = islice(visitors.requests(number), 2)
        assert (feedback.path, vitals.path) == ("/api/feedback", "/api/vitals")
        assert vitals.body
        assert {"LCP", "CLS", "INP"} <= vitals.body["metrics"].keys()


def test_visitors_are_on_both_sides_of_the_rollout() -> None:
    """Cohorts can be compared from the visits of a demo: each side has five users at least."""
    flag = Flag("virtualization", enabled=True, percentage=DEMO_PERCENTAGE)
    ours = users()[-visitors.VISITORS :]
    on = [user for user in ours if is_enabled(flag, user.id, user.workspace_id, Rules())]
    assert 5 <= len(on) <= visitors.VISITORS - 5
