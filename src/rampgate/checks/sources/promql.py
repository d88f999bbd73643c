"""Numbers that Prometheus, or what speaks its API, holds: PromQL, parsed when the settings are read."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from rampgate.checks.frame.forms import CountedSettings, counter, edges, measured, value_of
from rampgate.checks.frame.secrets import Address, Headers
from rampgate.checks.frame.source import Source, finite, refuse
from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io.prometheus import Prometheus
from rampgate.model.increments import FAILED, TOTAL, Counters
from rampgate.model.promql_selectors import selectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rampgate.checks.frame.check import Context
    from rampgate.io.prometheus import Series
    from rampgate.model.measurement import Measurement

    Ask = Callable[[str], list[Series]]

_PROMQL = "accepted is PromQL"
_MS_PER_SECOND = 1000.0
_NAME = "__name__"
_LOOKBACK_S = 300
"""Prometheus looks back so far for the newest sample of a series."""
_INNER = ("expr", "lhs", "rhs", "args", "vector_selector", "param")


def _parsed(expression: object) -> Any:
    """The expression as a tree.

    Raises:
        ValueError: it is no PromQL.
    """
    import promql_parser

    if not isinstance(expression, str):
        raise ValueError(_PROMQL)  # noqa: TRY004  # pydantic wants a ValueError
    try:
        return promql_parser.parse(expression)
    except ValueError as error:
        raise ValueError(f"{_PROMQL}; {str(error).splitlines()[0]}") from None


def promql_of(expression: object) -> object:
    """The expression, which gives a number or an instant vector.

    Raises:
        ValueError: it gives something else, or is no PromQL.
    """
    if type(_parsed(expression)).__name__ in {"MatrixSelector", "SubqueryExpr", "StringLiteral"}:
        raise ValueError("accepted is PromQL of one number; this gives a range or a text")
    return expression


def selector_of(expression: object) -> object:
    """The expression, which names series and does nothing with them: counters are read as they are.

    Raises:
        ValueError: it is something else.
    """
    found = _parsed(expression)
    if type(found).__name__ != "VectorSelector" or found.offset or found.at:
        raise ValueError(
            "accepted is a counter's name with labels, such as requests_total{status=~'5..'}; its rise is "
            "counted here, so that no sum, rate, increase or offset belongs around it"
        )
    return expression


PromQL = Annotated[str, BeforeValidator(promql_of)]
Selector = Annotated[str, BeforeValidator(selector_of)]


class PromQLQuery(CountedSettings):
    """PromQL, asked of `monitoring.prometheus` or of `url`."""

    source: Literal["promql"] = "promql"
    value: PromQL | None = Field(default=None, description="PromQL of one number")
    total: Selector | None = Field(default=None, description="selects the counters of all requests")
    failed: Selector | None = Field(default=None, description="selects the counters of those that failed")
    buckets: Selector | None = Field(
        default=None, description="selects the buckets of a histogram in seconds"
    )
    count: Selector | None = Field(default=None, description="selects the counters of what goes wrong")
    responses: PromQL | None = Field(default=None, description="PromQL of how many answers a mean is of")
    cohort: str | None = Field(default=None, description="the label that names the cohort")
    endpoint: str | None = Field(default=None, description="the label that names the endpoint")
    url: Address | None = Field(default=None, description="in place of `monitoring.prometheus`")
    headers: Headers = Field(default_factory=dict, description="sent to `url`; secret")

    @property
    def needs(self) -> str:
        """Where Prometheus is."""
        return "" if self.url else "monitoring.prometheus"

    @property
    def lookback(self) -> float | None:
        """As far as the ranges in the expression reach, which no window around a change may straddle."""
        return _reach(_parsed(self.value)) if self.value and self.window is None else self.window


def _inside(node: Any) -> Iterator[Any]:
    """The expressions that an expression is made of."""
    for name in _INNER:
        inner = getattr(node, name, None)
        yield from inner if isinstance(inner, list) else [] if inner is None else [inner]


def _reach(node: Any) -> float:
    """How many seconds an expression looks back."""
    spans = (getattr(node, name, None) for name in ("range", "offset"))
    own = sum(span.total_seconds() for span in spans if isinstance(span, timedelta))
    return own + max(map(_reach, _inside(node)), default=0.0)


def measure(metric: PromQLQuery, context: Context) -> list[Measurement]:
    """The number, or the counters; ``end`` is when the oldest of its samples was taken.

    Raises:
        ProbeError: there are none; one line says what was found and what is accepted.
    """
    url, headers = (metric.url, metric.headers) if metric.url else context.prometheus
    with context.client("api", account="none", at=url) as http:
        http.headers.update(headers)
        ask = partial(_samples, metric, Prometheus(http))
        if metric.value is None:
            return measured(metric, *_counters(metric, ask))
        number = _one(metric, ask, metric.value)
        responses = None if metric.responses is None else _one(metric, ask, metric.responses)
        return [value_of(metric, number, responses, _oldest(metric, ask, metric.value))]


def _samples(metric: PromQLQuery, prometheus: Prometheus, query: str) -> list[Series]:
    """What Prometheus gives.

    Raises:
        ProbeError: nothing that can be read, in one line.
    """
    try:
        return prometheus.samples(query)
    except (ConfigurationError, ProbeError) as error:
        raise ProbeError(f"metric {metric.name}, {' '.join(query.split())}: {error}") from None


def _one(metric: PromQLQuery, ask: Ask, query: str) -> float:
    """The one number that a query gives.

    Raises:
        ProbeError: none, two, or one that is no number.
    """
    found = ask(query)
    if len(found) != 1:
        what = f"{len(found)} series" if found else "an empty vector"
        raise refuse(metric, query, what, "one number; an aggregation makes one of several")
    return finite(metric, query, found[0][1][-1][1])


def _oldest(metric: PromQLQuery, ask: Ask, query: str) -> float:
    """When the newest sample was taken of the series that are oldest, of those in an expression; 0: of none.

    Raises:
        ProbeError: none of them is scraped any more.
    """
    read = selectors(query)
    newest = [
        finite(metric, each, pairs[-1][1], " of its timestamp")
        for each in map(str, read)
        for _, pairs in ask(f"max(timestamp({each}))")
    ]
    if read and not newest:
        raise refuse(metric, query, "no sample that is not stale", "a series that is scraped")
    if newest and min(newest) <= 0:
        raise refuse(metric, query, f"a timestamp of {min(newest):g}", "seconds since 1970")
    return min(newest, default=0.0)


def _counters(metric: PromQLQuery, ask: Ask) -> tuple[dict[tuple[str, str], Counters], float]:
    """Cohort and endpoint -> counters, all as of one moment, and when that was.

    They are read as scraped, not as looked back for; what was scraped between two queries is left for later.
    """
    reach = max(_LOOKBACK_S, math.ceil(metric.max_age or 0))
    read = {key: ask(f"{selector}\n[{reach}s]") for key, selector in metric.expressions.items()}
    needed = {key: series for key, series in read.items() if key != "failed"}  # there may be no failure yet
    for key, series in needed.items():
        if not series:
            raise refuse(metric, metric.expressions[key], "an empty vector", "counters")
    for label in filter(None, (metric.cohort, metric.endpoint)):
        if not any(label in labels for labels, _ in next(iter(needed.values()))):
            selector = next(iter(metric.expressions.values()))
            raise refuse(metric, selector, f"no series with the label {label}", "the label's right name")
    at = min(max(pairs[-1][0] for _, pairs in series) for series in needed.values())
    found: dict[tuple[str, str], Counters] = defaultdict(dict)
    for key, series in read.items():
        for labels, pairs in series:
            if numbers := [number for time, number in pairs if time <= at]:
                count = counter(metric, metric.expressions[key], numbers[-1])
                for kind in _kinds(metric, key, labels):
                    own = found[_place(metric, labels)].setdefault(kind, {})
                    own[_named(labels)] = own.get(_named(labels), 0.0) + count
    for counted in found.values() if metric.failed else ():
        counted.setdefault(FAILED, {})
    return dict(found), at


def _place(metric: PromQLQuery, labels: Mapping[str, str]) -> tuple[str, str]:
    """Cohort and endpoint of a series."""
    return labels.get(metric.cohort or "", ""), labels.get(metric.endpoint or "", "")


def _kinds(metric: PromQLQuery, key: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Of a counter its kind; of a bucket its edges."""
    if key == "buckets":
        return edges(metric, metric.buckets or "", labels.get("le", ""), _MS_PER_SECOND)
    return (FAILED,) if key == "failed" else (TOTAL,)


def _named(labels: Mapping[str, str]) -> str:
    """A series, and all buckets of a histogram as one."""
    return ",".join(f"{name}={text}" for name, text in sorted(labels.items()) if name not in {_NAME, "le"})


SOURCE = Source(PromQLQuery, measure)
