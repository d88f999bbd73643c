from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pymongo.errors import ConnectionFailure

from pharmapilot.connections import Connections, Gate, stop_tasks
from pharmapilot.data import patients
from pharmapilot.faults import Faults
from pharmapilot.jobs import MAX_QUEUED, Jobs, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
ALICE = "user-alice"
PATIENTS = 1_200


class PatientGate(Gate):
    """Waits for a busy machine: what is proved here is not how quick the store is."""

    async def call(self, operation: Callable[[], Awaitable[T]], seconds: float = 30.0) -> T:
        """Await the operation for half a minute, whatever was asked for."""
        return await super().call(operation, max(seconds, 30.0))


class Queue:
    """Jobs over a real MongoDB, and a worker that the test starts."""

    def __init__(self, uri: str) -> None:
        self.faults = Faults()
        self.connections = Connections(uri, "redis://127.0.0.1:1/0", self.faults)
        self.connections.mongodb_gate = PatientGate("mongodb", self.faults, (ConnectionFailure,))
        self.jobs = self.another()

    def another(self) -> Jobs:
        """The jobs of a further process over the same MongoDB."""
        self.registry = CollectorRegistry()
        return Jobs(self.connections, self.faults, self.registry)

    async def state(self, job_id: str) -> str:
        """The state of a job of alice."""
        job = await self.jobs.find(job_id, ALICE)
        return job["state"] if job else "gone"

    async def until(self, job_id: str, state: str) -> None:
        """Wait for a state; fail after ten seconds."""
        deadline = time.monotonic() + 10
        while (now := await self.state(job_id)) != state:
            assert time.monotonic() < deadline, now
            await asyncio.sleep(0.02)

    def told(self, name: str) -> float:
        """The value of a series."""
        lines = generate_latest(self.registry).decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(name)), 0.0)


def with_queue(uri: str, story: Callable[[Queue], Awaitable[None]], *, worker: bool) -> None:
    """Tell a story over an emptied collection; where wanted, with a worker."""

    async def told() -> None:
        queue = Queue(uri)
        database = queue.connections.database
        await database.drop_collection("jobs")
        await database.drop_collection("patients")
        await database.patients.insert_many(patients(PATIENTS))
        await database.patients.create_index("number", unique=True)
        work = asyncio.create_task(queue.jobs.work()) if worker else None
        try:
            await story(queue)
        finally:
            if work:
                await stop_tasks([work])
            await queue.connections.close()

    asyncio.run(told())


def test_queued_job_is_done_by_the_worker(mongodb_uri: str) -> None:
    """The export of the worker is the same as that of a caller who waits: every patient, once."""

    async def story(queue: Queue) -> None:
        queued = await queue.jobs.queue("export", ALICE)
        assert shown(queued)["state"] == "queued"
        await queue.until(queued["_id"], "done")
        inline = await queue.jobs.do("export", ALICE)
        done = await queue.jobs.find(queued["_id"], ALICE)
        assert done is not None
        assert (done["rows"], done["text"]) == (PATIENTS, inline["text"])
        assert len(set(done["text"].splitlines())) == PATIENTS + 1
        assert shown(done)["seconds"] == pytest.approx(done["endedAt"] - done["at"], abs=0.001)
        assert queue.told('jobs_done_total{mode="background"}') == 1
        assert queue.told('jobs_done_total{mode="inline"}') == 1
        assert queue.told("jobs_queued") == 0

    with_queue(mongodb_uri, story, worker=True)


def test_stuck_queue_grows_and_goes_on_when_the_fault_ends(mongodb_uri: str) -> None:
    """With the fault jobs are taken and never begun; nothing is lost by it."""

    async def story(queue: Queue) -> None:
        queue.faults.merge({"jobs_stuck": {}})
        ids = [(await queue.jobs.queue("export", ALICE))["_id"] for _ in range(2)]
        await asyncio.sleep(0.1)
        assert [await queue.state(job_id) for job_id in ids] == ["queued", "queued"]
        assert queue.told("jobs_queued") == 2
        queue.faults.clear()
        for job_id in ids:
            await queue.until(job_id, "done")

    with_queue(mongodb_uri, story, worker=True)


def test_job_outlives_its_process_and_a_dead_store(mongodb_uri: str) -> None:
    """What was queued or begun before a crash is done after it, as soon as MongoDB answers."""

    async def story(queue: Queue) -> None:
        left = [(await queue.jobs.queue("export", ALICE))["_id"] for _ in range(2)]
        begun = {"$set": {"state": "running"}}
        await queue.connections.database.jobs.update_one({"_id": left[0]}, begun)
        queue.jobs = queue.another()
        queue.faults.merge({"dead_mongodb": {}})
        work = asyncio.create_task(queue.jobs.work())
        await asyncio.sleep(0.05)
        queue.faults.clear()
        for job_id in left:
            await queue.until(job_id, "done")
        await stop_tasks([work])

    with_queue(mongodb_uri, story, worker=False)


def test_failed_job_does_not_end_the_worker(mongodb_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One job that cannot be done is told as failed, and the next one is done."""

    async def story(queue: Queue) -> None:
        export: Any = queue.jobs._export

        async def broken() -> dict[str, Any]:
            monkeypatch.setattr(queue.jobs, "_export", export)
            raise ZeroDivisionError

        monkeypatch.setattr(queue.jobs, "_export", broken)
        first, second = [await queue.jobs.queue("export", ALICE) for _ in range(2)]
        await queue.until(second["_id"], "done")
        assert await queue.state(first["_id"]) == "failed"
        assert queue.told("jobs_failed_total") == 1

    with_queue(mongodb_uri, story, worker=True)


def test_jobs_are_their_owners_and_bounded(mongodb_uri: str) -> None:
    """Nobody reads the export of another, and a stuck queue cannot fill the store."""

    async def story(queue: Queue) -> None:
        job = await queue.jobs.queue("export", ALICE)
        assert await queue.jobs.find(job["_id"], "user-bob") is None
        assert not queue.jobs.is_full
        queue.jobs._queued = MAX_QUEUED
        assert queue.jobs.is_full

    with_queue(mongodb_uri, story, worker=False)


def test_worker_ends_though_a_cancellation_was_lost() -> None:
    """Python 3.11 loses one that comes at the moment at which MongoDB answers; the API ends all the same."""
    lost = 0

    async def deaf_once() -> None:
        nonlocal lost
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost += 1
        await asyncio.Event().wait()

    async def story() -> None:
        task = asyncio.create_task(deaf_once())
        await asyncio.sleep(0)
        async with asyncio.timeout(30):
            await stop_tasks([task])
        assert task.cancelled()

    asyncio.run(story())
    assert lost == 1
