"""What a judgement says, in the words of whoever runs the service.

A metric that is one or zero, or that counts what is wrong, brings its own sentences (``Metric.good`` and
``Metric.bad``); the others are a number beside its limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.judging.threshold import Aggregation, Threshold
from rampgate.model import formats
from rampgate.model.measurement import NOTHING
from rampgate.model.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

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
_OF_ANY_LIMIT = {"api_outage", "abort_evidence", "session_renewals", "version_lost"}
"""Metrics whose sentences fit whatever the limit is."""
_NOT_WAITED_FOR = "not waited for"
_MOST_STATUSES = 4
NO_ANSWER = {
    "time-out": "gave no answer in time",
    "no answer": "gave no answer",
    "broken answer": "gave a broken answer",
}


def stated(threshold: Threshold, seen: Measurement, value: float, *, passed: bool) -> str:
    """The sentence that a metric brings: ``all 3 scrape jobs are up``.

    "" where it brings none, or where the threshold is another than the one that the sentence is about.
    """
    metric = METRICS.get(threshold.metric)
    exact = threshold.limit if threshold.good()[0] == "==" and not threshold.bad else None
    fits = exact == 0 or (exact == 1 and value in {0, 1}) or threshold.metric in _OF_ANY_LIMIT
    if metric is None or not metric.good or not fits:
        return ""
    if not passed and not metric.bad:
        return seen.note or f"not true: {metric.good}"
    if passed and seen.details.get(NOTHING):
        return seen.note
    versions = seen.details.get("versions")
    named = ", ".join(map(str, versions)) if isinstance(versions, dict) else "one version"
    template = metric.good if passed else metric.bad
    return template.format(k=formats.number(value), n=f"{seen.n:,}", versions=named, note=seen.note).rstrip(
        ": "
    )


def subject(threshold: Threshold) -> str:
    """The metric in words: ``error rate``."""
    return threshold.metric.replace("_", " ")


def noun(threshold: Threshold) -> str:
    """What is counted: ``requests``."""
    return _NOUNS[threshold.aggregation]


def limit(threshold: Threshold) -> str:
    """The limit with its unit: ``2 %``, ``500 ms``, ``85``."""
    if threshold.aggregation in {Aggregation.RATE, Aggregation.SHARE}:
        return formats.percent(threshold.limit)
    return f"{formats.number(threshold.limit)} {threshold.unit}".rstrip()


def wanted(threshold: Threshold) -> str:
    """The good side: ``at least 85 expected``."""
    return f"{_IS[threshold.good()[0]]} {limit(threshold)} expected"


def compared(threshold: Threshold, *, passed: bool) -> str:
    """On which side of its limit it lies: ``is below 2 %``."""
    operator, _ = threshold.good()
    return f"is {(_IS if passed else _IS_NOT)[operator]} {limit(threshold)}"


def failed(threshold: Threshold, seen: Measurement) -> str:
    """How many failed, and how: ``/patients answered HTTP 503 to 220 of 220 requests (expected 2xx)``."""
    metric, count = METRICS.get(threshold.metric), seen.failures or 0
    if metric and metric.bad:
        return f"{_of(count, seen.n)} {metric.bad}"
    return _requests_failed(seen, count)


def _requests_failed(seen: Measurement, count: int) -> str:
    """Who answered how; where not every failure is known by its status, how many failed."""
    known, how = wrong(seen.details), statuses(seen.details)
    who, of = seen.details.get("path") or seen.labels.get("endpoint"), f"{count:,} of {seen.n:,} requests"
    errors = seen.details.get("errors")
    why = f" ({', '.join(map(str, errors))})" if isinstance(errors, list) and "no answer" in known else ""
    if who and count and count == sum(known.values()):
        did = NO_ANSWER.get(how, f"answered {how}")
        says = f"failed {of}: {how}{why}" if len(known) > 1 else f"{did}{why} to {of}"
        return f"{who} {says} (expected 2xx)"
    return f"{_of(count, seen.n)} requests failed{f' ({how}){why}' if count and how else ''}"


def slow(threshold: Threshold, seen: Measurement, beyond: int) -> str:
    """How many failed, and how many more took too long; a failure is never a time.

    Args:
        threshold: about a quantile.
        seen: what was measured.
        beyond: how many lie above its edge, those that failed among them.
    """
    lost = min(beyond, unanswered(seen))
    edge, end = threshold.edge, threshold.limit
    at_least = edge is not None and edge < end
    took = f"took {limit(threshold)} or more" if at_least else f"took over {limit(threshold)}"
    allowed = f"({formats.percent(threshold.allowed)} allowed)"
    if not lost:
        return f"{beyond:,} of {seen.n:,} {took} {allowed}"
    says = _requests_failed(seen, lost)
    if beyond == lost:
        return f"{says} {allowed}"
    return f"{says}, {beyond - lost:,} more {took} {allowed}"


def unanswered(seen: Measurement) -> int:
    """How many of the requests that were timed have no time, for they failed.

    A load run does not wait for the last ones beyond its end: these are slow, and did not fail.
    """
    counted = seen.details.get("statuses")
    if seen.histogram is None and not statuses(seen.details):
        return 0
    cut = counted.get(_NOT_WAITED_FOR, 0) if isinstance(counted, dict) else 0
    timed = sum(seen.histogram.counts.values()) if seen.histogram else 0
    return max(0, seen.n - timed - cut)


def wrong(details: Mapping[str, Any]) -> dict[str, int]:
    """What stood in place of a good answer, and how often, the most frequent first."""
    counted = details.get("statuses")
    found = {
        f"HTTP {name}" if name.isdecimal() else name: count
        for name, count in (counted.items() if isinstance(counted, dict) else ())
        if isinstance(count, int) and count > 0 and not name.startswith("2") and name != _NOT_WAITED_FOR
    }
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def statuses(details: Mapping[str, Any]) -> str:
    """The same in words: ``HTTP 503``."""
    found = wrong(details)
    if len(found) == 1:
        return next(iter(found))
    listed = [f"{name} \N{MULTIPLICATION SIGN} {count:,}" for name, count in found.items()]
    return ", ".join([*listed[:_MOST_STATUSES], *(["…"] if len(listed) > _MOST_STATUSES else [])])


def forecast(threshold: Threshold, seen: Measurement, more: int | None) -> str:
    """How much more it takes: ``needs about 900 more requests, 5 s at this rate``."""
    if more is None and seen.blocks:
        return "over the limit, in too few blocks of time to be sure of it"
    if more is None:
        return "what was observed sits at the limit, where no number decides"
    counted = "observations" if threshold.aggregation is Aggregation.VALUE else noun(threshold)
    says = f"needs about {formats.about(more)} more {counted}"
    if seen.n and seen.end > seen.start:
        says += f", {formats.duration(more * (seen.end - seen.start) / seen.n)} at this rate"
    return says


def _of(count: int, n: int) -> str:
    return f"all {n:,}" if count == n > 1 else f"{count:,} of {n:,}"
