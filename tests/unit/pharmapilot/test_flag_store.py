import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pharmapilot.connections import Gate
from pharmapilot.errors import StoreDownError
from pharmapilot.faults import Faults
from pharmapilot.flag_faults import CONNECTION, FlagFaults
from pharmapilot.flag_store import FlagStore
from pharmapilot.flags import Flag, Rules, demo_flags

USER, WORKSPACE, BUCKET = "alice", "clinic", 43


class Cursor:
    """What `find` gives."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self._documents = documents

    async def to_list(self) -> list[dict[str, Any]]:
        """All at once."""
        return self._documents

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        for document in self._documents:
            yield document


class Collection:
    """The collection of flags, in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def find(self, *_: Any) -> Cursor:
        """Everything."""
        return Cursor(list(self.kept.values()))

    async def insert_many(self, documents: list[dict[str, Any]]) -> None:
        """Add."""
        self.kept.update({document["_id"]: document for document in documents})

    async def replace_one(self, selected: dict[str, str], document: dict[str, Any], *, upsert: bool) -> None:
        """Replace."""
        assert upsert
        self.kept[selected["_id"]] = document

    def with_options(self, **_: Any) -> "Collection":
        """The same collection."""
        return self


class FakeConnections:
    """The part of the connections that the flags use."""

    def __init__(self, faults: Faults) -> None:
        self.flags = Collection()
        self.database = self
        self.mongodb_gate = Gate("mongodb", faults, (OSError,))


class Deployment:
    """A flag store over a dictionary."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.connections: Any = FakeConnections(self.faults)
        self.store = self.started()

    def started(self) -> FlagStore:
        """A store of flags after the start of another API process."""
        store = FlagStore(self.connections, self.faults, Rules())
        asyncio.run(store.start(demo_flags()))
        return store

    def is_on(self) -> bool:
        """The answer for the one user."""
        return self.store.evaluate("apiCaching", USER, WORKSPACE)


@pytest.fixture
def deployment() -> Deployment:
    """Freshly started, with the demo's flags."""
    return Deployment()


def test_change_is_read_back_at_once(deployment: Deployment) -> None:
    """No time passes between a change that was acknowledged and its effect."""
    assert not deployment.is_on()
    asyncio.run(deployment.store.change("apiCaching", {"percentage": BUCKET + 1}))
    assert deployment.is_on()
    assert deployment.connections.flags.kept["apiCaching"]["percentage"] == BUCKET + 1


def test_start_values_do_not_overrule_the_store(deployment: Deployment) -> None:
    """The percentage lives in one place: a restart changes nothing."""
    asyncio.run(deployment.store.change("apiCaching", {"percentage": 77, "userOverrides": {"a.b$c": True}}))
    flag = next(flag for flag in deployment.started().all() if flag.name == "apiCaching")
    assert flag == Flag("apiCaching", enabled=True, percentage=77, user_overrides={"a.b$c": True})


def test_last_known_flags_are_served_while_mongodb_is_down(deployment: Deployment) -> None:
    """A dead store must not switch features on or off; a change then is refused and changes nothing."""
    asyncio.run(deployment.store.change("apiCaching", {"percentage": 100}))
    deployment.faults.merge({"dead_mongodb": {}})
    with pytest.raises(StoreDownError):
        asyncio.run(deployment.store.refresh())
    with pytest.raises(StoreDownError):
        asyncio.run(deployment.store.change("apiCaching", {"percentage": 0}))
    assert deployment.is_on()


def test_refresh_sees_a_change_made_past_this_process(deployment: Deployment) -> None:
    """MongoDB is the source, not the copy."""
    deployment.connections.flags.kept["apiCaching"]["percentage"] = 100
    asyncio.run(deployment.store.refresh())
    assert deployment.is_on()


def test_faults_change_answers_and_not_the_store(deployment: Deployment) -> None:
    """A drill leaves nothing behind."""
    deployment.faults.merge({"flag_percentage": {"flag": "apiCaching", "percentage": 100}})
    assert deployment.is_on()
    assert deployment.connections.flags.kept["apiCaching"]["percentage"] == 25
    deployment.faults.clear()
    assert not deployment.is_on()


