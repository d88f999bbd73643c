"""Requests side by side, so many a second and until a time: what is not back by then is left behind."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rampgate.clock import Clock

T = TypeVar("T")


class Pace:
    """Gives requests their turn. Shared by threads.

    Args:
        rate: requests a second.
        ends: when no more may begin, on the clock's monotonic scale.
        clock: measures and waits.
    """

    def __init__(self, rate: float, ends: float, clock: Clock) -> None:
        self.rate = rate
        self._halved = False
        self._ends = ends
        self._clock = clock
        self._due = -float("inf")
        self.lock = threading.Lock()
        """Held while a result is kept, so that none is once the pace has stopped."""
        self.stopped = False

    def turn(self) -> bool:
        """Wait until the next request may begin; False when none may any more."""
        with self.lock:
            now = self._clock.monotonic()
            due = max(self._due, now)
            if self.stopped or due >= self._ends:
                return False
            self._due = due + 1 / self.rate
        if due > now:
            self._clock.sleep(due - now)
        return not self.stopped

    def halve(self) -> None:
        """Ask half as often from now on, once."""
        with self.lock:
            self.rate, self._halved = (self.rate if self._halved else self.rate / 2), True

    def stop(self) -> None:
        """Let nothing more begin, and no result be kept."""
        with self.lock:
            self.stopped = True

    @property
    def seconds_left(self) -> float:
        """Until the end."""
        return max(0.0, min(self._ends - self._clock.monotonic(), threading.TIMEOUT_MAX))


def side_by_side(jobs: Iterable[T], work: Callable[[T], None], pace: Pace, threads: int) -> None:
    """Do the jobs in threads, which are waited for until the pace ends, and not beyond a Ctrl-C.

    Args:
        jobs: taken in their order.
        work: does one; waits for its turn before each request.
        pace: is stopped at the end.
        threads: at once.

    Raises:
        Exception: the first that a job raised.
    """
    left = iter(list(jobs))  # an iterator of a list may be shared
    errors: list[Exception] = []

    def loop() -> None:
        try:
            for job in left:
                if pace.stopped:
                    return
                work(job)
        except Exception as error:  # noqa: BLE001  # raised where the jobs are waited for
            errors.append(error)
            pace.stop()

    crew = [threading.Thread(target=loop, daemon=True) for _ in range(threads)]
    for thread in crew:
        thread.start()
    try:
        for thread in crew:
            thread.join(pace.seconds_left)
    finally:
        pace.stop()
    if errors:
        raise errors[0]
