"""How each kind of threshold is judged, once the measurement is known to be sound."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, NamedTuple

from rampgate.judging import sentences
from rampgate.judging.threshold import Aggregation, Threshold
from rampgate.model import always_valid, formats, statistics
from rampgate.model.metrics import METRICS
from rampgate.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.model.measurement import Measurement

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
"""Operator of a threshold -> the comparison of a value with its limit."""


class Ruling(NamedTuple):
    """Outcome, sentence and numbers, as in a judgement."""

    outcome: Outcome
    says: str
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    needed: int | None = 0


class Case(NamedTuple):
    """A threshold and a measurement that fits it, and the alphas of one look."""

    threshold: Threshold
    seen: Measurement
    alpha_fail: float
    alpha_pass: float
    looks: int


def count_of(seen: Measurement) -> float | None:
    """The number of wrong observations; None when it was not counted."""
    return seen.value if seen.failures is None else seen.failures


def nothing_measured(case: Case) -> Ruling:
    """No data is never a pass."""
    threshold, note = case.threshold, case.seen.note
    fewest = threshold.min_n or 1
    if threshold.aggregation in {Aggregation.RATE, Aggregation.QUANTILE}:
        best = statistics.needed(0, 0, threshold.allowed, case.alpha_pass, case.alpha_fail)
        fewest = max(fewest, best or 1)
    says = f"nothing was measured: no {sentences.noun(threshold)}, at least {fewest:,} needed for {threshold}"
    return Ruling(Outcome.UNDECIDED, f"{says} ({note})" if note else says, needed=fewest)


def _rate(case: Case) -> Ruling:
    threshold, seen = case.threshold, case.seen
    k = seen.failures or 0
    outcome, more = _exact(case, k)
    low = None if seen.blocks else statistics.lower(k, seen.n, case.alpha_fail)
    high = statistics.upper(k, seen.n, case.alpha_pass)
    says, limit = sentences.failed(threshold, seen), sentences.limit(threshold)
    if outcome is Outcome.UNDECIDED:
        says = f"undecided: {says}, {limit} allowed: {sentences.forecast(threshold, seen, more)}"
    elif outcome is Outcome.PASSED or k < seen.n:
        bounded = ""
        if outcome is Outcome.PASSED:
            bounded = f", at most {formats.percent(high)} at {formats.confidence(case.alpha_pass)}"
        elif low is not None:
            bounded = f", at least {formats.percent(low)} at {formats.confidence(case.alpha_fail)}"
        says = f"{says}: {formats.percent(k / seen.n)}{bounded}, {limit} allowed"
    return Ruling(outcome, says, k / seen.n, low, high, more)


def _quantile(case: Case) -> Ruling:
    threshold, seen = case.threshold, case.seen
    q, edge = threshold.quantile, threshold.edge
    if q is None or edge is None:
        raise ValueError(f"{threshold} is about a quantile and has none")
    k = seen.exceedances[edge]
    outcome, more = _exact(case, k)
    measured, low, high = _display(case, outcome, q)
    unknown = "lies beyond every answer" if seen.histogram else "is not known"
    value = unknown if measured is None else f"is {formats.number(measured)} ms"
    place = f"p{formats.number(100 * q)} of {seen.n:,} {sentences.noun(threshold)} {value}"
    says = sentences.slow(threshold, seen, k)
    # What failed stands before any time.
    says = f"{says}; {place}" if k and sentences.unanswered(seen) else f"{place}; {says}"
    if outcome is Outcome.UNDECIDED:
        says = f"undecided: {says}: {sentences.forecast(threshold, seen, more)}"
    return Ruling(outcome, says, measured, low, high, more)


def _exact(case: Case, k: int) -> tuple[Outcome, int | None]:
    """Three-way at the allowed fraction, and how many more observations decide.

    Where requests may fail together, each block of time counts as one observation of what failed.
    """
    allowed, n = case.threshold.allowed, case.seen.n
    if blocks := case.seen.blocks:
        counts = [(block.beyond(case.threshold.edge), block.n) for block in blocks]
        if always_valid.broken(allowed, case.alpha_fail * case.looks, counts):  # no look costs it anything
            return Outcome.FAILED, 0
        if k / n >= allowed:
            return Outcome.UNDECIDED, None
    outcome = statistics.three_way(k, n, allowed, case.alpha_pass, case.alpha_fail)
    more, missing = (
        statistics.needed(k, n, allowed, case.alpha_pass, case.alpha_fail),
        case.threshold.min_n - n,
    )
    if missing > 0 and outcome is not Outcome.FAILED:
        return Outcome.UNDECIDED, more and max(more, missing) if outcome is Outcome.UNDECIDED else missing
    return outcome, more


def _display(case: Case, outcome: Outcome, q: float) -> tuple[float | None, float | None, float | None]:
    """Point and bounds of the quantile in ms, from the histogram, never contradicting the counts."""
    histogram, n, limit = case.seen.histogram, case.seen.n, case.threshold.limit
    answered = sum(histogram.counts.values()) if histogram else 0
    if histogram is None or not 0 < answered <= n:
        return None, None, None
    exact = case.seen.details.get(f"p{100 * q:g}_ms")
    measured = exact if isinstance(exact, int | float) else None
    measured = measured or statistics.quantile_point(histogram, q, missing=n - answered)
    low = None
    if not case.seen.blocks:
        low, _ = statistics.quantile_bounds(histogram, q, case.alpha_fail, missing=n - answered)
    _, high = statistics.quantile_bounds(histogram, q, case.alpha_pass, missing=n - answered)
    if outcome is Outcome.PASSED:
        return measured and min(measured, limit), low, high and min(high, limit)
    if outcome is Outcome.FAILED:
        return measured and max(measured, limit), low and max(low, limit), high
    return measured, low, high


def _share(case: Case) -> Ruling:
    threshold, seen = case.threshold, case.seen
    k = seen.failures or 0
    low, high = statistics.share_interval(k, seen.n, case.alpha_fail)
    between = f"{formats.percent(low)} to {formats.percent(high)} at {formats.confidence(case.alpha_fail)}"
    point = f"on for {formats.percent(k / seen.n)} of {seen.n:,} users ({between})"
    limit = formats.percent(threshold.limit)
    if statistics.two_sided(k, seen.n, threshold.limit) <= case.alpha_fail:
        return Ruling(Outcome.FAILED, f"{point}, which is not {limit}", k / seen.n, low, high)
    least = max(threshold.min_n, statistics.fewest_of_share(threshold.limit, case.alpha_fail))
    if seen.n < least:
        more = least - seen.n
        says = f"undecided: {point}, {limit} expected: needs {more:,} more users (a longer [flags] duration)"
        return Ruling(Outcome.UNDECIDED, says, k / seen.n, low, high, more)
    error = formats.number(100 * statistics.share_error(seen.n, threshold.limit, case.alpha_fail))
    says = f"{point}, which agrees with {limit}; so many show an error of {error} points"
    return Ruling(Outcome.PASSED, says, k / seen.n, low, high)


def _median(case: Case) -> Ruling:
    threshold, scores = case.threshold, case.seen.values
    listed = ", ".join(formats.number(score) for score in scores)
    more = max(statistics.FEWEST_SCORES, threshold.min_n) - len(scores)
    if more > 0:
        says = f"undecided: {len(scores)} scores ({listed}): needs {more} more"
        return Ruling(Outcome.UNDECIDED, says, needed=more)
    alpha = statistics.MODEL_ALPHA / case.looks
    metric = METRICS.get(threshold.metric)
    floor = metric.sd_floor if metric else statistics.SD_FLOOR
    middle, low, high = statistics.median_bounds(scores, alpha, floor)
    good, limit = threshold.good()
    point = f"median {formats.number(middle)} of {len(scores)} scores ({listed}; "
    point += f"{formats.number(low)} to {formats.number(high)} by the model)"
    passed = COMPARE[good](low, limit)
    if passed or not COMPARE[good](high, limit):
        outcome = Outcome.PASSED if passed else Outcome.FAILED
        return Ruling(outcome, f"{point} {sentences.compared(threshold, passed=passed)}", middle, low, high)
    says = f"undecided: {point}, {sentences.wanted(threshold)}: needs more runs"
    return Ruling(Outcome.UNDECIDED, says, middle, low, high, None)


def _counted(case: Case) -> Ruling:
    count = count_of(case.seen) or 0
    return _compared(
        case, count, f"{sentences.subject(case.threshold)} {formats.number(count)} of {case.seen.n:,}"
    )


def _valued(case: Case) -> Ruling:
    if case.seen.blocks:
        return _well(case)
    value = case.seen.value or 0.0
    unit = f" {case.threshold.unit}" if case.threshold.unit else ""
    of = f" of {case.seen.n:,}" if case.seen.n > 1 else ""
    point = f"{sentences.subject(case.threshold)} {formats.number(value)}{unit}{of}"
    return _compared(case, value, point)


def _well(case: Case) -> Ruling:
    """A value that is a share of what went well, counted: judged by what did not, as a rate is."""
    threshold, seen = case.threshold, case.seen
    k, n = seen.failures or 0, seen.n
    outcome, more = _exact(case, k)
    value, low = 100 * (1 - k / n), 100 * (1 - statistics.upper(k, n, case.alpha_pass))
    says = f"{sentences.subject(threshold)} {formats.percent(1 - k / n)} of {n:,}"
    if outcome is Outcome.UNDECIDED:
        needs = sentences.forecast(threshold, seen, more)
        says = f"undecided: {says}, {sentences.wanted(threshold)}: {needs}"
    else:
        says += f" {sentences.compared(threshold, passed=outcome is Outcome.PASSED)}"
    return Ruling(outcome, says, value, low, None, more)


def _compared(case: Case, value: float, point: str) -> Ruling:
    """An exact comparison; with fewer observations than the threshold asks for only what is wrong counts."""
    threshold, n = case.threshold, case.seen.n
    good, limit = threshold.good()
    passed = COMPARE[good](value, limit)
    if n < threshold.min_n and (passed or threshold.aggregation is Aggregation.VALUE):
        more = threshold.min_n - n
        says = f"undecided: {point}: {n:,} {sentences.noun(threshold)}, needs {more:,} more"
        says += f" ({case.seen.note})" if case.seen.note else ""
        return Ruling(Outcome.UNDECIDED, says, value, needed=more)
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    says = sentences.stated(threshold, case.seen, value, passed=passed)
    return Ruling(outcome, says or f"{point} {sentences.compared(threshold, passed=passed)}", value)


RULES: dict[Aggregation, Callable[[Case], Ruling]] = {
    Aggregation.RATE: _rate,
    Aggregation.QUANTILE: _quantile,
    Aggregation.SHARE: _share,
    Aggregation.MEDIAN: _median,
    Aggregation.COUNT: _counted,
    Aggregation.VALUE: _valued,
}
"""One rule per aggregation."""
