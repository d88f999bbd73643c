"""Numbers that Prometheus, or what speaks its API, holds: PromQL, parsed when the settings are read."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from rampgate.checks.frame.forms import INFINITY, CountedSettings, counter, edges, measured
from rampgate.checks.frame.secrets import Address, Headers
from rampgate.checks.frame.source import Source, finite, refuse
from rampgate.errors import ConfigurationError
from rampgate.io.prometheus import Prometheus, sample
from rampgate.model.increments import FAILED, TOTAL, Counters
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rampgate.checks.frame.check import Context

_PROMQL = "accepted is PromQL"
_MS_PER_SECOND = 1000.0
_NAME = "__name__"
_STALE_S = 300
"""Prometheus looks back so far for the newest sample of a series."""


def promql_of(expression: object) -> str:
    """The expression.

    Raises:
        ValueError: it is no PromQL.
    """
    import promql_parser

    if not isinstance(expression, str):
        raise ValueError(_PROMQL)  # noqa: TRY004  # pydantic wants a ValueError
    try:
        promql_parser.parse(expression)
    except ValueError as error:
        raise ValueError(f"{_PROMQL}; {str(error).splitlines()[0]}") from None
    return expression


def selector_of(expression: object) -> str:
    """The expression, which names series and does nothing with them: counters are read as they are.

    Raises:
        ValueError: it is something else.
    """
    import promql_parser

    text = promql_of(expression)
    if not isinstance(promql_parser.parse(text), promql_parser.VectorSelector):
        raise ValueError(  # noqa: TRY004  # pydantic wants a ValueError
            "accepted is a counter's name with labels, such as requests_total{status=~'5..'}; its rise is "
            "counted here, so that no sum, rate or increase belongs around it"
        )
    return text


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
    def lookback(self) -> float | None:
        """The longest range in the expression, which no window around a change may straddle."""
        ranges = list(_ranges(self.value)) if self.value else []
        return max(ranges, default=0.0) if self.window is None else self.window


def _walk(node: Any) -> Iterator[Any]:
    """An expression and all that is inside it."""
    yield node
    for name in ("expr", "lhs", "rhs", "args", "vector_selector", "vs", "param"):
        inner = getattr(node, name, None)
        for each in inner if isinstance(inner, list) else [inner]:
            if each is not None and not isinstance(each, str | float | int):
                yield from _walk(each)


def _ranges(expression: str) -> Iterator[float]:
    import promql_parser

    for node in _walk(promql_parser.parse(expression)):
        span = getattr(node, "range", None)
        if span is not None and hasattr(span, "total_seconds"):
            yield span.total_seconds()


def _selectors(expression: str) -> set[str]:
    import promql_parser

    nodes = _walk(promql_parser.parse(expression))
    return {str(node) for node in nodes if isinstance(node, promql_parser.VectorSelector)}


def measure(metric: PromQLQuery, context: Context) -> list[Measurement]:
    """The number, or the counters; ``end`` is when the oldest of its samples was taken.

    Raises:
        ConfigurationError: nothing says where Prometheus is.
        ProbeError: there are none; one line says what was found and what is accepted.
    """
    url, headers = (metric.url, metric.headers) if metric.url else context.prometheus
    if not url:
        raise ConfigurationError(
            f"metric {metric.name}: found no url; accepted are url, and monitoring.prometheus"
        )
    with context.client("api", account="none", at=url) as http:
        http.headers.update(headers)
        prometheus = Prometheus(http)
        if metric.value is None:
            return measured(metric, *_counters(metric, prometheus))
        number = finite(metric, metric.value, _one(metric, prometheus, metric.value))
        at = min((_newest(metric, prometheus, each) for each in _selectors(metric.value)), default=0.0)
        responses = metric.responses and _one(metric, prometheus, metric.responses)
    details = {} if responses is None else {"responses": int(responses)}
    return [Measurement(metric.name, metric.unit, n=1, value=number, end=at, details=details)]


def _one(metric: PromQLQuery, prometheus: Prometheus, query: str) -> float:
    """The one number that a query gives.

    Raises:
        ProbeError: none, two, or one that is no number.
    """
    data = prometheus.query(query)
    result = data.get("result")
    found = [result] if data.get("resultType") == "scalar" else [each.get("value") for each in result or ()]
    if len(found) != 1:
        what = f"{len(found)} series" if found else "an empty vector"
        raise refuse(metric, query, what, "one number; an aggregation makes one of several")
    number = sample(found[0])
    if not math.isfinite(number):
        raise refuse(metric, query, str(number), "a finite number")
    return number


def _newest(metric: PromQLQuery, prometheus: Prometheus, selector: str) -> float:
    """When the newest sample behind a selector was taken."""
    data = prometheus.query(f"max(timestamp({selector}))")
    found = [sample(each.get("value")) for each in data.get("result") or ()]
    if not found:
        raise refuse(metric, selector, "no sample in the last 5 minutes", "a series that is scraped")
    return found[0]


def _counters(metric: PromQLQuery, prometheus: Prometheus) -> tuple[dict[tuple[str, str], Counters], float]:
    """Cohort and endpoint -> counters, and when the oldest newest sample of them was taken."""
    found: dict[tuple[str, str], Counters] = defaultdict(dict)
    newest: list[float] = []
    for key, kind in (("total", TOTAL), ("failed", FAILED), ("count", TOTAL), ("buckets", "")):
        selector = metric.expressions.get(key)
        series = list(_series(metric, prometheus, selector)) if selector else []
        if selector and not series and key != "failed":  # without a failure there may be no series of them
            raise refuse(metric, selector, "an empty vector", "counters")
        newest += [max(at for _, _, at in series)] if series else []
        for labels, value, _ in series:
            place = labels.get(metric.cohort or "", ""), labels.get(metric.endpoint or "", "")
            for name, count in _kinds(metric, kind, labels, value):
                own = found[place].setdefault(name, {})
                text = _named(labels, without="le" if not kind else "")
                own[text] = own.get(text, 0.0) + count
    if metric.failed is not None:
        for counted in found.values():
            counted.setdefault(FAILED, {})
    return dict(found), min(newest, default=0.0)


def _kinds(
    metric: PromQLQuery, kind: str, labels: Mapping[str, str], value: float
) -> Iterator[tuple[str, float]]:
    """Of a counter its kind; of a bucket its edges, and of the last one, which counts all, nothing."""
    if kind:
        yield kind, value
    elif labels.get("le") != INFINITY:
        yield from edges(
            metric, metric.buckets or "", [(labels.get("le", ""), value)], _MS_PER_SECOND
        ).items()


def _series(
    metric: PromQLQuery, prometheus: Prometheus, selector: str
) -> Iterator[tuple[Mapping[str, str], float, float]]:
    """Labels, value and time of the newest sample of each series: as scraped, not as looked back for."""
    data = prometheus.query(f"{selector}[{_STALE_S}s]")
    for each in data.get("result") or ():
        values = each.get("values") or [[math.nan, math.nan]]
        value = counter(metric, selector, sample(values[-1]))
        yield each.get("metric", {}), value, float(values[-1][0])


def _named(labels: Mapping[str, str], without: str) -> str:
    return ",".join(f"{name}={text}" for name, text in sorted(labels.items()) if name not in {_NAME, without})


SOURCE = Source(PromQLQuery, measure)
