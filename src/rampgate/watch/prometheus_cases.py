"""The table that proves exported rules: readings just under, at, over a limit, for how long, and gaps. Pure.

A row is a metric's readings from one interval to the next. The same row is what a watch reads, the samples
that ``promtool test rules`` hands to Prometheus, and what it must say of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from rampgate.judging.rules import COMPARE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rampgate.watch.prometheus_rules import AlertingRule

UNDER, AT, OVER, CLEAN = -1, 0, 1, 2
_WORDS = {UNDER: "just under its limit", AT: "at its limit", OVER: "just over its limit"}
_NEAR = 0.001
"""Of a value, so much of the limit is *just*."""
_LEAST_COUNT = 4
"""Requests of one interval, as a power of ten."""
_TAIL = 2


class Expected(NamedTuple):
    """Whether the alert fires at a step."""

    step: int
    fires: bool


@dataclass(frozen=True)
class Case:
    """One row.

    Args:
        rule: the rule.
        name: of the row.
        steps: the level of the reading at each interval from the first on; None: there is none.
        expected: of Prometheus.
        gaps: whether a reading is missing.
    """

    rule: AlertingRule
    name: str
    steps: tuple[int | None, ...]
    expected: tuple[Expected, ...]
    gaps: bool = False


class Sizes(NamedTuple):
    """What stands for the levels of a rule on counts: of so many requests so many are bad."""

    total: int
    bad: int


def sizes(rule: AlertingRule) -> Sizes:
    """Requests of one interval, and how many of them are exactly at the limit."""
    limit = Decimal(rule.limit)
    if rule.of_good:
        limit = 1 - limit / 100
    exponent = limit.normalize().as_tuple().exponent
    digits = max(_LEAST_COUNT, -exponent if isinstance(exponent, int) else 0)
    return Sizes(10**digits, int(limit * 10**digits))


def value_at(rule: AlertingRule, level: int) -> float:
    """A value at a level, in the unit of the source."""
    limit = float(rule.limit)
    near = abs(limit) * _NEAR or 1.0
    if level != CLEAN:
        return limit + level * near
    return next(v for v in (limit + near, limit - near, limit) if not COMPARE[rule.operator](v, limit))


def failed_at(rule: AlertingRule, level: int) -> int:
    """How many requests of one interval are bad at a level."""
    return 0 if level == CLEAN else sizes(rule).bad + (-level if rule.of_good else level)


def count_at(rule: AlertingRule, level: int) -> int:
    """What a counter counts within one window at a level."""
    return 0 if level == CLEAN else max(0, math.floor(float(rule.limit)) + level)


def is_bad(rule: AlertingRule, level: int) -> bool:
    """Whether readings of a level break the limit."""
    if rule.entry.count is not None:
        return COMPARE[rule.operator](count_at(rule, level), float(rule.limit))
    return COMPARE[rule.operator](value_at(rule, level), float(rule.limit))


def cases(rule: AlertingRule, interval: float) -> Iterator[Case]:
    """The rows of a rule.

    Args:
        rule: the rule.
        interval: seconds between two readings.
    """
    lasting = math.ceil(rule.timing.duration / interval)
    for level, words in _WORDS.items():
        for readings, how in _lengths(rule, lasting, interval):
            yield _steady(rule, f"{words}, {how}", level, readings, interval)
    if rule.entry.value is None or not any(is_bad(rule, level) for level in _WORDS):
        return
    bad = next(level for level in (OVER, UNDER, AT) if is_bad(rule, level))
    yield _gap(rule, bad, lasting)
    yield _ends(rule, bad, lasting, interval)


def _lengths(rule: AlertingRule, lasting: int, interval: float) -> Iterator[tuple[int, str]]:
    """For how many readings a level lasts. A count stays in its window; of no duration none is shorter."""
    if rule.entry.count is not None:
        window = round(rule.window / interval)
        if window - 1 < lasting:
            yield window, "shorter than its duration"
        yield window * (1 + math.ceil((lasting + 1) / window)), "longer than its duration"
    elif lasting:
        yield lasting, "shorter than its duration"
        yield lasting + 2, "longer than its duration"
    else:
        yield 1, "one reading (it has no duration)"
        yield 10, "ten readings (it has no duration)"


def _steady(rule: AlertingRule, name: str, level: int, readings: int, interval: float) -> Case:
    """So many readings of a level, then clean ones until the episode must be over."""
    lasting, recovery = (math.ceil(each / interval) for each in (rule.timing.duration, rule.timing.recovery))
    tail = recovery + _TAIL
    steps = (*[level] * readings, *[CLEAN] * tail)
    if not is_bad(rule, level) or readings - 1 < lasting:
        expected = tuple(Expected(step, fires=False) for step in (1, readings, readings + 1, len(steps)))
    else:
        first, clean = 1 + lasting, readings + 1
        moments = {
            first - 1: False,
            first: True,
            readings: True,
            clean + recovery - 1: True,
            clean + recovery: False,
        }
        expected = tuple(Expected(step, fires) for step, fires in moments.items() if step)
    return Case(rule, name, steps, expected)


def _gap(rule: AlertingRule, bad: int, lasting: int) -> Case:
    """A sample is missing: Prometheus begins its ``for`` anew, and keeps what fires for a while."""
    before, after = max(lasting, 1), lasting + 2
    steps = (*[bad] * before, None, *[bad] * after)
    again = before + 2
    if lasting:
        moments = {before: False, again + lasting - 1: False, again + lasting: True}
    else:
        moments = {1: True, 2: rule.timing.recovery > 0, again: True}
    name = "over its duration with a gap in it: Prometheus begins anew" if lasting else "a gap while it fires"
    return Case(rule, name, steps, tuple(Expected(*each) for each in moments.items()), gaps=True)


def _ends(rule: AlertingRule, bad: int, lasting: int, interval: float) -> Case:
    """The samples end while it fires: Prometheus lets it go, and the companion fires."""
    recovery = math.ceil(rule.timing.recovery / interval)
    steps: Sequence[int | None] = (*[bad] * (lasting + 1), *[None] * (recovery + _TAIL))
    gone = lasting + 2
    moments = {lasting + 1: True, gone + recovery: False}
    expected = tuple(Expected(*each) for each in moments.items())
    return Case(
        rule, "the samples end while it fires: Prometheus lets it go", tuple(steps), expected, gaps=True
    )
