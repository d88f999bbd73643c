"""The API's way to MongoDB and Redis: short time-outs, quick refusal while one is down, self-recovery."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pharmapilot.errors import StoreDownError
from pharmapilot.operations import POOL_SIZE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from pymongo import AsyncMongoClient
    from pymongo.asynchronous.database import AsyncDatabase
    from redis.asyncio import Redis

    from pharmapilot.operations import Operations

T = TypeVar("T")

# Its own name, for `fill` replaces what is in it: never the database of a real product.
DATABASE = "pharmapilot_reference"
KEY_PREFIX = "pharmapilot_reference:"
OPERATION_SECONDS = 1.0
PING_SECONDS = 0.8
REFUSAL_SECONDS = 0.25
_CANCEL_AGAIN_SECONDS = 0.1


class Switch(Protocol):
    """Says whether a fault is on."""

    def is_on(self, fault: str) -> bool:
        """Whether the fault of this name is on."""


@dataclass
class Gate:
    """Every call of one store passes here: bounded in time, and refused at once just after a lost connection.

    The refusal keeps requests from queueing behind a dead store; after `REFUSAL_SECONDS` the next call
    tries again, so recovery needs nobody. A slow answer fails by itself and refuses nobody else. `figures`
    take its time, and whether the connection failed; `before` is awaited first, within the same time.
    """

    store: str
    faults: Switch
    failures: tuple[type[Exception], ...]
    now: Callable[[], float] = time.monotonic
    figures: Operations | None = None
    before: Callable[[], Awaitable[None]] | None = None
    _refuse_until: float = field(default=0.0, init=False)

    async def call(self, operation: Callable[[], Awaitable[T]], seconds: float = OPERATION_SECONDS) -> T:
        """Await the operation.

        Raises:
            StoreDownError: it failed or took longer than `seconds`, or the store has just failed.
        """
        if self.now() < self._refuse_until:
            raise StoreDownError(self.store)
        if self.faults.is_on(f"dead_{self.store}"):
            self._failed()
            raise StoreDownError(self.store)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(seconds):
                if self.before is not None:
                    await self.before()
                return await operation()
        except TimeoutError as error:
            raise StoreDownError(self.store) from error
        except self.failures as error:
            self._failed()
            self._refuse_until = self.now() + REFUSAL_SECONDS
            raise StoreDownError(self.store) from error
        finally:
            if self.figures is not None:
                self.figures.times.add(time.perf_counter() - started)

    def _failed(self) -> None:
        if self.figures is not None:
            self.figures.failed()


class Connections:
    """Both stores, each behind its gate."""

    def __init__(
        self, mongodb_uri: str, redis_url: str, faults: Switch, operations: Operations | None = None
    ) -> None:
        from pymongo import AsyncMongoClient
        from pymongo.errors import ConnectionFailure
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        self.mongodb_uri = mongodb_uri
        self._mongo: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            mongodb_uri,
            maxPoolSize=POOL_SIZE,
            serverSelectionTimeoutMS=400,
            connectTimeoutMS=500,
            socketTimeoutMS=1500,
            heartbeatFrequencyMS=1000,
            appname="pharmapilot",
        )
        self.redis: Redis = Redis.from_url(
            redis_url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 1)
        )
        self.database: AsyncDatabase[dict[str, Any]] = self._mongo[DATABASE]
        self.mongodb_gate = Gate("mongodb", faults, (ConnectionFailure, OSError), figures=operations)
        self.redis_gate = Gate("redis", faults, (RedisError, OSError))

    async def states(self) -> dict[str, str]:
        """`ok` or `down` for each store, asked now, both at the same time."""
        mongodb, redis = await asyncio.gather(
            _answers(self.mongodb_gate, lambda: self._mongo.admin.command("ping")),
            _answers(self.redis_gate, self._ping_redis),
        )
        return {"mongodb": mongodb, "redis": redis}

    async def count_connections(self) -> int | None:
        """How many connections the server of MongoDB has, None where it does not say so."""
        with suppress(StoreDownError):
            status = await self.mongodb_gate.call(lambda: self._mongo.admin.command("serverStatus"))
            current = status.get("connections", {}).get("current")
            return current if isinstance(current, int) else None
        return None

    async def wait_for_mongodb(self, seconds: float) -> None:
        """Wait for the first answer.

        Raises:
            StoreDownError: none within the time.
        """
        from pymongo.errors import PyMongoError

        deadline = time.monotonic() + seconds
        while True:
            try:
                await self._mongo.admin.command("ping")
            except PyMongoError as error:
                if time.monotonic() > deadline:
                    raise StoreDownError("mongodb") from error
                await asyncio.sleep(0.05)
            else:
                return

    async def close(self) -> None:
        """Close both clients."""
        await self._mongo.close()
        await self.redis.aclose()

    async def _ping_redis(self) -> bool:
        return await self.redis.ping()


async def stop_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel them until they have ended.

    Once is not enough: Python 3.11 loses a cancellation that comes at the moment at which MongoDB answers
    (``asyncio.wait_for``, https://github.com/python/cpython/issues/86296).
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)


async def _answers(gate: Gate, operation: Callable[[], Awaitable[object]]) -> str:
    try:
        await gate.call(operation, PING_SECONDS)
    except StoreDownError:
        return "down"
    return "ok"
