"""An API whose stores do not answer, and a client that talks to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from pharmapilot.api import create_app
from pharmapilot.backend import Backend
from pharmapilot.config import ApiConfig
from pharmapilot.flags import Rules, demo_flags

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NOWHERE = "127.0.0.1:1"
ADMIN = {"Authorization": "Bearer admin-token"}


def ask(
    story: Callable[[httpx.AsyncClient], Awaitable[None]],
    *,
    faults: bool,
    prepare: Callable[[Backend], None] = lambda _: None,
) -> None:
    """Let a client talk to an API whose stores do not answer, once the API is prepared."""
    config = ApiConfig(
        mongodb_uri=f"mongodb://{NOWHERE}/?directConnection=true",
        redis_url=f"redis://{NOWHERE}/0",
        admin_token="admin-token",
        password="password",
        version="1.2.3",
        faults=faults,
        rules=Rules(),
        start_flags=tuple(demo_flags()),
    )

    async def told() -> None:
        backend = Backend.build(config)
        backend.faults.merge({"dead_mongodb": {}, "dead_redis": {}})  # no connection is even tried
        prepare(backend)
        transport = httpx.ASGITransport(create_app(backend))
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
            await story(client)
        await backend.connections.close()

    asyncio.run(told())
