"""Lines over time as inline SVG, with the stages of the ramp and the limits drawn in.

Small enough to be read at 390 px. A line differs from another by its dashes and the name at its end, and not
by its colour alone. Each drawing says in words what it shows.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rampgate.model import formats
from rampgate.report import svg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from xml.etree.ElementTree import Element

WIDTH, HEIGHT = 400.0, 178.0
_LEFT, _RIGHT, _TOP, _FLOOR = 44.0, 354.0, 20.0, 152.0
_APART = 11.5
_STEPS = (1, 2, 5, 10)
_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
_MOST_TICKS, _MINUTE, _HOUR = 6, 60, 3600
_LEAST_STAGE = 14.0
"""Width below which a stage's number would lie over its neighbour's, and a mark's over the one before."""


class Line(NamedTuple):
    """A name, a value per second (None: a gap), the class of the style sheet, and what stands at its end."""

    name: str
    values: Sequence[float | None]
    kind: str
    label: str | None = None


class Limit(NamedTuple):
    """A name, where it is, and whether what lies below it is bad."""

    name: str
    at: float
    below: bool = False


@dataclass(frozen=True)
class Axes:
    """What a drawing is about.

    Args:
        says: what is drawn, in words.
        seconds: the second of each value.
        stages: of the ramp: the second at which each ends, and the users it leads to.
        unit: of the values, for the words.
        logarithmic: values of 0 and below are gaps.
        most: the highest value that there can be.
        begin: second 0 since the epoch, where the axis shows the time of day; None: it counts from 0:00.
        last: the second until which it goes, where no value and no stage is that late.
        beside: from which second to which something else went on.
        marks: what happened: the second, and a letter or number for it.
    """

    says: str
    seconds: Sequence[float]
    stages: Sequence[tuple[float, float]] = ()
    unit: str = ""
    logarithmic: bool = False
    most: float = math.inf
    begin: float | None = None
    last: float = 1.0
    beside: Sequence[tuple[float, float]] = ()
    marks: Sequence[tuple[float, str]] = ()

    @property
    def end(self) -> float:
        """The last second that is drawn."""
        return max([self.last, *self.seconds[-1:], *(end for end, _ in self.stages[-1:])])


class _Scale:
    """Value -> height."""

    def __init__(self, axes: Axes, lines: Sequence[Line], limits: Sequence[Limit]) -> None:
        self.logarithmic = axes.logarithmic
        seen = [value for line in lines for value in line.values if value is not None]
        seen = [
            value for value in (*seen, *(limit.at for limit in limits)) if value > 0 or not axes.logarithmic
        ]
        if self.logarithmic:
            self.low = float(math.floor(math.log10(min(seen, default=1.0))))
            self.high = max(self.low + 1.0, math.ceil(math.log10(1.1 * max(seen, default=10.0))))
            self.ticks = [10.0**power for power in range(int(self.low), int(self.high) + 1)]
        else:
            top = min(axes.most, 1.08 * max(seen, default=1.0) or 1.0)
            step = _round_step(top / 3)
            self.low, self.high = 0.0, math.ceil(top / step) * step
            self.ticks = [step * number for number in range(round(self.high / step) + 1)]

    def y(self, value: float) -> float | None:
        """The height in the drawing; None where a value has none."""
        if self.logarithmic and value <= 0:
            return None
        place = math.log10(value) if self.logarithmic else value
        return _FLOOR - (_FLOOR - _TOP) * (place - self.low) / (self.high - self.low)


def over_time(axes: Axes, *, lines: Sequence[Line], limits: Sequence[Limit] = ()) -> str:
    """The lines over the seconds of a run; "" where no line has a value."""
    if not any(value is not None for line in lines for value in line.values):
        return ""
    scale = _Scale(axes, lines, limits)
    plot = svg.drawing(WIDTH, HEIGHT, "plot", _words(axes, lines, limits))
    _frame(plot, axes, scale)
    _happened(plot, axes)
    for limit in limits:
        if (height := scale.y(limit.at)) is not None:
            svg.add(plot, "line", "limit", x1=_LEFT, y1=height, x2=_RIGHT, y2=height)
    ends = []
    for line in lines:
        last = _trace(plot, line, axes, scale)
        if last is not None:
            ends.append((last, line))
    for number, limit in enumerate(limits):
        if (height := scale.y(limit.at)) is not None:
            # Neighbours at different places: they may lie close together.
            inside = _LEFT + 4 if number % 2 == 0 else (_LEFT + _RIGHT) / 2
            y = height + 11 if limit.below and height + 11 < _FLOOR else height - 3
            svg.add(plot, "text", "of-limit", limit.name, x=inside, y=y)
    for height, line in _spread(ends):
        svg.add(
            plot,
            "text",
            f"name {line.kind}",
            line.name if line.label is None else line.label,
            x=_RIGHT + 4,
            y=height + 3.5,
        )
    return svg.source(plot)


