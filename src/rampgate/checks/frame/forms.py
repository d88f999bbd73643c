"""What an entry of [[metrics]] reads: one value, or counters that only rise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from rampgate.checks.frame.source import MetricSettings, finite, refuse
from rampgate.model.increments import COUNTERS, FAILED, TOTAL, Counters
from rampgate.model.measurement import Measurement
from rampgate.model.metrics import ALIASES, METRICS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FORMS = (("value",), ("total", "failed"), ("total", "buckets"), ("count",))
_OF_KIND = {Kind.RATE: {"failed"}, Kind.LATENCY: {"buckets"}, Kind.COUNT: {"count"}}
INFINITY = "+Inf"


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
            raise ValueError(
                f"found {' and '.join(given) or 'nothing that is read'}; accepted are value, total and "
                "failed, total and buckets, or count"
            )
        metric = METRICS.get(ALIASES.get(self.name, self.name))
        of_value = {"failed"} if metric and metric.unit == "%" else set[str]()
        wanted = _OF_KIND.get(metric.kind, of_value) if metric else None
        if self.counted and wanted is not None and given[-1] not in wanted:
            accepted = " or ".join(sorted({"value", *wanted}))
            raise ValueError(f"{self.name} is no metric of {given[-1]}; accepted is {accepted}")
        if self.responses and self.counted:
            raise ValueError("found responses without value; accepted is value beside it")
        return self

    @property
    def kind(self) -> Kind:
        """How a metric of the user's own is counted."""
        if self.failed is not None:
            return Kind.RATE
        return (
            Kind.LATENCY if self.buckets is not None else Kind.COUNT if self.count is not None else Kind.VALUE
        )


def measured(
    metric: CountedSettings, counters: Mapping[tuple[str, str], Counters], at: float
) -> list[Measurement]:
    """One measurement for each cohort and endpoint.

    Args:
        metric: the entry.
        counters: cohort and endpoint, "" where there is none -> kind of count -> series -> value.
        at: when the samples were taken, seconds since the epoch.

    Raises:
        ProbeError: there is none.
    """
    if not counters:
        raise refuse(metric, metric.name, "no series", "counters")
    return [
        Measurement(
            metric.name,
            n=round(sum(counted.get(TOTAL, {}).values())),
            failures=round(sum(counted[FAILED].values())) if FAILED in counted else None,
            labels={name: text for name, text in (("cohort", cohort), ("endpoint", endpoint)) if text},
            end=at,
            details={COUNTERS: counted},
        )
        for (cohort, endpoint), counted in sorted(counters.items())
    ]


def counter(metric: CountedSettings, place: str, found: Any, where: str = "") -> float:
    """What was found, as the value of a counter.

    Raises:
        ProbeError: it is no number of 0 or more.
    """
    number = finite(metric, place, found, where)
    if number < 0:
        raise refuse(metric, place, f"{number:g}{where}", "a counter, which is 0 or more")
    return number


def edges(
    metric: CountedSettings, place: str, bounds: Iterable[tuple[str, float]], scale: float
) -> dict[str, float]:
    """Buckets by their upper edge in milliseconds; the last one, without an edge, as the total is.

    A bucket counts what took at most so long; whether a time that equals a limit is good makes no difference
    that a histogram could show, so both edges of a limit are there.

    Args:
        metric: the entry.
        place: where they were found, for messages.
        bounds: upper edge as text, and the count at or below it.
        scale: milliseconds of one unit of the edges.

    Raises:
        ProbeError: an edge that is no number.
    """
    found: dict[str, float] = {}
    for edge, count in bounds:
        if edge == INFINITY:
            continue
        try:
            limit = float(edge) * scale
        except ValueError:
            raise refuse(metric, place, f"the bucket {edge!r}", "edges that are numbers") from None
        found |= {repr(each): count for each in both_edges(limit)}
    return found


def both_edges(limit: float) -> tuple[float, float]:
    """The edges of ``<= limit`` and of ``< limit``, as thresholds have them."""
    import math

    limit = round(limit, 6)
    return limit, math.nextafter(limit, -math.inf)
