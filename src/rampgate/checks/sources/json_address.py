"""Numbers at an address of the API that answers with JSON, picked by JMESPath."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from rampgate.checks.frame.forms import CountedSettings, counter, edges, measured, value_of
from rampgate.checks.frame.source import Source, finite, refuse
from rampgate.checks.frame.table import JMESPath, UrlPath
from rampgate.io.http import ask, find
from rampgate.model.increments import FAILED, TOTAL, Counters
from rampgate.model.json_body import parsed

if TYPE_CHECKING:
    from rampgate.checks.frame.check import Context
    from rampgate.model.measurement import Measurement


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

    @property
    def lookback(self) -> float | None:
        """As others: how it came about is not known."""
        return self.window

    @model_validator(mode="after")
    def _labels_are_of_a_list(self) -> Self:
        if bool(self.each) is not bool(self.cohort or self.endpoint):
            raise ValueError("found one of each, and cohort or endpoint; accepted are both, beside counters")
        return self


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
    responses = None if metric.responses is None else _number(metric, data, metric.responses)
    return [value_of(metric, number, responses, at)]


def _number(metric: JsonAddress, data: Any, expression: str) -> float:
    return counter(metric, metric.path, find(expression, data), f" at {expression!r}")


def _counters(metric: JsonAddress, data: Any) -> dict[tuple[str, str], Counters]:
    """Cohort and endpoint -> the counters of one object, or of each of a list."""
    objects = find(metric.each, data) if metric.each else [data]
    if not isinstance(objects, list) or not objects:
        raise refuse(metric, metric.path, f"no list at {metric.each!r}", "a list, an object for each cohort")
    found: dict[tuple[str, str], Counters] = {}
    for each in objects:
        key = _label(metric, each, metric.cohort), _label(metric, each, metric.endpoint)
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
            raise refuse(metric, metric.path, f"no object at {metric.buckets!r}", "edges in ms, with counts")
        for edge, found in buckets.items():
            count = counter(metric, metric.path, found, f" at {edge!r}")
            counted |= {kind: {"": count} for kind in edges(metric, metric.path, edge)}
    return counted


def _label(metric: JsonAddress, data: Any, key: str | None) -> str:
    if key is None:
        return ""
    found = data.get(key) if isinstance(data, dict) else None
    if not isinstance(found, str):
        raise refuse(metric, metric.path, f"no text at {key!r}", "one in each object of the list")
    return found


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
            time = datetime.fromisoformat(found)
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            at = f"{found[:40]!r} at {metric.time!r}"
            raise refuse(metric, metric.path, at, "a time of ISO 8601 with its zone")
        found = time.timestamp()
    seconds = finite(metric, metric.path, found, f" at {metric.time!r}")
    if seconds <= 0:  # nothing has set it yet
        raise refuse(metric, metric.path, f"{seconds:g} at {metric.time!r}", "seconds since 1970")
    return seconds


SOURCE = Source(JsonAddress, measure)