def _frame(plot: Element, axes: Axes, scale: _Scale) -> None:
    for tick in scale.ticks:
        height = scale.y(tick)
        assert height is not None  # noqa: S101  # ticks of a logarithmic scale are above 0
        svg.add(plot, "line", "grid", x1=_LEFT, y1=height, x2=_RIGHT, y2=height)
        svg.add(plot, "text", "tick end", formats.number(tick), x=_LEFT - 4, y=height + 3.5)
    for second, text in _times(axes):
        x = _x(axes, second)
        svg.add(plot, "line", "axis", x1=x, y1=_FLOOR, x2=x, y2=_FLOOR + 4)
        svg.add(plot, "text", "tick", text, x=x, y=_FLOOR + 15)
    svg.add(plot, "line", "axis", x1=_LEFT, y1=_FLOOR, x2=_RIGHT, y2=_FLOOR)
    begin = 0.0
    for number, (end, _) in enumerate(axes.stages, 1):
        left, right = _x(axes, begin), _x(axes, end)
        if end < axes.end:
            svg.add(plot, "line", "stage", x1=right, y1=_TOP - 12, x2=right, y2=_FLOOR)
        if right - left >= _LEAST_STAGE:
            svg.add(plot, "text", "of-stage", str(number), x=(left + right) / 2, y=_TOP - 8)
        begin = end


def _times(axes: Axes) -> Iterator[tuple[float, str]]:
    """Seconds at which the axis has a tick, and what is written there."""
    step = next((step for step in _TIMES if axes.end / step <= _MOST_TICKS), axes.end)
    if axes.begin is None:
        for number in range(int(axes.end / step) + 1):
            yield number * step, clock(number * step)
        return
    shown = "%H:%M:%S" if step < _MINUTE else "%H:%M"
    for number in range(math.ceil(axes.begin / step), int((axes.begin + axes.end) / step) + 1):
        yield number * step - axes.begin, time.strftime(shown, time.gmtime(number * step))


def _happened(plot: Element, axes: Axes) -> None:
    """What went on beside it, and what happened when."""
    for start, end in axes.beside:
        left, right = _x(axes, start), _x(axes, end)
        width = max(1.0, right - left)
        svg.add(plot, "rect", "beside", x=left, y=_TOP, width=width, height=_FLOOR - _TOP)
    named: list[float] = []
    for second, name in axes.marks:
        x = _x(axes, second)
        svg.add(plot, "line", "stage", x1=x, y1=_TOP - 6, x2=x, y2=_FLOOR)
        # Of marks that lie side by side the first is named.
        if all(abs(x - other) >= _LEAST_STAGE for other in named):
            svg.add(plot, "text", "of-stage", name, x=x, y=_TOP - 8)
            named.append(x)


def _trace(plot: Element, line: Line, axes: Axes, scale: _Scale) -> float | None:
    """Draw a line, broken where values are missing; returns the height of its last point."""
    last, piece = None, list[tuple[float, float]]()
    for second, value in [*zip(axes.seconds, line.values, strict=True), (0.0, None)]:
        height = None if value is None else scale.y(value)
        if height is not None:
            piece.append((_x(axes, second), height))
            last = height
            continue
        if len(piece) == 1:
            svg.add(plot, "circle", line.kind, cx=piece[0][0], cy=piece[0][1], r=2.2)
        elif piece:
            points = " ".join(f"{svg.pixels(x)},{svg.pixels(y)}" for x, y in piece)
            svg.add(plot, "polyline", line.kind, points=points)
        piece = []
    return last


def _spread(ends: list[tuple[float, Line]]) -> list[tuple[float, Line]]:
    """Heights at which the names do not lie over each other, in the order of the lines' ends."""
    placed: list[tuple[float, Line]] = []
    for height, line in sorted(ends, key=lambda end: -end[0]):
        above = placed[-1][0] - _APART if placed else _FLOOR
        placed.append((min(height, above), line))
    return placed


def _words(axes: Axes, lines: Sequence[Line], limits: Sequence[Limit]) -> str:
    unit = f" {axes.unit}" if axes.unit else ""
    says = [f"{axes.says} over {clock(axes.end)}"]
    for line in lines:
        seen = [value for value in line.values if value is not None]
        if seen:
            between = f"{formats.number(min(seen))} to {formats.number(max(seen))}{unit}"
            says.append(f"{line.name} {between}".lstrip())
    says += [f"limit {limit.name}" for limit in limits]
    if axes.stages:
        ends = ", ".join(clock(end) for end, _ in axes.stages)
        says.append(f"{len(axes.stages)} stages, which end at {ends}")
    return "; ".join(says)


def clock(seconds: float) -> str:
    """Seconds since the beginning as ``0:05``, ``16:00`` or ``1:00:00``."""
    whole = round(seconds)
    hours, minutes = divmod(whole // _MINUTE, _HOUR // _MINUTE)
    if hours:
        return f"{hours}:{minutes:02}:{whole % _MINUTE:02}"
    return f"{minutes}:{whole % _MINUTE:02}"


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))


def _x(axes: Axes, second: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * second / axes.end
