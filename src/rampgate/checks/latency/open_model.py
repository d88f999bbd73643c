"""Begins requests at a steady pace, however slowly they are answered.

A probe that waits for an answer before it asks again sees one slow request in a pause of two seconds; users
who come at any moment of the pause wait. So requests are due by the clock. One that finds no free place
waits, and its time counts from when it was due.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from rampgate.io import cpu_pressure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rampgate.clock import Clock

STALL_S = 0.05
"""A request that begins so much later than due was held up on this machine: the schedule moves, nothing is
made up for in a rush."""
NOT_WAITED = "not waited for"
"""The outcome of a request that waited for its place as long as anybody would, while others were answered: it
is slow, and has not failed."""
_LEEWAY_S = 0.5
_POLL_S = 0.05
_TICK_S = 1e-6


class Result(NamedTuple):
    """What came of one request.

    Args:
        outcome: its status, ``time-out``, ``no answer`` or NOT_WAITED: a key to count by.
        ms: milliseconds to its end.
        error: why it failed, "" when it did not.
        body_error: what is wrong with its body, "" when nothing is.
        limited: seconds to wait where it was refused for our rate, as it may be, else None.
    """

    outcome: str
    ms: float
    error: str = ""
    body_error: str = ""
    limited: float | None = None


class Request(NamedTuple):
    """One request that has ended.

    Args:
        endpoint: its number.
        due: when it was due, in seconds since the start.
        result: what came of it, its time counted from when it was due where it had to wait.
    """

    endpoint: int
    due: float
    result: Result


class OpenModel:
    """Asks endpoints in turn, at a steady pace, until it is closed; made and used by one thread.

    Args:
        ask: for each endpoint what sends one request; called in threads of its own.
        rate: requests a second to each.
        most: requests to one endpoint at once.
        timeout_s: of a request, from when it is due; what has no answer by then has failed.
        clock: gives the time, and waits.
    """

    def __init__(
        self, ask: Sequence[Callable[[], Result]], rate: float, most: int, timeout_s: float, clock: Clock
    ) -> None:
        self.done: list[Request] = []
        self.waited = 0
        """How many had to wait for a free place."""
        self.rate = rate
        self._ask = ask
        self._most = most
        self._timeout_s = timeout_s
        self._clock = clock
        self._began = clock.monotonic()
        self._cpu_wait_s = cpu_pressure.own_wait_s()
        self._stalled_s = 0.0
        self._keys = itertools.count()
        self._next = 0.0
        self._open: dict[int, tuple[int, float]] = {}
        self._had_to_wait: set[int] = set()
        self._answered = [-math.inf] * len(ask)
        self._waiting: list[deque[int]] = [deque() for _ in ask]
        self._in_flight = [0] * len(ask)
        self._jobs: SimpleQueue[int | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0
        self._lock = threading.Lock()
        self._error: Exception | None = None

    def now(self) -> float:
        """Seconds since the start."""
        return self._clock.monotonic() - self._began

    def run(self, until: float) -> None:
        """Begin what is due before a moment, in seconds since the start, and return then.

        Raises:
            Exception: what ``ask`` raised.
        """
        while True:
            self._check()
            now, ahead = self.now(), min(self._next, until)
            if ahead - now > _TICK_S:
                self._clock.sleep(min(ahead - now, _POLL_S))
            elif self._next >= until:
                return
            else:
                self._begin(now)

    def drain(self, until: float) -> None:
        """Go on until what was due before a moment has ended, or has failed, within the time-out.

        Raises:
            Exception: as run.
        """
        while self.complete < until:
            self.run(self.now() + _POLL_S / 10)

    def finish(self) -> None:
        """Begin nothing more, and wait for what has begun: it ends, or has failed, within the time-out.

        Raises:
            Exception: as run.
        """
        while self._open:
            self._clock.sleep(_POLL_S / 10)
            self._check()
        self._next = max(self._next, self.now())

    @property
    def complete(self) -> float:
        """The moment before which every request that was due has ended."""
        with self._lock:
            return min((due for _, due in self._open.values()), default=self._next)

    def held_up(self) -> float:
        """The share of the time in which this process was ready, or due, to go on and could not."""
        waited = cpu_pressure.own_wait_s() - self._cpu_wait_s  # NaN where it is not counted: never the larger
        return max(self._stalled_s, waited) / max(self.now(), 1e-9)

    def close(self) -> int:
        """Wait for nothing more; how many requests were cut off."""
        with self._lock:
            cut = len(self._open)
            self._open.clear()
        for _ in range(self._threads):
            self._jobs.put(None)
        return cut

    def _begin(self, now: float) -> None:
        if now - self._next > STALL_S:
            self._stalled_s += now - self._next
            self._next = now
        key = next(self._keys)
        endpoint = key % len(self._ask)
        with self._lock:
            self._open[key] = endpoint, self._next
            free = self._in_flight[endpoint] < self._most
            if free:
                self._in_flight[endpoint] += 1
            else:
                self.waited += 1
                self._had_to_wait.add(key)
                self._waiting[endpoint].append(key)
        self._next = round(self._next + 1 / (self.rate * len(self._ask)), 6)  # 600 in a minute, not 601
        if free:
            self._jobs.put(key)
            if not self._idle.acquire(blocking=False):
                self._threads += 1
                # Daemons: a target that does not answer must not hold up the end of the process.
                threading.Thread(target=self._work, daemon=True).start()

    def _check(self) -> None:
        """Give up what is long overdue, and pass on what went wrong in a thread."""
        if self._error:
            raise self._error
        overdue = self.now() - self._timeout_s - _LEEWAY_S
        ms = (self._timeout_s + _LEEWAY_S) * 1000
        late = Result("time-out", ms, f"no answer within {self._timeout_s:g} s of when it was due")
        slow = Result(NOT_WAITED, ms)
        with self._lock:
            for key, (endpoint, due) in list(self._open.items()):  # in the order in which they were due
                if due >= overdue:
                    break
                del self._open[key]
                others = key in self._had_to_wait and self._answered[endpoint] >= due
                self.done.append(Request(endpoint, due, slow if others else late))

    def _work(self) -> None:
        while (key := self._jobs.get()) is not None:
            following: int | None = key
            while following is not None:
                following = self._send(following)
            self._idle.release()

    def _send(self, key: int) -> int | None:
        """Send one request; the next that waits for its place, None where none does."""
        endpoint, begun = key % len(self._ask), self.now()
        try:
            result = self._ask[endpoint]()
        except Exception as error:  # noqa: BLE001  # the thread that waits for it raises it
            self._error = error
            return None
        with self._lock:
            if not result.error:
                self._answered[endpoint] = self.now()
            if place := self._open.pop(key, None):
                due = place[1]
                if key in self._had_to_wait:
                    result = result._replace(ms=result.ms + (begun - due) * 1000)
                self.done.append(Request(endpoint, due, result))
            waiting = self._waiting[endpoint]
            while waiting and waiting[0] not in self._open:  # given up
                waiting.popleft()
            if waiting:
                return waiting.popleft()
            self._in_flight[endpoint] -= 1
            return None
