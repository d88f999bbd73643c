"""Floor 2. What sentences say about a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.judging import wording
from rampgate.judging.threshold import Aggregation, Threshold

if TYPE_CHECKING:
    from rampgate.model.measurement import Measurement

_IS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "equal to", "!=": "other than"}
_IS_NOT = {"<": "not below", "<=": "above", ">": "not above", ">=": "below", "==": "not", "!=": "equal to"}
_NOUNS = {
    Aggregation.RATE: "requests",
    Aggregation.QUANTILE: "requests",
    Aggregation.SHARE: "users",
    Aggregation.COUNT: "observations",
    Aggregation.MEDIAN: "scores",
    Aggregation.VALUE: "values",
}


def words(threshold: Threshold) -> str:
    """The metric in words: ``error rate``."""
    return threshold.metric.replace("_", " ")


def noun(threshold: Threshold) -> str:
    """What is counted: ``requests``."""
    return _NOUNS[threshold.aggregation]


def limit(threshold: Threshold) -> str:
    """The limit with its unit: ``2 %``, ``500 ms``, ``85``."""
    if threshold.aggregation in {Aggregation.RATE, Aggregation.SHARE}:
        return wording.percent(threshold.limit)
    return f"{wording.number(threshold.limit)} {threshold.unit}".rstrip()


def wanted(threshold: Threshold) -> str:
    """The good side: ``2 % allowed``, ``at least 85 wanted``."""
    if threshold.aggregation is Aggregation.RATE:
        return f"{limit(threshold)} allowed"
    return f"{_IS[threshold.good()[0]]} {limit(threshold)} wanted"


def ruling(threshold: Threshold, *, passed: bool) -> str:
    """On which side it lies: ``is below 2 %``; of a condition that must not hold, whether it holds."""
    if threshold.bad:
        return f'{"does not trigger" if passed else "triggers"} "{threshold.source}"'
    return f"is {(_IS if passed else _IS_NOT)[threshold.operator]} {limit(threshold)}"


def verdict(threshold: Threshold, *, passed: bool) -> str:
    """The same after a colon, where the numbers stand before it: ``above the limit``."""
    if threshold.bad:
        return ruling(threshold, passed=passed)
    return "within the limit" if passed else "above the limit"


def forecast(threshold: Threshold, seen: Measurement, more: int | None) -> str:
    """How much more it takes: ``needs about 900 more requests, 5 s at this rate``."""
    if more is None:
        return "the observed rate sits at the limit, where no number decides"
    says = f"needs about {wording.about(more)} more {noun(threshold)}"
    if seen.n and seen.end > seen.start:
        says += f", {wording.duration(more * (seen.end - seen.start) / seen.n)} at this rate"
    return says
