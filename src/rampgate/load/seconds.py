"""A load run second by second, while it runs: what the abort, the live view and the plots use.

A request belongs to the second in which it ended. A second is complete when every generating process has
sent its block; one that is far behind the others is no longer waited for, and what it sends late counts in
the next second that is still open.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from rampgate.load.counters import Counts, Ranks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rampgate.load.table import Table
    from rampgate.load.times import Block

BEHIND_S = 5
"""Seconds that the slowest process may lag behind the fastest."""
QUANTILES = (0.5, 0.95, 0.99)
"""The quantiles of a second, for display."""


class Second(NamedTuple):
    """What ended within one second.

    Args:
        second: since the ramp began; 0 is the first.
        n: requests, sign-ins left out.
        failures: those that failed.
        timed: the same.
        exceedances: edge in ms -> how many of those lay above it; a failed one, and one that was not
            waited for at the end, lies above every edge.
        users: who were there at its end.
        ideal: who should have been.
        p50: the median in ms, None when it lies among the failed ones, or nothing was timed.
        p95: as the median.
        p99: as the median.
    """

    second: int
    n: int
    failures: int
    timed: int
    exceedances: Mapping[float, int]
    users: int
    ideal: float
    p50: float | None
    p95: float | None
    p99: float | None


class Seconds:
    """Turns blocks into complete seconds.

    Args:
        edges: in ms, counted exactly.
        ideal: how many users there should be at a moment of the ramp.
    """

    def __init__(self, edges: Sequence[float], ideal: Callable[[float], float]) -> None:
        self._edges = tuple(edges)
        self._ideal = ideal
        self._reached: dict[str, float] = {}
        self._open: dict[int, Counts] = defaultdict(Counts)
        self._users: dict[int, int] = {}
        self._present = 0
        self.complete: list[Second] = []

    def expect(self, process: str) -> None:
        """Wait for this process from now on."""
        self._reached.setdefault(process, 0.0)

    def forget(self, process: str) -> None:
        """Do not wait for this process any longer."""
        self._reached.pop(process, None)

    def count_users(self, elapsed: float, users: int) -> None:
        """So many users are there at this moment of the ramp."""
        self._users[math.floor(elapsed)] = users

    def feed(self, process: str, block: Block) -> None:
        """Count the block of a process."""
        for second, table in by_second(block.table).items():
            self._open[max(second, len(self.complete))].add(table, self._edges)
        if process in self._reached:
            self._reached[process] = max(self._reached[process], block.sample.second)
        reached = self._reached.values() or [block.sample.second]
        self._close(max(min(reached), max(reached) - BEHIND_S))

    def finish(self) -> None:
        """Nothing more comes: all that was counted is complete."""
        self._close(max(self._open, default=-1) + 1)

    def _close(self, until: float) -> None:
        while len(self.complete) + 1 <= until:
            second = len(self.complete)
            self._present = self._users.pop(second, self._present)
            counts = self._open.pop(second, Counts())
            self.complete.append(
                second_of(second, counts, self._edges, self._present, self._ideal(second + 1))
            )


def by_second(table: Table) -> dict[int, Table]:
    """The requests by the second in which they ended; those before the ramp belong to its first."""
    import numpy as np

    seconds = np.maximum(np.floor(table.end_s).astype(np.int64), 0)
    order = np.argsort(seconds, kind="stable")
    found, begins = np.unique(seconds[order], return_index=True)
    parts = np.split(order, begins[1:]) if len(found) else []
    return {second: table.where(part) for second, part in zip(found.tolist(), parts, strict=True)}


def second_of(second: int, counts: Counts, edges: Sequence[float], users: int, ideal: float) -> Second:
    """One second from what ended in it."""
    above = {edge: counts.above[edge] for edge in edges}
    times = Ranks(counts.times)
    quantiles = (times.quantile(q, of=counts.timed) for q in QUANTILES)
    return Second(second, counts.timed, counts.failed, counts.timed, above, users, ideal, *quantiles)
