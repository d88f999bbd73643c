import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from pharmapilot.api import create_app
from pharmapilot.backend import Backend
from pharmapilot.config import ApiConfig
from pharmapilot.flags import Rules, demo_flags

NOWHERE = "127.0.0.1:1"
ADMIN = {"Authorization": "Bearer admin-token"}


def ask(story: Callable[[httpx.AsyncClient], Awaitable[None]], *, faults: bool) -> None:
    """Let a client talk to an API whose stores do not answer."""
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
        transport = httpx.ASGITransport(create_app(backend))
        async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
            await story(client)
        await backend.connections.close()

    asyncio.run(told())


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_faults_are_not_there_unless_asked_for(method: str) -> None:
    """A deployment started without faults cannot be broken from outside, not even by its administrator."""

    async def story(client: httpx.AsyncClient) -> None:
        assert (await client.request(method, "/api/admin/faults", headers=ADMIN)).status_code == 404
        assert (await client.request(method, "/api/admin/faults")).status_code == 401

    ask(story, faults=False)


def test_health_answers_while_no_store_does() -> None:
    """Degraded is told, with 200: the process itself is alive."""

    async def story(client: httpx.AsyncClient) -> None:
        answer = await client.get("/health")
        assert answer.status_code == 200
        health = answer.json()
        assert (health["status"], health["version"]) == ("degraded", "1.2.3")
        assert health["dependencies"] == {"mongodb": "down", "redis": "down"}

    ask(story, faults=False)


def test_every_error_is_json_that_says_what_is_wrong() -> None:
    """No caller has to read HTML or a traceback."""

    async def story(client: httpx.AsyncClient) -> None:
        for answer, status in (
            (await client.post("/api/auth/login", content=b"{"), 400),
            (await client.post("/api/auth/login", json={"email": 5}), 400),
            (await client.post("/api/auth/login", json={"email": "a", "password": "b"}), 503),
            (await client.get("/api/patients"), 401),
            (await client.get("/api/nowhere"), 404),
            (await client.delete("/api/patients"), 405),
            (await client.get("/api/feature-flags/virtualization"), 400),
            (await client.put("/api/admin/faults", headers=ADMIN, json={"x": {}}), 400),
        ):
            assert answer.status_code == status, answer.text
            assert answer.json()["error"]

    ask(story, faults=True)


def test_strangers_cannot_grow_the_series() -> None:
    """Paths that nobody serves share one label, or a scan would fill the memory."""

    async def story(client: httpx.AsyncClient) -> None:
        for number in range(20):
            await client.get(f"/scan/{number}")
            await client.get(f"/api/feature-flags/scan-{number}")
        lines = (await client.get("/metrics")).text.splitlines()
        counted = [line for line in lines if line.startswith("http_requests_total{")]
        assert len(counted) == 2
        assert all(line.endswith(" 20.0") for line in counted)
        assert "scan" not in "\n".join(lines)

    ask(story, faults=False)
