"""Faults of the stores that are no refusal: slow operations, lost connections, full memory."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pharmapilot.connections import KEY_PREFIX
from pharmapilot.errors import StoreDownError

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient

    from pharmapilot.connections import Connections
    from pharmapilot.faults import Faults
    from pharmapilot.operations import Operations

_BALLAST = f"{KEY_PREFIX}ballast:"
_MEGABYTE = 1_000_000
_BALLAST_SECONDS = 600
_SELECTION_MS = 400
_FILLING_SECONDS = 5.0


@dataclass
class StoreFaults:
    """Strikes single operations, and once a second makes the stores look as the faults that are on say."""

    faults: Faults
    connections: Connections
    operations: Operations
    _leak: AsyncMongoClient[dict[str, Any]] | None = field(default=None, init=False)
    _ballast: int = field(default=0, init=False)

    async def strike(self) -> None:
        """Slow an operation of MongoDB down; or lose its connection, after which the driver tries again."""
        slow = self.faults.struck("slow_operations")
        if slow is not None:
            await asyncio.sleep(slow["ms"] / 1000)
        if self.faults.struck("connections_fail") is not None:
            self.operations.failed()

    async def apply(self) -> None:
        """Take connections and memory, or give them back; a store that does not answer is tried again."""
        with suppress(StoreDownError):
            await self._take_connections(self.faults.struck("pool_exhausted"))
        with suppress(StoreDownError):
            await self._fill(self.faults.struck("cache_full"))

    async def close(self) -> None:
        """Give the connections back."""
        if self._leak is not None:
            await self._leak.close()
            self._leak = None

    async def _take_connections(self, fault: dict[str, Any] | None) -> None:
        if fault is None:
            await self.close()
        elif self._leak is None:
            from pymongo import AsyncMongoClient

            taken = fault["connections"]
            # A client opens as many as its pool must have at least, and keeps them.
            self._leak = AsyncMongoClient(
                self.connections.mongodb_uri,
                minPoolSize=taken,
                maxPoolSize=taken,
                maxConnecting=8,
                serverSelectionTimeoutMS=_SELECTION_MS,
            )
            leak = self._leak
            await self.connections.mongodb_gate.call(lambda: leak.admin.command("ping"))

    async def _fill(self, fault: dict[str, Any] | None) -> None:
        wanted = 0 if fault is None else fault["mb"]
        if wanted == self._ballast == 0:
            return
        redis = self.connections.redis

        async def fill() -> None:
            for number in range(wanted, self._ballast):
                await redis.delete(f"{_BALLAST}{number}")
            for number in range(wanted):  # again each second, or the store would drop what is used least
                key = f"{_BALLAST}{number}"
                if not await redis.expire(key, _BALLAST_SECONDS):
                    await redis.set(key, _MEGABYTE * b"x", ex=_BALLAST_SECONDS)

        await self.connections.redis_gate.call(fill, _FILLING_SECONDS)
        self._ballast = wanted
