"""How long a backup has taken and may take, and lines of progress for whoever waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.clock import Clock

SHOWN_EVERY_S = 5.0
ANSWER_S = 60.0


class Progress:
    """Shows how far a long piece of work is, a line every few seconds, and ends it when its time is over.

    Args:
        what: the work, the beginning of each line.
        clock: gives the time.
        timeout_s: how long the work may take in all.
        show: shows a line.
    """

    def __init__(self, what: str, clock: Clock, timeout_s: float, show: Callable[[str], None]) -> None:
        self.what = what
        self.clock = clock
        self._show = show
        self._begun = self._shown = clock.monotonic()
        self._timeout_s = timeout_s

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self.clock.monotonic() - self._begun

    @property
    def left_s(self) -> float:
        """Seconds that are left, more than 0.

        Raises:
            ProbeError: none are.
        """
        left = self._timeout_s - self.seconds
        if left <= 0:
            raise ProbeError(f"{self.what}: not done within {self._timeout_s:.0f} s (backups.timeout)")
        return left

    def at(self, done: str) -> None:
        """Show how far the work is, unless a line was shown a moment ago.

        Raises:
            ProbeError: its time is over.
        """
        now = self.clock.monotonic()
        if self.left_s and now - self._shown >= SHOWN_EVERY_S:
            self._shown = now
            self._show(f"{self.what}: {done}")

    @property
    def answer_s(self) -> float:
        """Seconds that one answer of a store is waited for: one that falls silent does not cost all the time.

        Raises:
            ProbeError: no time is left.
        """
        return min(ANSWER_S, self.left_s)


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup that was written.

    Args:
        seconds: that it took.
        notes: sentences for the reader.
        details: further evidence as plain JSON; ``by``: what wrote it.
    """

    seconds: float
    notes: list[str]
    details: dict[str, Any]


@dataclass(slots=True)
class Proof:
    """What the proof of a backup found.

    Args:
        compared: how many files, documents, keys, indexes were compared.
        differences: one sentence each.
        notes: what is no difference, and worth knowing.
        details: further evidence as plain JSON.
        held: how many documents or keys the store held when it was backed up.
    """

    compared: int = 0
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    held: int = 0
