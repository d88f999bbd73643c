import httpx
import pytest
from tests.unit.pharmapilot.asking import ADMIN, ask

from pharmapilot import population
from pharmapilot.auth import User
from pharmapilot.backend import Backend
from pharmapilot.flags import Flag
from pharmapilot.population import Population, sides

ALICE, BOB = (User(name, f"{name}@pharmapilot.test", f"workspace-{name}") for name in ("alice", "bob"))


def test_user_counts_once_and_only_while_recent() -> None:
    """A thousand requests of one user are one user, and whoever left is not counted."""
    now = [0.0]
    seen = Population(lambda: now[0])
    seen.saw(ALICE)
    now[0] = 100.0
    for _ in range(3):
        seen.saw(BOB)
    assert seen.users(1) == [BOB]
    assert seen.users(2) == [ALICE, BOB]


def test_population_is_bounded_and_forgets_who_was_seen_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many users cannot fill the memory."""
    monkeypatch.setattr(population, "MAX_USERS", 1)
    seen = Population(lambda: 0.0)
    for user in (ALICE, BOB, ALICE):
        seen.saw(user)
    assert seen.users(1) == [ALICE]


def test_sides_add_up_to_all() -> None:
    """Everybody is on one side of a flag."""
    assert sides([ALICE, BOB], lambda user: user is ALICE) == {"on": 1, "off": 1}
    assert sides([], lambda _: True) == {"on": 0, "off": 0}


def test_exposure_counts_users_who_came_by_themselves_and_were_not_chosen() -> None:
    """The share of users on is that of the percentage: without testers, and without rampgate's own visits."""

    def prepare(backend: Backend) -> None:
        overrides = {"chosen": True, "spared": False}
        flag = Flag("apiCaching", enabled=True, percentage=25, user_overrides=overrides)
        backend.flags._flags["apiCaching"] = flag  # as if read
        for user in (User("user-demo", "", "workspace-demo-36"), User("user-off", "", "workspace-off-2")):
            backend.sessions._remember(user.id, user)  # as if signed in
        for name in ("chosen", "spared"):
            backend.sessions._remember(name, User(name, "", "workspace-demo-36"))

    async def story(client: httpx.AsyncClient) -> None:
        async def visits(name: str, **headers: str) -> None:
            await client.get("/api/auth/me", headers={"Authorization": f"Bearer {name}", **headers})

        async def exposure() -> object:
            return (await client.get("/api/admin/exposure?minutes=5", headers=ADMIN)).json()

        await visits("user-demo", **{"X-Rampgate-Run": "run"})
        await visits("stranger")
        for name in ("chosen", "spared"):
            await visits(name)
        assert await exposure() == {"on": 0, "off": 0}
        for name in ("user-demo", "user-demo", "user-off"):
            await visits(name)
        assert await exposure() == {"on": 1, "off": 1}
        assert (await client.get("/api/admin/exposure")).status_code == 401

    ask(story, faults=False, prepare=prepare)
