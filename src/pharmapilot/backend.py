"""The parts of one API process, put together once and handed to every route."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pharmapilot.auth import Passwords, Sessions, fill_accounts
from pharmapilot.connections import Connections
from pharmapilot.data import fill
from pharmapilot.errors import StoreDownError
from pharmapilot.faults import Faults
from pharmapilot.flag_store import FlagStore
from pharmapilot.jobs import Jobs
from pharmapilot.metrics import Metrics
from pharmapilot.population import Population
from pharmapilot.scratch_flags import ScratchStores
from pharmapilot.scratch_notes import ScratchNotes
from pharmapilot.store_faults import StoreFaults
from pharmapilot.vitals import Vitals

if TYPE_CHECKING:
    from pharmapilot.config import ApiConfig

MONGODB_PATIENCE_SECONDS = 15.0
FILLING_SECONDS = 40.0
REFRESH_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


@dataclass
class Backend:
    """One API process: its settings, stores, flags, sessions, figures and faults."""

    config: ApiConfig
    faults: Faults
    connections: Connections
    store_faults: StoreFaults
    flags: FlagStore
    sessions: Sessions
    scratch: ScratchStores
    metrics: Metrics
    vitals: Vitals
    jobs: Jobs
    notes: ScratchNotes
    population: Population = field(default_factory=Population)
    visitors: Population = field(default_factory=Population)
    """Without whoever was here only by requests that rampgate sent."""
    passwords: Passwords = field(default_factory=Passwords)
    instance: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def build(cls, config: ApiConfig) -> Backend:
        """Put together; nothing is asked of the stores yet."""
        faults = Faults()
        metrics = Metrics()
        connections = Connections(config.mongodb_uri, config.redis_url, faults, metrics.operations)
        store_faults = StoreFaults(faults, connections, metrics.operations)
        connections.mongodb_gate.before = store_faults.strike
        backend = cls(
            config=config,
            faults=faults,
            connections=connections,
            store_faults=store_faults,
            flags=FlagStore(connections, faults, config.rules),
            sessions=Sessions(connections),
            scratch=ScratchStores(faults, config.rules),
            metrics=metrics,
            vitals=Vitals(metrics.registry, faults),
            jobs=Jobs(connections, faults, metrics.registry),
            notes=ScratchNotes(faults),
        )
        metrics.build(config.version, backend.instance)
        return backend

    async def start(self) -> None:
        """Wait for MongoDB, fill in data, accounts and flags where they are missing.

        Filling works the store hard, and on a busy machine the driver may take it for gone meanwhile; each
        part can be begun again, so a lost connection costs time and not the start.

        Raises:
            StoreDownError: MongoDB did not answer for 15 seconds.
        """
        from pymongo import timeout
        from pymongo.errors import AutoReconnect

        deadline = time.monotonic() + MONGODB_PATIENCE_SECONDS
        while True:
            try:
                await self.connections.wait_for_mongodb(deadline - time.monotonic())
                # In place of the short time-out of requests: a retry would meet what the slow write wrote.
                with timeout(FILLING_SECONDS):
                    await fill(self.connections.database)
                    await fill_accounts(self.connections.database, self.config.password)
                await self.flags.start(self.config.start_flags, overwrite=self.config.flags_win)
            except (AutoReconnect, StoreDownError) as error:
                if time.monotonic() > deadline:
                    raise StoreDownError("mongodb") from error
                _LOG.warning("MongoDB was lost while filling it; beginning again: %s", error)
                await asyncio.sleep(REFRESH_SECONDS)
            else:
                return

    async def keep_fresh(self) -> None:
        """Every second: read the flags again, note how the stores are, apply faults. Runs until cancelled."""
        while True:
            self.metrics.stores(await self.connections.states())
            self.metrics.operations.connections = await self.connections.count_connections()
            await self.store_faults.apply()
            try:
                await self.flags.refresh()
            except StoreDownError:
                pass  # told by the states above
            except Exception:  # noqa: BLE001 - this task must not end; the next second tries again
                _LOG.exception("the flags could not be read")
            await asyncio.sleep(REFRESH_SECONDS)
