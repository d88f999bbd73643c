import pytest

from pharmapilot import population
from pharmapilot.auth import User
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
