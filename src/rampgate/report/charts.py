"""Small drawings as inline SVG: where a value lies against its limit, and how times are spread.

Colours are classes of the page's style sheet. Each drawing says in words what it shows.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

from rampgate.model import formats
from rampgate.model.measurement import GROWTH
from rampgate.model.metrics import Kind
from rampgate.report import sentences, svg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from xml.etree.ElementTree import Element

    from rampgate.judging.judge import Judgement
    from rampgate.model.measurement import Histogram

_BAR_WIDTH, _BAR_HEIGHT, _INSET = 150.0, 22.0, 5.0
_WIDTH, _HEIGHT, _FLOOR, _TOP = 360.0, 154.0, 122.0, 30.0
_MARGIN = 16.0
_BINS = 45
_TICKS = (1, 2, 5)


def position(judgement: Judgement) -> str:
    """A bar: the limit and what lies beyond it, the value and its bounds; "" where none makes sense."""
    kind, value = sentences.kind_of(judgement.metric), judgement.measured
    if kind not in {Kind.RATE, Kind.LATENCY, Kind.SHARE, Kind.SCORE} or value is None:
        return ""
    low = value if judgement.low is None else judgement.low
    high = value if judgement.high is None else judgement.high
    if not all(math.isfinite(number) for number in (low, high, value, judgement.limit)):
        return ""
    span = 100.0 if kind is Kind.SCORE else 1.15 * max(high, value, judgement.limit, 1e-9)

    def x(number: float) -> float:
        return _INSET + (_BAR_WIDTH - 2 * _INSET) * min(1.0, max(0.0, number / span))

    says = f"measured {sentences.measured(judgement)}, limit {sentences.limit(judgement)}"
    bar, limit = svg.drawing(_BAR_WIDTH, _BAR_HEIGHT, "position", says), x(judgement.limit)
    svg.add(bar, "rect", "track", x=0, y=8, width=_BAR_WIDTH, height=6)
    if kind in {Kind.RATE, Kind.LATENCY}:
        svg.add(bar, "rect", "beyond", x=limit, y=8, width=_BAR_WIDTH - limit, height=6)
    elif kind is Kind.SCORE:
        svg.add(bar, "rect", "beyond", x=0, y=8, width=limit, height=6)
    svg.add(bar, "rect", "bounds", x=x(low), y=6, width=max(2.0, x(high) - x(low)), height=10)
    svg.add(bar, "line", "limit", x1=limit, y1=1, x2=limit, y2=21)
    svg.add(bar, "circle", "point", cx=x(value), cy=11, r=4)
    return svg.source(bar)


def scale_of(histograms: Iterable[Histogram | None], limits: Mapping[str, float]) -> tuple[float, float]:
    """A logarithmic scale that all these times and limits lie on: the powers of ten at its ends."""
    counts = [index for each in histograms if each for index, count in each.counts.items() if count > 0]
    ends = [GROWTH ** min(counts), GROWTH ** (max(counts) + 1)] if counts else [1.0, 10.0]
    ends += [limit for limit in limits.values() if math.isfinite(limit) and limit > 0]
    return math.log10(min(ends)) - 0.05, math.log10(max(ends)) + 0.05


def spread(
    histogram: Histogram,
    limits: Mapping[str, float],
    unit: str,
    *,
    scale: tuple[float, float] | None = None,
    bins: Sequence[float] = (),
) -> str:
    """A latency histogram on a logarithmic scale, a dashed line at each limit; "" of no values.

    Args:
        histogram: the times of those that answered.
        limits: what each limit is called -> where it is.
        unit: of both.
        scale: of scale_of, where several are compared; None: its own.
        bins: where bars end; none: bars of one width.
    """
    counts = {index: count for index, count in histogram.counts.items() if count > 0}
    if not counts:
        return ""
    ends = " to ".join(formats.number(GROWTH**at) for at in (min(counts), max(counts) + 1))
    lines = {name: limit for name, limit in limits.items() if math.isfinite(limit) and limit > 0}
    low, high = scale or scale_of([histogram], lines)

    def x(value: float) -> float:
        return _MARGIN + (_WIDTH - 2 * _MARGIN) * (math.log10(value) - low) / (high - low)

    says = f"{sum(counts.values()):,} answers from {ends} {unit}"
    says += "".join(f"; limit {name} at {formats.number(limit)} {unit}" for name, limit in lines.items())
    curve = svg.drawing(_WIDTH, _HEIGHT, "spread", says)
    _bars(curve, counts, _edges((low, high), bins))
    _axis(curve, x, _ticks(low, high))
    for number, (name, limit) in enumerate(lines.items()):
        svg.add(curve, "line", "limit", x1=x(limit), y1=_TOP - 6, x2=x(limit), y2=_FLOOR)
        side = "end" if x(limit) > _WIDTH / 2 else "start"
        svg.add(curve, "text", f"label {side}", name, x=x(limit), y=10 + 11 * (number % 2))
    svg.add(curve, "text", "label end", f"{unit}, logarithmic", x=_WIDTH - _MARGIN, y=_HEIGHT - 4)
    return svg.source(curve)


def _axis(curve: Element, x: Callable[[float], float], ticks: Iterable[float]) -> None:
    svg.add(curve, "line", "axis", x1=_MARGIN, y1=_FLOOR, x2=_WIDTH - _MARGIN, y2=_FLOOR)
    for tick in ticks:
        svg.add(curve, "line", "axis", x1=x(tick), y1=_FLOOR, x2=x(tick), y2=_FLOOR + 4)
        svg.add(curve, "text", "tick", formats.number(tick), x=x(tick), y=_FLOOR + 15)


def _edges(scale: tuple[float, float], bins: Sequence[float]) -> list[float]:
    """Where bars end, as powers of ten: at the bins within the scale, and at its ends."""
    low, high = scale
    if not bins:
        return [low + (high - low) * number / _BINS for number in range(_BINS + 1)]
    inside = [math.log10(edge) for edge in bins if low < math.log10(edge) < high]
    return [low, *inside, high]


def _bars(curve: Element, counts: Mapping[int, int], edges: Sequence[float]) -> None:
    bars = [0] * (len(edges) - 1)
    for index, count in counts.items():
        at = bisect_right(edges, math.log10(GROWTH ** (index + 0.5))) - 1
        bars[min(len(bars) - 1, max(0, at))] += count
    tallest, width = max(bars), (_WIDTH - 2 * _MARGIN) / (edges[-1] - edges[0])
    for count, (start, end) in zip(bars, pairwise(edges), strict=True):
        if count:
            # One slow answer among thousands must still be seen.
            height = max(2.0, (_FLOOR - _TOP) * count / tallest)
            svg.add(
                curve,
                "rect",
                "count",
                x=_MARGIN + width * (start - edges[0]),
                y=_FLOOR - height,
                width=max(1.0, width * (end - start) - 1),
                height=height,
            )


def _ticks(low: float, high: float) -> Iterable[float]:
    powers = range(math.floor(low), math.ceil(high) + 1)
    found = [step * 10.0**power for power in powers for step in _TICKS]
    inside = [tick for tick in found if low < math.log10(tick) < high]
    return inside if len(inside) <= 9 else [tick for tick in inside if math.log10(tick).is_integer()]  # noqa: PLR2004 - what fits side by side
