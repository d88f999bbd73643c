"""The parts of a threshold's text: its subject, and its limit in the canonical unit.

The grammar stands at the top of ``threshold``.
"""

from __future__ import annotations

import difflib
import re
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from rampgate.model.metrics import ALIASES, Kind, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT = re.compile(
    r"(?P<subject>[A-Za-z_][\w.]*(?:\(\s*[\d.]+\s*\))?)\s*"
    r"(?P<operator><=|>=|==|!=|<|>)\s*"
    r"(?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(?P<unit>ms|s|%)?"
    r"(?:\s+for\s+(?P<duration>\S+))?"
)
EXAMPLE = "such as 'error_rate > 5%', 'api_response_time_p95 < 500ms' or, with the metric apart, 'p(95)<1000'"
_SUFFIX = re.compile(r"(?P<metric>.+)_p(?P<percentile>\d+(?:\.\d+)?)")
_PERCENTILE = re.compile(r"p\(\s*(?P<percentile>\d+(?:\.\d+)?)\s*\)")
_FRACTION = {"": Decimal(1), "%": Decimal("0.01")}
_SCALES = {
    "": {"": Decimal(1)},
    "ms": {"": Decimal(1), "ms": Decimal(1), "s": Decimal(1000)},
    "s": {"": Decimal(1), "s": Decimal(1), "ms": Decimal("0.001")},
    "%": {"": Decimal(1), "%": Decimal(1)},
}


class Aggregation(StrEnum):
    """What is made of the observations before they are compared."""

    RATE = "rate"
    QUANTILE = "quantile"
    VALUE = "value"
    MEDIAN = "median"
    COUNT = "count"
    SHARE = "share"


OF_KIND = {
    Kind.RATE: Aggregation.RATE,
    Kind.LATENCY: Aggregation.QUANTILE,
    Kind.VALUE: Aggregation.VALUE,
    Kind.SCORE: Aggregation.MEDIAN,
    Kind.COUNT: Aggregation.COUNT,
    Kind.SHARE: Aggregation.SHARE,
}
"""How each kind of metric is judged."""


class Subject(NamedTuple):
    """What stands left of the operator."""

    metric: Metric
    aggregation: Aggregation
    quantile: float | None = None


def subject(text: str, metric: str | None, metrics: Mapping[str, Metric]) -> Subject:
    """What the text is about.

    Args:
        text: a metric, with or without a percentile, or an aggregation of a metric that is given apart.
        metric: the metric given apart; a text that names it again is fine.
        metrics: the metrics by name.

    Raises:
        ValueError: what was found and what is accepted.
    """
    percentile = _PERCENTILE.fullmatch(text)
    bare = percentile is not None or text in set(Aggregation) - {Aggregation.QUANTILE}
    if metric is None:
        if bare:
            raise ValueError(f"{text} of which metric? Accepted is a metric, {EXAMPLE}")
        return _named(text, metrics)
    apart = _metric(metric, metrics)
    if percentile:
        return Subject(apart, Aggregation.QUANTILE, _quantile(percentile["percentile"]))
    if bare:
        return Subject(apart, Aggregation(text))
    try:
        named = _named(text, metrics)
    except ValueError:
        named = None
    if named is None or named.metric.name != apart.name:
        accepted = "p(95)" if apart.kind is Kind.LATENCY else OF_KIND[apart.kind].value
        raise ValueError(f"{text} is no aggregation of {apart.name}; accepted is {accepted}")
    return named


def limit(number: str, unit: str, metric: Metric) -> float:
    """The limit in the metric's canonical unit; decimal arithmetic, so that 5% is exactly 0.05.

    Raises:
        ValueError: a unit that the metric does not have, or a fraction outside 0 to 1.
    """
    fraction = metric.kind in {Kind.RATE, Kind.SHARE}
    scales = _FRACTION if fraction else _SCALES.get(metric.unit, _SCALES[""])
    if unit not in scales:
        accepted = " or ".join(scale or "no unit" for scale in scales)
        raise ValueError(f"{metric.name} is not measured in {unit}; accepted is {accepted}")
    value = Decimal(number) * scales[unit]
    if fraction and not 0 <= value <= 1:
        percentage = Decimal(number)
        if unit or not 0 <= percentage <= 100:  # noqa: PLR2004 - per cent
            raise ValueError(f"{metric.name} lies between 0% and 100%, or 0 and 1")
        raise ValueError(
            f"a bare number on a {metric.kind} is a fraction of 0 to 1; "
            f"write {plain(percentage)}% or {plain(percentage / 100)}"
        )
    return float(value)


def plain(number: Decimal) -> str:
    """Without exponent and trailing zeros."""
    return f"{number.normalize():f}"


def unknown(name: str, metrics: Mapping[str, Metric]) -> str:
    """The sentence about an unknown metric, with the nearest that are known."""
    known = [*metrics, *ALIASES]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    accepted = ", ".join(near) if near else "those of docs/metrics.md, and what [[metrics]] declares"
    return f"{name} is no known metric; accepted are {accepted}"


def _named(text: str, metrics: Mapping[str, Metric]) -> Subject:
    """The metric that stands in the text, with or without a percentile; a whole name goes first."""
    if ALIASES.get(text, text) in metrics:
        found = _metric(text, metrics)
        if found.kind is Kind.LATENCY and found.percentile:
            return Subject(found, Aggregation.QUANTILE, found.percentile)
        if found.kind is Kind.LATENCY:
            raise ValueError(f"a latency needs a percentile; accepted is {text}_p95")
        return Subject(found, OF_KIND[found.kind])
    if match := _SUFFIX.fullmatch(text):
        return Subject(
            _metric(match["metric"], metrics), Aggregation.QUANTILE, _quantile(match["percentile"])
        )
    raise ValueError(unknown(text, metrics))


def _metric(name: str, metrics: Mapping[str, Metric]) -> Metric:
    canonical = ALIASES.get(name, name)
    if canonical not in metrics:
        raise ValueError(unknown(name, metrics))
    return metrics[canonical]


def _quantile(percentile: str) -> float:
    return float(Decimal(percentile) / 100)
