"""What an entry of [[metrics]] reads: one value, or counters that only rise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from rampgate.checks.frame.source import MetricSettings, finite, refuse
from rampgate.model.increments import COUNTERS, FAILED, TOTAL, Counters
from rampgate.model.measurement import Measurement
from rampgate.model.metrics import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

FEEDBACK = "user_feedback_score"
_FORMS = (("value",), ("total", "failed"), ("total", "buckets"), ("count",))
_ACCEPTED = "accepted are value, total and failed, total and buckets, or count"
_MOST = 2.0**53
"""Beyond that a counter does not count one by one."""
_MOST_LABELS = 1000
_COHORTS = ("on", "off", "next", "later")


class CountedSettings(MetricSettings):
    """Of an entry that reads a value or counters; what its texts are is the source's."""

    value: str | None = Field(default=None, description="one number")
    total: str | None = Field(default=None, description="a counter of all requests")
    failed: str | None = Field(default=None, description="a counter of those that failed")
    buckets: str | None = Field(
        default=None, description="counters of a histogram: how many took at most so long"
    )
    count: str | None = Field(default=None, description="a counter of what goes wrong")
    responses: str | None = Field(
        default=None, description="beside `value`: how many answers it is the mean of"
    )
    cohort: str | None = Field(default=None, description="what names the cohort: on, off, next, later")
    endpoint: str | None = Field(default=None, description="what names the endpoint")
    votes: bool = Field(default=False, description="one user counts once a minute; else requests are counted")

    @property
    def counted(self) -> bool:
        """Whether counters are read, which say something over time alone."""
        return self.value is None

    @property
    def expressions(self) -> dict[str, str]:
        """Key -> what is read there, of those that are given."""
        names = ("value", "total", "failed", "buckets", "count", "responses")
        return {name: text for name in names if (text := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _is_one_form(self) -> Self:
        given = tuple(name for name in self.expressions if name != "responses")
        if given not in _FORMS:
            raise ValueError(f"found {' and '.join(given) or 'nothing that is read'}; {_ACCEPTED}")
        if self.counted and self.responses:
            raise ValueError("found responses without value; accepted is value beside it")
        if not self.counted and (self.cohort or self.endpoint or self.votes):
            raise ValueError(
                "found cohort, endpoint or votes beside value; accepted are they beside counters"
            )
        if self.name == FEEDBACK and not self.responses:
            raise ValueError(f"found {FEEDBACK}, a mean, without responses; accepted is value with responses")
        return self

    @property
    def kind(self) -> Kind:
        """How a metric of the user's own is counted."""
        kinds = {"failed": Kind.RATE, "buckets": Kind.LATENCY, "count": Kind.COUNT}
        return next((kind for name, kind in kinds.items() if name in self.expressions), Kind.VALUE)


def counts_votes(metric: MetricSettings) -> bool:
    """Whether one user counts once a minute in a metric, else requests are counted."""
    return isinstance(metric, CountedSettings) and metric.votes


def value_of(metric: CountedSettings, number: float, responses: float | None, at: float) -> Measurement:
    """A value, with the number of answers that it is the mean of where that is known."""
    n, details = (1, {}) if responses is None else (int(responses), {"responses": int(responses)})
    return Measurement(metric.name, metric.unit, n=n, value=number, end=at, details=details)


def measured(
    metric: CountedSettings, counters: Mapping[tuple[str, str], Counters], at: float
) -> list[Measurement]:
    """One measurement for each cohort and endpoint.

    Args:
        metric: the entry.
        counters: cohort and endpoint, "" where there is none -> kind of count -> series -> value.
        at: when the samples were taken, seconds since the epoch.

    Raises:
        ProbeError: a cohort that is none, or a counter without the total that it is a part of.
    """
    if len(counters) > _MOST_LABELS:
        found = f"{len(counters):,} cohorts and endpoints"
        raise refuse(metric, metric.endpoint or "", found, f"{_MOST_LABELS:,}: a path without its ids")
    for cohort, endpoint in counters:
        of = " of " + " and ".join(filter(None, (cohort, endpoint))) if cohort or endpoint else ""
        if cohort not in {"", *_COHORTS}:
            raise refuse(metric, metric.cohort or "", f"the cohort {cohort!r}", ", ".join(_COHORTS))
        if TOTAL not in counters[cohort, endpoint]:
            raise refuse(metric, metric.total or "", f"no total{of}", "one beside every other counter")
        total, failed = (sum(counters[cohort, endpoint].get(kind, {}).values()) for kind in (TOTAL, FAILED))
        if failed > total:
            raise refuse(metric, metric.failed or "", f"{failed:g} failed of {total:g}{of}", "a part of them")
    return [
        Measurement(
            metric.name,
            n=round(sum(counted[TOTAL].values())),
            failures=round(sum(counted[FAILED].values())) if FAILED in counted else None,
            labels={name: text for name, text in (("cohort", cohort), ("endpoint", endpoint)) if text},
            end=at,
            details={COUNTERS: counted},
        )
        for (cohort, endpoint), counted in sorted(counters.items())
    ]


def counter(metric: MetricSettings, place: str, found: Any, where: str = "") -> float:
    """What was found, as the value of a counter.

    Raises:
        ProbeError: it is no number of 0 or more.
    """
    number = finite(metric, place, found, where)
    if not 0 <= number <= _MOST:
        raise refuse(metric, place, f"{number:g}{where}", "a counter, which is 0 or more, and 2^53 at most")
    return number


def edges(metric: MetricSettings, place: str, text: str, scale: float = 1.0) -> tuple[str, ...]:
    """The kinds of count of a bucket, by its upper edge in ms; none of the last one, which counts all.

    A bucket counts what took at most so long. Whether a time that equals a limit is good makes no difference
    that a histogram could show, so the edges of ``<`` and of ``<=`` are both there.

    Args:
        metric: the entry.
        place: where it was found, for messages.
        text: its upper edge.
        scale: milliseconds of one unit of the edge.

    Raises:
        ProbeError: it is no number.
    """
    try:
        limit = round(float(text) * scale, 6)
    except ValueError:
        limit = math.nan
    if limit == math.inf:
        return ()
    if not limit >= 0:
        raise refuse(metric, place, f"the bucket {text!r}", "edges that are numbers of 0 or more")
    return repr(limit), repr(math.nextafter(limit, -math.inf))
