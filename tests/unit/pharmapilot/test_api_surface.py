import httpx
import pytest
from tests.unit.pharmapilot.asking import ADMIN, ask


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
