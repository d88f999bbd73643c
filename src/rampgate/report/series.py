"""One metric of a watch over time, as it is drawn: its readings, its limits, its gaps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from rampgate.model import formats
from rampgate.model.metrics import Kind
from rampgate.outcome import Severity
from rampgate.report import plots

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rampgate.judging.threshold import Threshold
    from rampgate.model.metrics import Metric

MOST_POINTS = 300
"""Points of a drawn line at most; of a longer watch each is the worst of several readings."""
GAP = 3.0
"""So many times the usual time between two readings is a gap."""
_P95 = 0.95
_BEYOND = 1.25
"""A percentile above the last edge is drawn so far above it."""
PER_CENT = 100.0
FRACTIONS = {Kind.RATE, Kind.SHARE}


class Point(NamedTuple):
    """One reading.

    Args:
        at: seconds since the watch began.
        value: as it is drawn; None: nothing could be read.
        trouble: why not.
        n: observations behind it, 0 where that is not known.
    """

    at: float
    value: float | None
    trouble: str = ""
    n: int = 0


class Mark(NamedTuple):
    """Something that happened.

    Args:
        at: seconds since the watch began.
        text: what.
    """

    at: float
    text: str


@dataclass
class Series:
    """One metric.

    Args:
        metric: what was read.
        rules: name of each rule about it -> its threshold.
        points: in the order of time.
        marks: changes of its rules' states.
        counted: whether its values come from counts.
    """

    metric: Metric
    rules: dict[str, Threshold] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    counted: bool = False

    @property
    def quantile(self) -> float | None:
        """Of a latency: which is drawn."""
        if self.metric.kind is not Kind.LATENCY:
            return None
        known = next((each.quantile for each in self.rules.values() if each.quantile), None)
        return known or self.metric.percentile or _P95

    @property
    def unit(self) -> str:
        """Of what is drawn."""
        share = self.metric.kind in FRACTIONS or (self.counted and self.metric.kind is Kind.VALUE)
        return "%" if share else self.metric.unit

    @property
    def most(self) -> float:
        """The highest value that makes sense."""
        values = [point.value for point in self.points if point.value is not None]
        limited = self.unit == "%" or self.metric.kind is Kind.SCORE
        return PER_CENT if limited and max(values, default=0.0) <= PER_CENT else math.inf

    @property
    def falls(self) -> bool:
        """Whether low is bad, by its limits."""
        operators = [each.broken()[0] for each in self.rules.values()]
        return bool(operators) and all(each in {"<", "<=", "=="} for each in operators)

    def worst(self, values: Iterable[float]) -> float:
        """Of several values the one that is nearest to being bad."""
        return min(values) if self.falls else max(values)

    def limits(self) -> Iterator[plots.Limit]:
        """Each limit once: what is beyond it, in words, and where it is drawn."""
        found: dict[tuple[str, float], list[Threshold]] = {}
        for each in self.rules.values():
            if self.quantile in {None, each.quantile}:
                found.setdefault(each.broken(), []).append(each)
        for (operator, limit), alike in sorted(found.items(), key=lambda each: -each[0][1]):
            critical = any(each.severity is Severity.CRITICAL for each in alike)
            at = limit * (PER_CENT if self.metric.kind in FRACTIONS else 1)
            amount = f"{formats.number(at)} {self.unit}".rstrip()
            severity = Severity.CRITICAL if critical else Severity.WARNING
            yield plots.Limit(f"{severity} {_SIGNS[operator]} {amount}", at, below=operator[0] == "<")


_SIGNS = {
    ">": ">",
    ">=": "\N{GREATER-THAN OR EQUAL TO}",
    "<": "<",
    "<=": "\N{LESS-THAN OR EQUAL TO}",
    "==": "=",
    "!=": "\N{NOT EQUAL TO}",
}


def quantile(q: float, n: int, above: Mapping[float, int]) -> float | None:
    """A quantile of what was counted in buckets, on a straight line within its bucket.

    At an edge it is exact: it lies above an edge when more than 1 - q of the observations do.

    Args:
        q: which, above 0 and below 1.
        n: observations.
        above: edge of a bucket -> how many observations lie above it.
    """
    start, before = 0.0, n
    for edge in sorted(above):
        if above[edge] <= (1 - q) * n * (1 + 1e-9):
            inside = before - above[edge]
            return edge if not inside else start + (edge - start) * (before - (1 - q) * n) / inside
        start, before = edge, above[edge]
    return start * _BEYOND if above else None


def drawn(series: Series, seconds: float) -> list[Point]:
    """At most MOST_POINTS points, each the worst of its part of the time, with a None in every gap."""
    step = seconds / MOST_POINTS
    parts: dict[int, list[Point]] = {}
    for point in series.points:
        parts.setdefault(min(MOST_POINTS - 1, int(point.at / step)), []).append(point)
    kept = [_one(series, part) for part in parts.values()]
    apart = [later.at - earlier.at for earlier, later in pairwise(kept)]
    usual = max(step, median(apart)) if apart else step
    found: list[Point] = []
    for point in kept:
        if found and point.at - found[-1].at > GAP * usual:
            found.append(Point((point.at + found[-1].at) / 2, None))
        found.append(point)
    return found


def _one(series: Series, part: Sequence[Point]) -> Point:
    values = [point for point in part if point.value is not None]
    if not values:
        return part[0]
    worst = series.worst(point.value for point in values if point.value is not None)
    return next(point for point in values if point.value == worst)


def unread(series: Series) -> list[tuple[float, float, str]]:
    """From when to when nothing could be read, and why first; not the wait for a second reading."""
    found: list[tuple[float, float, str]] = []
    since: Point | None = None
    for number, point in enumerate(series.points):
        if point.value is None:
            since = since or (point if number or not _waits(series.points) else None)
        elif since:
            found.append((since.at, point.at, since.trouble))
            since = None
    if since:
        found.append((since.at, series.points[-1].at, since.trouble))
    return found


def _waits(points: Sequence[Point]) -> bool:
    return len(points) > 1 and points[1].value is not None
