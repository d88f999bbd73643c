from typing import Any

import httpx
import pytest
from tests.unit.pharmapilot.asking import ADMIN, ask

from pharmapilot.errors import BadRequestError
from pharmapilot.faults import Faults
from pharmapilot.flags import HashKind, Rules, Semantics
from pharmapilot.scratch_flags import LIFETIME_SECONDS, MAX_STORES, ScratchStores

NAME = "rampgate-scratch-1"
STORES = "/api/admin/flag-stores"
ALICE = {"userId": "alice", "workspaceId": "clinic"}  # her place is 43 of 100


def flag(percentage: int, **more: object) -> dict[str, Any]:
    """A flag that is enabled."""
    return {"name": "trial", "enabled": True, "percentage": percentage, **more}


def stores(faults: Faults | None = None, now: list[float] | None = None) -> ScratchStores:
    """Stores at a time that the test moves."""
    clock = now or [0.0]
    return ScratchStores(faults or Faults(), Rules(), lambda: clock[0])


def is_on(scratch: ScratchStores, body: dict[str, Any], name: str = "trial") -> bool:
    """Whether the flag of a store is on for alice."""
    return scratch.evaluate(scratch.put(NAME, body), name, "alice", "clinic")


@pytest.mark.parametrize(("percentage", "expected"), [(43, False), (44, True)])
def test_scratch_store_decides_as_the_real_one(percentage: int, expected: bool) -> None:
    """What is played through here is what will happen there."""
    assert is_on(stores(), {"flags": [flag(percentage)]}) is expected


def test_semantics_and_hash_can_be_chosen() -> None:
    """Overrides under the seed's rules cannot reach a user outside; a salted hash moves her."""
    override = flag(0, userOverrides={"alice": True})
    assert is_on(stores(), {"flags": [override]})
    assert not is_on(stores(), {"flags": [override], "semantics": "seed"})
    salted = stores().put(NAME, {"flags": [flag(5)], "semantics": "seed", "hash": "salted"})
    assert salted.rules == Rules(Semantics.SEED, HashKind.SALTED)


def test_scratch_store_is_forgotten_after_ten_minutes() -> None:
    """What a crashed run leaves behind goes away by itself."""
    now = [0.0]
    scratch = stores(now=now)
    scratch.put(NAME, {"flags": [flag(5)]})
    now[0] = LIFETIME_SECONDS - 1
    assert scratch.find(NAME).flags
    now[0] = LIFETIME_SECONDS
    with pytest.raises(KeyError):
        scratch.find(NAME)


def test_number_of_scratch_stores_is_bounded() -> None:
    """A run in a loop cannot fill the memory; one that is there can still be replaced."""
    scratch = stores()
    for number in range(MAX_STORES):
        scratch.put(f"{NAME}-{number}", {"flags": [flag(5)]})
    with pytest.raises(BadRequestError, match="already"):
        scratch.put("rampgate-scratch-more", {"flags": [flag(5)]})
    assert scratch.put(f"{NAME}-0", {"flags": [flag(6)]}).flags["trial"].percentage == 6


def test_broken_flag_service_is_broken_here_too() -> None:
    """A check that plays a rollout through sees the faults of the service that decides."""
    faults = Faults(lambda: 0.0)
    faults.merge({"flag_percentage": {"flag": "apiCaching", "percentage": 100}})
    body = {"flags": [flag(0, name="apiCaching"), flag(0)]}
    assert is_on(stores(faults), body, "apiCaching")
    assert not is_on(stores(faults), body)
    faults.clear()
    faults.merge({"flags_not_sticky": {"flag": "apiCaching"}})
    assert is_on(stores(faults), body, "apiCaching")


@pytest.mark.parametrize(
    ("name", "body", "named"),
    [
        ("production", {"flags": [flag(5)]}, "rampgate-scratch-"),
        ("rampgate-scratch-", {"flags": [flag(5)]}, "rampgate-scratch-"),
        (NAME, [], "flags"),
        (NAME, {"flags": []}, "1 to 100"),
        (NAME, {"flags": [flag(101)]}, "flag trial: percentage"),
        (NAME, {"flags": [{"enabled": True}]}, "a name"),
        (NAME, {"flags": [flag(5), flag(6)]}, "same name"),
        (NAME, {"flags": [flag(5)], "semantics": "mine"}, "overrides-first"),
        (NAME, {"flags": [flag(5)], "hash": 5}, "salted"),
        (NAME, {"flags": [flag(5)], "salt": "x"}, "unknown key 'salt'"),
    ],
)
def test_wrong_scratch_stores_name_what_is_accepted(name: str, body: object, named: str) -> None:
    """No store outside the prefix is ever written, and a typing error is told."""
    with pytest.raises(BadRequestError) as caught:
        stores().put(name, body)
    assert named in str(caught.value)


def test_scratch_routes_write_decide_and_forget() -> None:
    """A store is written, asked and removed over HTTP by the administrator alone; the real flags stay."""

    async def story(client: httpx.AsyncClient) -> None:
        path = f"{STORES}/{NAME}"
        question = {"users": [ALICE, {"userId": "u", "workspaceId": "w"}], "flags": ["trial"]}
        assert (await client.put(path, json={"flags": [flag(44)]})).status_code == 401
        assert (await client.put(f"{STORES}/mine", json={"flags": []}, headers=ADMIN)).status_code == 400
        written = await client.put(path, json={"flags": [flag(44)]}, headers=ADMIN)
        assert written.status_code == 200
        assert written.json()["flags"][0]["percentage"] == 44
        answer = await client.post(f"{path}/evaluate", json=question, headers=ADMIN)
        assert answer.json()["results"][0] == {**ALICE, "flags": {"trial": True}}
        assert len(answer.json()["results"]) == 2
        unknown = await client.post(f"{path}/evaluate", json=question | {"flags": ["x"]}, headers=ADMIN)
        assert (unknown.status_code, "trial" in unknown.text) == (400, True)
        assert (await client.get("/api/admin/feature-flags", headers=ADMIN)).json() == {"flags": []}
        for _ in range(2):
            assert (await client.delete(path, headers=ADMIN)).status_code == 204
        assert (await client.post(f"{path}/evaluate", json=question, headers=ADMIN)).status_code == 404

    ask(story, faults=False)
