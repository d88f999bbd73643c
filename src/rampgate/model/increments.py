"""What counters that only rise have counted between two readings, and over the last minutes. Pure.

A source that reads counters gives, for each cohort and endpoint, one measurement whose ``details`` hold
``counters``: kind of count -> name of a series -> its value. The kinds are ``total``, ``failed``, and, of a
histogram, each edge in ms as text: how many lay at or below it. A series that has fallen was
restarted in between: what it has counted since then is counted. One that is new began at 0; one that comes
back goes on from where it was.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.model.measurement import Block

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.model.measurement import Measurement

Counters = dict[str, dict[str, float]]
"""Kind of count -> name of a series -> its value."""

COUNTERS = "counters"
TOTAL, FAILED = "total", "failed"


def counters_of(measurement: Measurement) -> Counters | None:
    """The counters behind a measurement, None where it is a value."""
    return measurement.details.get(COUNTERS)


class Increment(NamedTuple):
    """What was counted between two readings.

    Args:
        block: the counts, None where nothing could be compared.
        restarted: whether every series that had counted something has fallen or gone, so that the
            deployment was restarted; None: none had.
    """

    block: Block | None
    restarted: bool | None


def increment(before: Counters | None, now: Counters) -> Increment:
    """What was counted between two readings of the same cohort and endpoint.

    Args:
        before: the earlier reading, None where there is none.
        now: the later one.
    """
    if before is None:
        return Increment(None, restarted=None)
    later = now.get(TOTAL, {})
    had = {series: value for series, value in before.get(TOTAL, {}).items() if value > 0}
    restarted = all(later.get(series, -1.0) < value for series, value in had.items()) if had else None
    if restarted:
        return Increment(None, restarted=True)
    rises = {
        kind: {s: round(value) - round(before.get(kind, {}).get(s, 0.0)) for s, value in values.items()}
        for kind, values in _comparable(now).items()
    }
    fallen = {series for each in rises.values() for series, rise in each.items() if rise < 0}
    reset = {series for series, rise in rises.get(TOTAL, {}).items() if rise < 0}
    counted = {
        kind: sum(
            round(now[kind][s]) if s in reset else rise for s, rise in each.items() if s not in fallen - reset
        )
        for kind, each in rises.items()
    }
    return Increment(_block(counted), restarted)


def remembered(before: Counters, now: Counters) -> Counters:
    """The newest value of every series, those that are gone included: one that comes back goes on."""
    return {kind: {**before.get(kind, {}), **now.get(kind, {})} for kind in {**before, **now}}


def edges_of(now: Counters) -> set[float]:
    """The edges in ms that all of the histograms have."""
    return {float(kind) for kind in _comparable(now) if kind not in {TOTAL, FAILED}}


def _comparable(now: Counters) -> Counters:
    """Without the edges that only some of the histograms have: nothing can be said of all at these."""
    edges = {kind: values for kind, values in now.items() if kind not in {TOTAL, FAILED}}
    series = {name for values in edges.values() for name in values}
    return {kind: values for kind, values in now.items() if kind not in edges or series == values.keys()}


def _block(counted: Mapping[str, int]) -> Block:
    n = counted.get(TOTAL, 0)
    edges = {float(kind): n - at_most for kind, at_most in counted.items() if kind not in {TOTAL, FAILED}}
    # A scrape between two counters may show a failure whose request is counted in the next.
    return Block(
        n,
        min(counted.get(FAILED, 0), n),
        {edge: min(max(beyond, 0), n) for edge, beyond in sorted(edges.items())},
    )


def added(first: Block, second: Block) -> Block:
    """Both as one, at the edges that both have."""
    if not first.n or not second.n:
        return first if first.n else second
    edges = sorted(first.exceedances.keys() & second.exceedances.keys())
    return Block(
        first.n + second.n,
        first.failures + second.failures,
        {edge: first.exceedances[edge] + second.exceedances[edge] for edge in edges},
    )


@dataclass
class Window:
    """The counts of the last seconds.

    Args:
        seconds: how many.
        pieces: start and end of each piece, seconds since the epoch, and what was counted in it.
    """

    seconds: float
    pieces: deque[tuple[float, float, Block]] = field(default_factory=deque)

    def add(self, start: float, end: float, block: Block) -> None:
        """Take one piece, and drop what lies before the window that ends with it."""
        self.pieces.append((start, end, block))
        self.forget(end)

    def forget(self, end: float) -> None:
        """Drop what lies before the window that ends then."""
        while self.pieces and self.pieces[0][1] <= end - self.seconds:
            self.pieces.popleft()

    @property
    def counted(self) -> Block:
        """All of it as one; a block of nothing where nothing was counted."""
        return reduce(added, (block for _, _, block in self.pieces), Block(0))

    def to_json(self) -> list[Any]:
        """Plain JSON."""
        return [[start, end, list(plain(block))] for start, end, block in self.pieces]

    @classmethod
    def from_json(cls, seconds: float, data: list[Any]) -> Window:
        """Read back what to_json wrote."""
        return cls(seconds, deque((start, end, read(*block)) for start, end, block in data))


def plain(block: Block) -> tuple[int, int, dict[str, int]]:
    """Counts as plain JSON."""
    return block.n, block.failures, {repr(edge): count for edge, count in block.exceedances.items()}


def read(n: int, failures: int, exceedances: Mapping[str, int]) -> Block:
    """Read back what plain wrote."""
    return Block(n, failures, {float(edge): count for edge, count in exceedances.items()})
