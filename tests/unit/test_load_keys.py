"""What a worker proves to its master."""

from __future__ import annotations

import sys
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from loadtests import keys

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _other_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(keys.VARIABLE, "of-this-test")
    keys._key.cache_clear()
    yield
    keys._key.cache_clear()


def message(kind: str, node: str, **data: Any) -> Any:
    """A message as Locust hands it on, with the proof of whoever has the key now."""
    return SimpleNamespace(type=kind, node_id=node, data={**data, keys.PROOF: keys.proof(kind, node, data)})


def test_only_what_comes_from_who_has_the_key_is_heard() -> None:
    """Neither another's message under a worker's name, nor one that was changed, nor one without a proof."""
    true = message("rampgate-rows", "a", run="1", block=b"\x00rows")
    assert keys.proves(true)
    for change in ({"node_id": "b"}, {"type": "rampgate-end"}, {"data": {**true.data, "block": b"other"}}):
        assert not keys.proves(SimpleNamespace(**{**vars(true), **change}))
    assert not keys.proves(SimpleNamespace(type="rampgate-rows", node_id="a", data={"run": "1"}))
    assert not keys.proves(SimpleNamespace(type="rampgate-rows", node_id="a", data=None))


def test_another_key_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was started with another key is a stranger."""
    theirs = message("rampgate-hello", "a", run=None)
    monkeypatch.setenv(keys.VARIABLE, "another")
    keys._key.cache_clear()
    assert not keys.proves(theirs)


def test_processes_of_one_account_share_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a variable: a file of this account's alone, made by whoever comes first."""
    monkeypatch.delenv(keys.VARIABLE)
    keys._key.cache_clear()
    first = keys._key()
    keys._key.cache_clear()
    assert keys._key() == first
    assert len(first) == 64


class Runner:
    """A master with one worker that says nothing of ours."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.clients = SimpleNamespace(ready=[SimpleNamespace(id="stranger")], running=[], spawning=[])
        self.greenlet = SimpleNamespace(spawn=lambda _: None)

    def register_message(self, kind: str, listener: Any) -> None:
        """Nothing comes."""

    def send_message(self, kind: str, _data: Any, client_id: str = "") -> None:
        """Keep that something was sent."""
        self.sent.append(f"{kind} to {client_id}")

    def get_worker_index(self, _node: str) -> int:
        """It is the first."""
        return 0


def test_a_stranger_gets_nothing_and_the_run_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who joins without the key is sent neither settings nor a run, and its users are missing: no pass."""
    monkeypatch.setitem(sys.modules, "loadtests.typed", SimpleNamespace())  # it is Locust's
    coordinator = import_module("loadtests.coordinator")
    monkeypatch.setattr(coordinator, "READY_WITHIN_S", 0.0)
    runner, troubles = Runner(), list[str]()
    run: Any = SimpleNamespace(trouble=troubles.append)
    master = coordinator.Coordinator(runner, lambda: None, dict)
    master.prepare(run, [])
    assert runner.sent == []
    assert master.present == []
    assert troubles[0].startswith("worker1 does not prove that it may take part")
