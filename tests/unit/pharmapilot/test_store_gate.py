import asyncio

import pytest

from pharmapilot.connections import REFUSAL_SECONDS, Gate
from pharmapilot.errors import StoreDownError


class Switches:
    """Faults by name."""

    def __init__(self, *on: str) -> None:
        self._on = on

    def is_on(self, fault: str) -> bool:
        """Whether it was named."""
        return fault in self._on


async def answer() -> int:
    """A store that works."""
    return 42


async def refuse() -> int:
    """A store that is gone."""
    raise ConnectionRefusedError


async def hang() -> int:
    """A store that never answers."""
    await asyncio.Event().wait()
    return 0


def outcome(gate: Gate, operation: object) -> str:
    """What a call of the gate comes to."""
    try:
        asyncio.run(gate.call(operation, 0.01))  # type: ignore[arg-type]  # one of the three above
    except StoreDownError:
        return "down"
    return "ok"


def test_lost_connection_refuses_for_a_moment_then_recovers_by_itself() -> None:
    """Requests do not queue behind a dead store, and nobody has to restart anything."""
    now = [0.0]
    gate = Gate("redis", Switches(), (OSError,), lambda: now[0])
    assert outcome(gate, answer) == "ok"
    assert outcome(gate, refuse) == "down"
    assert outcome(gate, answer) == "down"
    now[0] = REFUSAL_SECONDS
    assert outcome(gate, answer) == "ok"


def test_slow_answer_fails_alone() -> None:
    """One slow query must not become a bunch of failures of others."""
    gate = Gate("mongodb", Switches(), (OSError,), lambda: 0.0)
    assert outcome(gate, hang) == "down"
    assert outcome(gate, answer) == "ok"


@pytest.mark.parametrize(("store", "expected"), [("mongodb", "down"), ("redis", "ok")])
def test_fault_takes_down_its_own_store_only(store: str, expected: str) -> None:
    """A dead MongoDB is not a dead Redis."""
    assert outcome(Gate(store, Switches("dead_mongodb"), (OSError,)), answer) == expected


def test_defects_are_not_hidden_as_a_store_that_is_down() -> None:
    """A programming error stays one."""

    async def defect() -> int:
        raise KeyError("oops")

    with pytest.raises(KeyError):
        asyncio.run(Gate("redis", Switches(), (OSError,)).call(defect))
