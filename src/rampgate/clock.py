"""The clock, passed in so that tests need not wait."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, for durations."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock, whatever a user's test puts in its place later."""

    _now = staticmethod(time.time)
    _monotonic = staticmethod(time.perf_counter)

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now()

    def monotonic(self) -> float:
        """Seconds that never run backwards, for durations."""
        return self._monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
