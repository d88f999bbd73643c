"""Exports: done in the background by one worker, or while the caller waits; their state is in MongoDB."""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from pharmapilot.errors import StoreDownError

if TYPE_CHECKING:
    from pharmapilot.connections import Connections, Switch

KINDS = ("export",)
KEPT_SECONDS = 3600.0
MAX_QUEUED = 1_000
POLL_SECONDS = 0.5
_BATCH = 500
_COLUMNS = ("_id", "name", "birthYear", "ward", "risk")
_ENDED = ("done", "failed")
_LOG = logging.getLogger(__name__)

Job = dict[str, Any]


class Jobs:
    """The queue is the collection `jobs`, so that what is queued outlives this process."""

    def __init__(self, connections: Connections, faults: Switch, registry: CollectorRegistry) -> None:
        self._connections = connections
        self._faults = faults
        self._queued = 0
        self._counting = asyncio.Lock()
        self._wake = asyncio.Event()
        self._waiting = Gauge("jobs_queued", "Waiting for the worker.", registry=registry)
        self._waiting.set_function(lambda: self._queued)
        self._done = Counter("jobs_done", "Done.", ("mode",), registry=registry)
        self._failed = Counter("jobs_failed", "Failed.", ("mode",), registry=registry)

    @property
    def is_full(self) -> bool:
        """Whether no further job is taken."""
        return self._queued >= MAX_QUEUED

    async def _recover(self) -> None:
        """Queue again what was begun and not ended."""
        jobs, call = self._connections.database.jobs, self._connections.mongodb_gate.call
        await call(lambda: jobs.update_many({"state": "running"}, {"$set": {"state": "queued"}}))
        async with self._counting:
            self._queued = await call(lambda: jobs.count_documents({"state": "queued"}))

    async def queue(self, kind: str, owner: str) -> Job:
        """Leave a job to the worker.

        Raises:
            StoreDownError: it is not queued.
        """
        job = _job(kind, owner, "queued")
        jobs = self._connections.database.jobs
        async with self._counting:
            await self._connections.mongodb_gate.call(lambda: jobs.insert_one(job))
            self._queued += 1
        self._wake.set()
        return job

    async def do(self, kind: str, owner: str) -> Job:
        """Do a job while the caller waits.

        Raises:
            StoreDownError: nothing is kept of it.
        """
        job = _job(kind, owner, "running")
        job |= {"state": "done", **await self._export(), "endedAt": time.time()}
        jobs = self._connections.database.jobs
        await self._connections.mongodb_gate.call(lambda: jobs.insert_one(job))
        self._done.labels("inline").inc()
        return job

    async def find(self, job_id: str, owner: str) -> Job | None:
        """A job of this user, None where there is none.

        Raises:
            StoreDownError: MongoDB does not answer.
        """
        jobs = self._connections.database.jobs
        return await self._connections.mongodb_gate.call(
            lambda: jobs.find_one({"_id": job_id, "owner": owner})
        )

    async def work(self) -> None:
        """Do what is queued, the oldest first. Runs until cancelled; while MongoDB is down it waits."""
        interrupted = True  # what a process before left undone
        while True:
            try:
                if interrupted:
                    await self._recover()
                    interrupted = False
                while self._queued and not self._faults.is_on("jobs_stuck"):
                    await self._work_once()
            except StoreDownError:
                interrupted = True
            await self._pause()

    async def _pause(self) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass  # the fault may have ended, or MongoDB may be back

    async def _work_once(self) -> None:
        jobs, call = self._connections.database.jobs, self._connections.mongodb_gate.call
        taken = await call(
            lambda: jobs.find_one_and_update(
                {"state": "queued"}, {"$set": {"state": "running"}}, sort=[("at", 1)]
            )
        )
        if taken is None:
            self._queued = 0
            return
        self._queued -= 1
        try:
            outcome = {"state": "done", **await self._export()}
        except StoreDownError:
            raise
        except Exception:  # noqa: BLE001 - one job that fails must not end the worker
            _LOG.exception("job %s failed", taken["_id"])
            outcome = {"state": "failed"}
        ended = {"$set": {**outcome, "endedAt": time.time()}}
        await call(lambda: jobs.update_one({"_id": taken["_id"]}, ended))
        (self._done if outcome["state"] == "done" else self._failed).labels("background").inc()
        old = {"state": {"$in": _ENDED}, "at": {"$lt": time.time() - KEPT_SECONDS}}
        await call(lambda: jobs.delete_many(old))

    async def _export(self) -> dict[str, Any]:
        """All patients as CSV, read in batches so that requests are answered in between."""
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(_COLUMNS)
        count, batch = 0, _BATCH
        while batch == _BATCH:
            numbers = {"number": {"$gt": count, "$lte": count + _BATCH}}
            found = self._connections.database.patients.find(numbers, dict.fromkeys(_COLUMNS, 1))
            patients = await self._connections.mongodb_gate.call(found.sort("number", 1).to_list)
            rows.writerows([patient[column] for column in _COLUMNS] for patient in patients)
            batch = len(patients)
            count += batch
        return {"rows": count, "text": text.getvalue()}


def shown(job: Job) -> dict[str, Any]:
    """A job as its owner sees it; `seconds` is the time until it ended, or so far."""
    seconds = round(job.get("endedAt", time.time()) - job["at"], 3)
    told = {"id": job["_id"], "kind": job["kind"], "state": job["state"], "seconds": seconds}
    return told | ({"rows": job["rows"]} if job["state"] == "done" else {})


def _job(kind: str, owner: str, state: str) -> Job:
    return {"_id": secrets.token_hex(12), "kind": kind, "owner": owner, "state": state, "at": time.time()}
