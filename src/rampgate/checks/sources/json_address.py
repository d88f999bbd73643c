"""Numbers at an address of the API that answers with JSON, picked by JMESPath."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from rampgate.checks.frame.forms import CountedSettings, counter, edges, measured
from rampgate.checks.frame.source import Source, finite, refuse
from rampgate.checks.frame.table import JMESPath, UrlPath
from rampgate.io.http import ask, find
from rampgate.model.increments import FAILED, TOTAL, Counters
from rampgate.model.json_body import parsed
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from rampgate.checks.frame.check import Context


class JsonAddress(CountedSettings):
    """A path of `target.api` that answers with JSON."""

    source: Literal["json"] = "json"
    path: UrlPath = Field(description="of `target.api`")
    value: JMESPath | None = Field(default=None, description="JMESPath of one number")
    total: JMESPath | None = Field(default=None, description="JMESPath of a counter of all requests")
    failed: JMESPath | None = Field(default=None, description="JMESPath of a counter of those that failed")
    buckets: JMESPath | None = Field(
        default=None, description='JMESPath of a histogram\'s counters: `{"50": 90, "100": 99}`, in ms'
    )
    count: JMESPath | None = Field(default=None, description="JMESPath of a counter of what goes wrong")
    responses: JMESPath | None = Field(default=None, description="JMESPath of how many answers a mean is of")
    each: JMESPath | None = Field(
        default=None, description="JMESPath of a list, in each of whose objects `total` and the others are"
    )
    time: JMESPath | None = Field(default=None, description="JMESPath of when it was measured")
    admin: bool = Field(default=False, description="asked with `target.admin_token`")


def measure(metric: JsonAddress, context: Context) -> list[Measurement]:
    """The number, or the counters.

    Raises:
        ProbeError: there are none; one line says what was found and what is accepted.
        UnreachableError: the API does not answer.
    """
    with context.client("api", account="admin" if metric.admin else "user") as http:
        answer = ask(http, "GET", metric.path)
    if not answer.ok:
        raise refuse(metric, metric.path, answer.trouble, "a 2xx answer")
    data, trouble = parsed(answer.body)
    if trouble:
        raise refuse(metric, metric.path, f"no JSON, for {trouble}", "JSON")
    at = _time(metric, data)
    if metric.value is None:
        return measured(metric, _counters(metric, data), at)
    number = finite(metric, metric.path, find(metric.value, data), f" at {metric.value!r}")
    responses = metric.responses and _number(metric, data, metric.responses)
    details = {} if responses is None else {"responses": int(responses)}
    return [Measurement(metric.name, metric.unit, n=1, value=number, end=at, details=details)]


def _number(metric: JsonAddress, data: Any, expression: str) -> float:
    return counter(metric, metric.path, find(expression, data), f" at {expression!r}")


def _counters(metric: JsonAddress, data: Any) -> dict[tuple[str, str], Counters]:
    """Cohort and endpoint -> the counters of one object, or of each of a list."""
    objects = find(metric.each, data) if metric.each else [data]
    if not isinstance(objects, list) or not objects:
        raise refuse(
            metric, metric.path, f"no list at {metric.each!r}", "a list with an object for each cohort"
        )
    found: dict[tuple[str, str], Counters] = {}
    for each in objects:
        key = _label(each, metric.cohort), _label(each, metric.endpoint)
        if key in found:
            labels = " and ".join(filter(None, key)) or "nothing that tells them apart"
            raise refuse(metric, metric.path, f"two objects of {labels}", "one for each cohort and endpoint")
        found[key] = _of_object(metric, each)
    return found


def _of_object(metric: JsonAddress, data: Any) -> Counters:
    counted: Counters = {}
    for key, kind in (("total", TOTAL), ("failed", FAILED), ("count", TOTAL)):
        if expression := metric.expressions.get(key):
            counted[kind] = {"": _number(metric, data, expression)}
    if metric.buckets:
        buckets = find(metric.buckets, data)
        if not isinstance(buckets, dict) or not buckets:
            raise refuse(
                metric, metric.path, f"no object at {metric.buckets!r}", "edges in ms with their counts"
            )
        bounds = (
            (str(edge), counter(metric, metric.path, count, f" at {edge!r}"))
            for edge, count in buckets.items()
        )
        counted |= {edge: {"": count} for edge, count in edges(metric, metric.path, bounds, 1.0).items()}
    return counted


def _label(data: Any, key: str | None) -> str:
    found = data.get(key) if key and isinstance(data, dict) else None
    return found if isinstance(found, str) else ""


def _time(metric: JsonAddress, data: Any) -> float:
    """When it was measured, seconds since the epoch; 0 where nothing says so.

    Raises:
        ProbeError: what should say so is no time.
    """
    if metric.time is None:
        return 0.0
    found = find(metric.time, data)
    if isinstance(found, str):
        try:
            return datetime.fromisoformat(found).timestamp()
        except ValueError:
            raise refuse(
                metric, metric.path, f"{found[:40]!r} at {metric.time!r}", "a time of ISO 8601"
            ) from None
    return finite(metric, metric.path, found, f" at {metric.time!r}")


SOURCE = Source(JsonAddress, measure)
