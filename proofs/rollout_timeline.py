"""What a rollout of ``make rollout-demo`` does, one percentage after the other, and when."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rampgate.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

LAST = 100.0
STAGES = ("immediate", "load")
UNDECIDED = "nobody"
USERS = 100
_TRIES = 3
"""A stage that holds, as on a busy machine, is run again."""


class World(Protocol):
    """What a timeline acts on: the deployment, and the commands."""

    def measure(self, stage: str) -> int:
        """Run a stage; its exit code."""

    def rollout(self, *words: str) -> int:
        """Run ``rampgate rollout``; its exit code."""

    def where(self) -> tuple[str, float]:
        """Status and percentage of the rollout."""

    def break_it(self) -> None:
        """Switch the fault on."""

    def watched(self) -> bool:
        """Whether the watch still runs."""

    def off_for(self) -> int:
        """Of 100 users, how many read every feature as off."""

    def told(self) -> bool:
        """Whether the team has a message of the rollback."""

    def wait(self) -> bool:
        """Let a second pass; False where the time for this is over."""


@dataclass
class Timeline:
    """What happened when.

    Args:
        name: of it.
        say: takes each line.
        clock: seconds.
    """

    name: str
    say: Callable[[str], object] = print
    clock: Callable[[], float] = time.monotonic
    events: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def note(self, text: str) -> None:
        """Keep and show what happens now."""
        self.events.append((round(self.clock() - self.began, 1), text))
        self.say(f"{self.name} {self.events[-1][0]:6.1f} s  {text}")


def rise(world: World, line: Timeline, breaks_at: float | None = None) -> bool:
    """A rollout from nobody to everybody, or to where it breaks; whether it went as it should.

    Args:
        world: to act on.
        line: takes what happens.
        breaks_at: the percentage at which the fault is switched on, None for a healthy rollout.
    """
    if world.rollout("start", "--reason", line.name):
        line.note("rollout start was refused")
        return False
    while True:
        at = world.where()[1]
        line.note(f"{at:g} % is in force")
        if broken := at == breaks_at:
            world.break_it()
            line.note("FAULT: one in five requests of users with the features fails")
        if seen := _measured(world, line):
            return broken and seen != UNDECIDED and _rolled_back(world, line, seen)
        if at == LAST:
            line.note("complete" if world.watched() else "the watch has ended")
            return breaks_at is None and world.watched() and world.where()[0] == "complete"
        if not _advanced(world, line):
            return broken and world.where()[0] == "rolled back" and _rolled_back(world, line, "watch")


def _measured(world: World, line: Timeline) -> str:
    """Run the stages; who has seen something critical or could not decide, "" where all was promoted."""
    for stage in STAGES:
        for _ in range(_TRIES):
            code = world.measure(stage)
            if world.where()[0] == "rolled back":
                return "watch"
            line.note(f"{stage}: {ExitCode(code).name if code in set(ExitCode) else code}")
            if code == ExitCode.ROLLBACK:
                return stage
            if code == ExitCode.PROMOTE:
                break
        else:
            line.note(f"{stage} has decided nothing in {_TRIES} runs")
            return UNDECIDED
    return ""


def _advanced(world: World, line: Timeline) -> bool:
    """Ask for the next percentage until everything that it needs is there."""
    while (code := world.rollout("advance", "--if-due")) == ExitCode.HOLD and world.wait():
        if world.where()[0] != "running":
            return False
    if code:
        line.note(f"rollout advance ended with {code}")
    return not code


def _rolled_back(world: World, line: Timeline, seen: str) -> bool:
    """Roll back what has been seen to be broken, and see that users have it no more."""
    line.note(f"CAUGHT by {seen} at {world.where()[1]:g} %")
    if world.where()[0] != "rolled back":
        world.rollout("rollback", "--emergency", "--reason", f"{seen} says ROLLBACK")
    status = world.where()[0]
    line.note(f"rollout: {status}")
    off = world.off_for()
    line.note(f"{off} of {USERS} users read every feature as off")
    while not (told := world.told()) and world.wait():
        pass
    line.note("the team was told" if told else "NO message has come")
    return status == "rolled back" and off == USERS and told