def test_cohort_ignores_monitoring(deployment: Deployment) -> None:
    """Monitoring is on for everybody, so it divides nobody."""
    assert deployment.store.cohort(USER, WORKSPACE) == "off"
    asyncio.run(deployment.store.change("virtualization", {"percentage": BUCKET + 1}))
    assert deployment.store.cohort(USER, WORKSPACE) == "on"


def test_unknown_flag_is_an_error(deployment: Deployment) -> None:
    """A flag that does not exist is not simply off."""
    with pytest.raises(KeyError):
        deployment.store.evaluate("nope", USER, WORKSPACE)


def test_a_change_can_be_ignored_though_it_is_answered(deployment: Deployment) -> None:
    """What an actuator is answered is no proof: nothing was stored, and nobody has the flag."""
    deployment.faults.merge({"flag_change_ignored": {}})
    said = asyncio.run(deployment.store.change("apiCaching", {"percentage": 100}))
    assert said.percentage == 100
    assert not deployment.is_on()
    assert deployment.connections.flags.kept["apiCaching"]["percentage"] == 25
    deployment.faults.clear()
    asyncio.run(deployment.store.change("apiCaching", {"percentage": 100}))
    assert deployment.is_on()


def test_a_change_can_be_made_to_another_flag(deployment: Deployment) -> None:
    """The flag that was asked for stays, the other one moves, and the answer is that all is well."""
    deployment.faults.merge({"flag_change_another": {"flag": "serviceWorker"}})
    said = asyncio.run(deployment.store.change("apiCaching", {"enabled": True, "percentage": 100}))
    assert (said.name, said.percentage) == ("apiCaching", 100)
    assert not deployment.is_on()
    assert deployment.store.evaluate("serviceWorker", USER, WORKSPACE)
    asyncio.run(deployment.store.refresh())
    percentages = {flag.name: flag.percentage for flag in deployment.store.all()}
    assert (percentages["apiCaching"], percentages["serviceWorker"]) == (25, 100)


def test_a_change_can_be_late(deployment: Deployment) -> None:
    """It is stored at once, by whomever; users read it so many seconds later, and not before."""
    now = [0.0]
    deployment.store._lies = FlagFaults(deployment.faults, lambda: now[0])
    deployment.faults.merge({"flag_change_late": {"s": 3}})
    asyncio.run(deployment.store.change("apiCaching", {"percentage": 100}))
    assert deployment.connections.flags.kept["apiCaching"]["percentage"] == 100
    found = []
    for now[0] in (0.0, 2.9, 3.0):
        asyncio.run(deployment.store.refresh())
        found.append((deployment.is_on(), deployment.store.cohort(USER, WORKSPACE)))
    assert found == [(False, "off"), (False, "off"), (True, "on")]
    deployment.connections.flags.kept["apiCaching"]["percentage"] = 0  # past this process
    asyncio.run(deployment.store.refresh())
    assert deployment.is_on()
    now[0] = 6.0
    assert not deployment.is_on()


def test_a_late_change_counts_once_the_fault_is_off(deployment: Deployment) -> None:
    """A drill that ended holds nothing back, and neither does the next one what came before it."""
    deployment.faults.merge({"flag_change_late": {}})
    asyncio.run(deployment.store.change("apiCaching", {"percentage": 100}))
    assert not deployment.is_on()
    deployment.faults.merge({"flag_change_late": None})
    assert deployment.is_on()
    deployment.faults.merge({"flag_change_late": {}})
    assert deployment.is_on()


def test_a_share_of_connections_can_be_stale(deployment: Deployment) -> None:
    """One replica of two keeps the flags as they were when it went stale, for all it is asked."""
    deployment.faults.merge({"flag_replica_stale": {"share": 0.5}})
    for percentage in (0, 100):
        asyncio.run(deployment.store.change("apiCaching", {"percentage": percentage}))

    def answers(user: str, workspace: str) -> list[bool]:
        found = []
        for port in range(1000):
            CONNECTION.set(f"127.0.0.1:{port}")
            found.append(deployment.store.evaluate("apiCaching", user, workspace))
            assert found[-1] == deployment.store.evaluate("apiCaching", user, workspace)
        return found

    assert 400 < sum(answers(USER, WORKSPACE)) < 600
    assert all(answers("user-demo", "workspace-demo-36"))  # was on at 25 %, and is on now
    deployment.faults.clear()
    assert all(answers(USER, WORKSPACE))
