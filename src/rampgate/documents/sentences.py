"""Thresholds in the words of people who do not write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rampgate.model import formats
from rampgate.report.sentences import words

if TYPE_CHECKING:
    from rampgate.judging.threshold import Threshold

_OPERATORS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "is", "!=": "is not"}
_NUMBER = re.compile(r"([\d.]+)(ms|s|%|)")
_KNOWN = {
    "api response time": "API response time",
    "lighthouse": "Lighthouse",
    "mongodb": "MongoDB",
    "redis": "Redis",
    "web vitals lcp": "largest contentful paint",
    "web vitals cls": "layout shift",
    "web vitals inp": "interaction to next paint",
    "web vitals fcp": "first contentful paint",
    "web vitals ttfb": "time to first byte",
}
_UP = "up"


def capital(metric: str) -> str:
    """A metric's name at the beginning of a line: ``Error rate``."""
    name = words(metric)
    for plain, proper in _KNOWN.items():
        name = name.replace(plain, proper)
    return name[:1].upper() + name[1:]


def wanted(threshold: Threshold) -> str:
    """What a threshold asks for: ``below 400 ms``."""
    return _limit(threshold, threshold.good()[0])


def broken(threshold: Threshold) -> str:
    """When a threshold is broken: ``API response time p95 above 1,000 ms for 3 min``."""
    if threshold.metric.endswith(_UP) and threshold.broken() == ("==", 0):
        return f"{capital(threshold.metric.removesuffix(_UP)).strip() or 'Service'} down{_lasts(threshold)}"
    quantile = "" if threshold.quantile is None else f" p{formats.number(100 * threshold.quantile)}"
    says = f"{capital(threshold.metric)}{quantile} {_limit(threshold, threshold.broken()[0])}"
    return f"{says}{_lasts(threshold)}"


def _lasts(threshold: Threshold) -> str:
    return f" for {formats.duration(threshold.duration_s)}" if threshold.duration_s else ""


def _limit(threshold: Threshold, operator: str) -> str:
    limit = threshold.limit_text
    if found := _NUMBER.fullmatch(limit):
        limit = f"{formats.number(float(found[1]))} {found[2]}".rstrip()
    return f"{_OPERATORS[operator]} {limit}"
