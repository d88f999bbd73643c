"""A number at an address of the API that answers with JSON, picked by JMESPath."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rampgate.checks.frame.source import MetricSettings, Source, finite, refuse
from rampgate.checks.frame.table import JMESPath, UrlPath
from rampgate.io.http import ask, find
from rampgate.model.json_body import parsed
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from rampgate.checks.frame.check import Context


class JsonAddress(MetricSettings):
    """A path of `target.api` that answers with JSON."""

    source: Literal["json"] = "json"
    path: UrlPath = Field(description="of `target.api`")
    value: JMESPath = Field(description="JMESPath of one number")
    admin: bool = Field(default=False, description="asked with `target.admin_token`")


def measure(metric: JsonAddress, context: Context) -> list[Measurement]:
    """The number.

    Raises:
        ProbeError: there is none; one line says what was found and what is accepted.
        UnreachableError: the API does not answer.
    """
    with context.client("api", account="admin" if metric.admin else "user") as http:
        answer = ask(http, "GET", metric.path)
    if not answer.ok:
        raise refuse(metric, metric.path, answer.trouble, "a 2xx answer")
    data, trouble = parsed(answer.body)
    if trouble:
        raise refuse(metric, metric.path, f"no JSON, for {trouble}", "JSON")
    number = finite(metric, metric.path, find(metric.value, data), f" at {metric.value!r}")
    return [Measurement(metric.name, metric.unit, n=1, value=number)]


SOURCE = Source(JsonAddress, measure)
