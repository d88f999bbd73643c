"""Notices that the clock was set, or that the machine slept: it then went on more or less than time did."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rampgate.clock import Clock


class Jumps:
    """Compares the clock with the one that only goes on.

    Args:
        clock: both of them.
        least: seconds; a smaller difference is none.
    """

    def __init__(self, clock: Clock, least: float) -> None:
        self._clock, self._least = clock, least
        self._then, self._before = clock.now(), clock.monotonic()

    @property
    def seconds(self) -> float:
        """By how much the clock has jumped since ``taken``, back where it is negative; 0 where it has not."""
        jump = (self._clock.now() - self._then) - (self._clock.monotonic() - self._before)
        return jump if abs(jump) > self._least else 0.0

    def taken(self) -> float:
        """How far it has jumped; from now on that counts no more."""
        jump = self.seconds
        self._then, self._before = self._clock.now(), self._clock.monotonic()
        return jump
