"""The watch section of a report: what was read of each metric over time, with limits and what happened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.model import formats
from rampgate.model.metrics import Kind
from rampgate.model.text import clean
from rampgate.outcome import worst
from rampgate.report import plots, readings, sentences
from rampgate.report.series import drawn, unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rampgate.judging.results import CheckResult, Record, Verdict
    from rampgate.report.readings import Readings
    from rampgate.report.series import Mark, Series

PREFIX = "watch/"
MOST_PLOTS = 40
_MOST_LINES = 8
_ORDER = ("failed", "error", "undecided", "passed", "skipped", sentences.NEVER_RAN, "shown")


class Card(NamedTuple):
    """One metric.

    Args:
        title: its name, and what of it is drawn.
        outcome: the worst of its rules, and of a failure its weight.
        svg: the drawing, "" where nothing was read.
        caption: the last value, the worst one.
        lines: what happened, each with its number in the drawing, and when nothing could be read.
    """

    title: str
    outcome: tuple[str, ...]
    svg: str
    caption: str
    lines: list[str]


def section(verdict: Verdict, records: Sequence[Record]) -> dict[str, Any] | None:
    """What the journal has of a watch; None of a run without one."""
    found = readings.read(records)
    if found is None:
        return None
    results = {result.check.removeprefix(PREFIX): result for result in verdict.checks}
    cards = [_card(found, each, results) for each in found.series.values()]
    cards.sort(key=lambda card: (_ORDER.index(card.outcome[0]), card.outcome))
    return {
        "cards": cards[:MOST_PLOTS],
        "left": max(0, len(cards) - MOST_PLOTS),
        "time": _time(found),
        "beside": [
            f"{'load of this run' if who == f'run {verdict.run}' else who}: {_between(found, start, end)}"
            for start, end, who in found.beside[:_MOST_LINES]
        ],
        "changes": _numbered(found, found.changes, _letter),
    }


def _time(found: Readings) -> str:
    begin, end = formats.moment(found.begin), formats.moment(found.begin + found.seconds)
    lasted = formats.duration(found.seconds)
    return f"{begin} to {end}: {lasted}, {found.rounds:,} rounds. Times in the drawings are UTC."


def _card(found: Readings, series: Series, results: dict[str, CheckResult]) -> Card:
    mine = [results[name] for name in series.rules if name in results]
    name = sentences.words(series.metric.name)
    title = f"{name}, p{formats.number(100 * series.quantile)}" if series.quantile else name
    gaps = [f"not read {_between(found, start, end)}: {why}" for start, end, why in unread(series)]
    left = len(gaps) - _MOST_LINES
    return Card(
        clean(title, 120),
        _outcome(mine),
        _drawing(found, series, title),
        _caption(series),
        [
            *_numbered(found, series.marks, str),
            *(clean(line, 200) for line in gaps[:_MOST_LINES]),
            *([f"and {left} more times"] if left > 0 else []),
        ],
    )


def _outcome(results: Sequence[CheckResult]) -> tuple[str, ...]:
    """The worst outcome of the rules, with its weight; ``shown`` of a metric without any."""
    if not results:
        return ("shown",)
    outcome = worst(result.outcome for result in results if result.outcome)
    words = [sentences.weighted(result) for result in results if result.outcome is outcome]
    return tuple(min(words)) if words else (sentences.NEVER_RAN,)


def _drawing(found: Readings, series: Series, title: str) -> str:
    points = drawn(series, found.seconds)
    axes = plots.Axes(
        clean(title, 120),
        [point.at for point in points],
        unit=clean(series.unit, 20),
        logarithmic=series.metric.kind is Kind.LATENCY,
        most=series.most,
        begin=found.begin,
        last=found.seconds,
        beside=[(start, end) for start, end, _ in found.beside],
        marks=[
            *((mark.at, _letter(number)) for number, mark in _first(found.changes)),
            *((mark.at, str(number)) for number, mark in _first(series.marks)),
        ],
    )
    last = next((formats.number(p.value) for p in reversed(series.points) if p.value is not None), "")
    line = plots.Line("", [point.value for point in points], "a", last)
    limits = [limit._replace(name=clean(limit.name, 60)) for limit in series.limits()]
    return plots.over_time(axes, lines=[line], limits=limits)


def _caption(series: Series) -> str:
    known = [point for point in series.points if point.value is not None]
    if not known:
        return ""
    values = [point.value for point in known if point.value is not None]
    last = f"last {_amount(series, values[-1])}"
    if known[-1].n and series.metric.kind is not Kind.COUNT:
        last += f" of {known[-1].n:,}"
    worst = f"{'lowest' if series.falls else 'highest'} {_amount(series, series.worst(values))}"
    how = ""
    if series.quantile:
        how = ". Logarithmic; estimated between the edges of a bucket"
    elif series.counted and series.metric.kind is Kind.VALUE:
        how = ": the share that did not fail"
    return f"{last}; {worst}{how}"


def _amount(series: Series, value: float) -> str:
    return f"{formats.number(value)} {series.unit}".rstrip()


def _first(marks: Iterable[Mark]) -> list[tuple[int, Mark]]:
    return list(enumerate(marks, 1))[:_MOST_LINES]


def _numbered(found: Readings, marks: Sequence[Mark], name: Any) -> list[str]:
    lines = [
        f"{name(number)}  {_clock(found.begin + mark.at)} {clean(mark.text, 200)}"
        for number, mark in _first(marks)
    ]
    left = len(marks) - _MOST_LINES
    return [*lines, f"and {left} more, in the journal"] if left > 0 else lines


def _letter(number: int) -> str:
    return chr(ord("A") + number - 1)


def _between(found: Readings, start: float, end: float) -> str:
    return f"{_clock(found.begin + start)} to {_clock(found.begin + end)}"


def _clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(seconds))
