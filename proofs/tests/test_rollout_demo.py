from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from proofs.rollout_demo import compressed
from proofs.rollout_timeline import LAST, USERS, Timeline, rise

from rampgate.config.loading import load
from rampgate.demo import settings_file

if TYPE_CHECKING:
    from pathlib import Path

PLAN = (0.0, 5.0, 15.0, 25.0, 50.0, 75.0, LAST)


@dataclass
class FakeWorld:
    """A deployment that is up, with stages that end as they are told to."""

    codes: dict[tuple[str, float], list[int]] = field(default_factory=dict)
    sees: bool = True
    watch_at: float | None = None
    lives: bool = True
    off: int = USERS
    message: bool = True
    held: int = 0
    at: int = 0
    status: str = "running"
    broken: bool = False
    done: list[str] = field(default_factory=list)

    def measure(self, stage: str) -> int:
        """One of its codes, else 20 where the fault is seen."""
        self.done.append(f"{stage} {PLAN[self.at]:g}")
        if self.broken and self.watch_at == PLAN[self.at]:
            self.status = "rolled back"
        if codes := self.codes.get((stage, PLAN[self.at])):
            return codes.pop(0)
        return 20 if self.broken and self.sees else 0

    def rollout(self, *words: str) -> int:
        """Refused as often as it is held."""
        self.done.append(words[0])
        if words[0] == "rollback":
            self.status = "rolled back"
        if words[0] == "advance":
            if self.held:
                self.held -= 1
                return 10
            self.at += 1
            self.status = "complete" if PLAN[self.at] == LAST else "running"
        return 0

    def where(self) -> tuple[str, float]:
        """As World."""
        return self.status, PLAN[self.at]

    def break_it(self) -> None:
        """As World."""
        self.broken = True

    def watched(self) -> bool:
        """As World."""
        return self.lives

    def off_for(self) -> int:
        """As World."""
        return self.off

    def told(self) -> bool:
        """As World."""
        return self.message

    def wait(self) -> bool:
        """As World."""
        return self.message


def line() -> Timeline:
    """A timeline that shows nothing."""
    return Timeline("test", say=lambda _: None, clock=lambda: 0.0)


def test_a_healthy_rollout_is_measured_at_each_percentage() -> None:
    """Checks and load run at every percentage of the plan, and the last one needs a watch that lives."""
    world, seen = FakeWorld(held=2), line()
    assert rise(world, seen)
    assert [f"{stage} {at:g}" for at in PLAN for stage in ("immediate", "load")] == [
        each for each in world.done if each[-1].isdigit()
    ]
    assert seen.events[-1] == (0.0, "complete")
    assert not rise(FakeWorld(lives=False), line())


@pytest.mark.parametrize("watch_at", [None, 25.0])
def test_a_fault_is_rolled_back_where_it_begins(watch_at: float | None) -> None:
    """Whether a stage or the watch sees it, the percentage goes no higher, and users and team count."""
    world, seen = FakeWorld(watch_at=watch_at), line()
    assert rise(world, seen, 25.0)
    assert (world.status, PLAN[world.at]) == ("rolled back", 25.0)
    assert ("rollback" in world.done) == (watch_at is None)
    assert any(text.startswith("CAUGHT") and text.endswith("at 25 %") for _, text in seen.events)


@pytest.mark.parametrize(
    "world",
    [FakeWorld(off=USERS - 1), FakeWorld(message=False), FakeWorld(sees=False)],
    ids=["one user reads on", "nobody was told", "nobody has seen it"],
)
def test_a_broken_rollout_needs_everything(world: FakeWorld) -> None:
    """It is not as it should be while a user reads on, nobody was told, or the fault went to everybody."""
    assert not rise(world, line(), 25.0)


def test_a_stage_that_holds_is_run_again() -> None:
    """A busy machine costs time and no rollout; one that never decides ends it, and is not called caught."""
    assert rise(FakeWorld({("load", 5.0): [10, 10]}), line())
    assert not rise(FakeWorld({("load", 5.0): [10, 10, 10]}), line())
    assert not rise(FakeWorld({("immediate", 25.0): [10, 10, 10]}), line(), 25.0)


def test_what_is_critical_without_a_fault_is_no_success() -> None:
    """A stage that says ROLLBACK of the healthy deployment, or before the fault, is no success."""
    assert not rise(FakeWorld({("load", 5.0): [20]}), line())
    assert not rise(FakeWorld({("load", 5.0): [20]}), line(), 25.0)


def test_the_compressed_settings_are_accepted(tmp_path: Path) -> None:
    """They fit the settings of the reference deployment as they are now."""
    settings, _ = load(settings_file(), overrides=compressed(tmp_path), from_environment=False)
    assert settings.rollout.soak_at(25.0) == 20.0
    assert settings.reports == tmp_path
