"""How long a backup has taken and may take, and lines of progress for whoever waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rampgate.clock import Clock

TOLD_EVERY_S = 5.0


class StoreError(Exception):
    """The store does not answer, refuses the account, or fails: the target's fault, not ours."""


class Progress:
    """Tells how far a long piece of work is, a line every few seconds, and ends it when its time is over.

    Args:
        what: the work, the beginning of each line.
        clock: tells the time.
        timeout_s: how long the work may take in all.
        say: shows a line.
    """

    def __init__(self, what: str, clock: Clock, timeout_s: float, say: Callable[[str], None]) -> None:
        self.what = what
        self.clock = clock
        self._say = say
        self._begun = self._told = clock.monotonic()
        self._timeout_s = timeout_s

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self.clock.monotonic() - self._begun

    @property
    def left_s(self) -> float:
        """Seconds that are left.

        Raises:
            ProbeError: none are.
        """
        left = self._timeout_s - self.seconds
        if left <= 0:
            raise ProbeError(f"{self.what}: not done within {self._timeout_s:.0f} s (backups.timeout)")
        return left

    def at(self, done: str) -> None:
        """Say how far the work is, unless something was said a moment ago.

        Raises:
            ProbeError: its time is over.
        """
        assert self.left_s  # noqa: S101  # raises by itself when nothing is left
        now = self.clock.monotonic()
        if now - self._told >= TOLD_EVERY_S:
            self._told = now
            self._say(f"{self.what}: {done}")


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup that was written.

    Args:
        folder: where it is.
        size: bytes of all its files.
        seconds: that it took.
        things: how many documents or keys it holds, None where that is only known when it is proven.
        notes: sentences for the reader.
        details: further evidence as plain JSON.
    """

    folder: Path
    size: int
    seconds: float
    things: int | None = None
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Proof:
    """What the proof of a backup found.

    Args:
        compared: how many files, documents, keys, indexes were compared.
        differences: one sentence each.
        notes: what is no difference, and worth knowing.
        details: further evidence as plain JSON.
    """

    compared: int = 0
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
