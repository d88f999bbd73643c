"""[[endpoints]] and [latency]: how fast, how reliably and how rightly the API answers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from rampgate.checks.frame.check import Check, DefaultThreshold
from rampgate.checks.frame.secrets import Body, Headers
from rampgate.checks.frame.table import Duration, JMESPath, Table, UrlPath
from rampgate.model import statistics
from rampgate.model.metrics import Kind, Metric
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rampgate.judging.threshold import Threshold

FULL_LOOK_S = 60.0
"""A shorter look misses trouble that comes and goes: it makes the run a rehearsal."""
LOOKS = (1, 2, 3, 5)
"""The looks at growing evidence that there may be, in lengths of the first."""
BLOCKS = 12
"""A look's length in blocks of time, by which failures are judged."""
COLD_START = 20
"""The first requests to an endpoint: judged as errors, reported apart as times."""


class EndpointSettings(Table):
    """An API endpoint whose latency, errors and body are judged. All are asked side by side: `[latency]`.

    Without `body` only the status of an answer is checked, and the report says so.
    """

    name: str
    path: UrlPath = Field(description="of `target.api`")
    method: Literal["GET", "HEAD", "POST"] = Field(
        default="GET",
        description='or `"HEAD"`; `"POST"`, as GraphQL has it, with `allow_writes = true` alone',
    )
    send: Body = Field(default={}, description="JSON of a `POST`; what has a secret's name is one")
    headers: Headers = Field(default={}, description="beside those of `[target]`, and in their place; secret")
    sign_in: bool = Field(default=True, description="where `[login]` is configured")
    body: JMESPath | None = Field(default=None, description="JMESPath of a list or number that must be there")
    minimum: float = Field(default=1, gt=0, description="the least count or value of `body`")
    fresh: Duration | None = Field(
        default=None,
        gt=0,
        description="how old an answer may be, by its `Age`, or its `Date` and 30 s for clocks that differ",
    )
    nonce: bool = Field(
        default=True,
        description="with `fresh`: once also asked with a query that no cache knows, `?rampgate=…`",
    )
    changes: JMESPath | None = Field(
        default=None, description="JMESPath of what must not stay the same over the look: a time, a counter"
    )
    depends_on: list[Literal["mongodb", "redis"]] = Field(
        default=[], description='`"mongodb"`, `"redis"`: skipped, with the reason, when that is down'
    )
    load: bool = Field(default=False, description="asked under load too")
    weight: float = Field(
        default=1.0, gt=0, description="under load: how often it is asked in a visit; `0.1` is in every tenth"
    )
    required: bool = True

    @model_validator(mode="after")
    def _can_be_asked_so(self) -> EndpointSettings:
        if self.method == "HEAD" and self.body:
            raise ValueError("the answer to HEAD has no body; accepted is method GET")
        if self.send and self.method != "POST":
            raise ValueError(f"send is for POST; accepted beside {self.method} is none")
        return self

    @property
    def json_sent(self) -> dict[str, Any] | None:
        """What is sent as JSON, None where nothing is."""
        return self.send if self.method == "POST" else None


class LatencySettings(Table):
    """How `[[endpoints]]` are asked: requests begin at a steady pace, however slowly the target answers.

    A page that fails some of its looks is asked in the same way.

    The look is extended to 2, 3 and 5 times its length while a critical limit is undecided, or a warning is
    undecided and none has failed.
    """

    look: Duration = Field(default=FULL_LOOK_S, gt=0, description="less than `60s` makes the run a rehearsal")
    pace: float = Field(default=10.0, gt=0, description="requests a second to each endpoint")
    max_rate: float = Field(
        default=50.0, gt=0, description="requests a second in all: with many endpoints the pace of each sinks"
    )
    max_in_flight: int = Field(
        default=10,
        ge=1,
        description="requests to an endpoint at once; those that wait are timed from when they were due, "
        "so that a service that may take over 1 s needs more than 10, or a lower pace",
    )

    @property
    def rehearsal(self) -> bool:
        """Whether it is too short to decide anything for a release."""
        return self.look < FULL_LOOK_S

    def rate(self, endpoints: int) -> float:
        """Requests a second to each of so many endpoints."""
        return min(self.pace, self.max_rate / max(1, endpoints))


def _labels(endpoints: Sequence[EndpointSettings]) -> Mapping[str, Sequence[str]]:
    return {"endpoint": [endpoint.name for endpoint in endpoints]}


CHECK = Check(
    subject="endpoint",
    table="endpoints",
    settings=EndpointSettings,
    several=True,
    metrics=(
        Metric(
            "error_rate",
            Kind.RATE,
            "",
            "share of requests that failed: no answer, or not the expected status",
        ),
        Metric("api_response_time", Kind.LATENCY, "ms", "time to the last byte of an API answer"),
        Metric(
            "body_failure_rate",
            Kind.RATE,
            "",
            "share of 2xx answers whose body fails its check",
            bad="answers had a wrong body",
        ),
        Metric(
            "answers_mislabelled",
            Kind.COUNT,
            "",
            "2xx answers that are not what their content type says",
            good="all {n} answers are what their content type says: {note}",
            bad="{k} of {n} answers are not what their content type says",
        ),
        Metric(
            "answers_stale",
            Kind.COUNT,
            "",
            "answers that are older than `fresh`, or did not change",
            good="its answers are fresh, as {n} showed",
            bad="its answers are not fresh",
        ),
        Metric(
            "api_outage",
            Kind.VALUE,
            "s",
            "longest time in which every request to every endpoint failed",
            good="the longest time without any answer: {k} s",
            bad="every request to every endpoint failed for {k} s",
        ),
    ),
    thresholds=(
        DefaultThreshold("error_rate_critical", "error_rate > 5%", Severity.CRITICAL, bad=True),
        DefaultThreshold("body_failures", "body_failure_rate > 5%", Severity.CRITICAL, bad=True),
        DefaultThreshold("api_p95_critical", "api_response_time_p95 > 5000ms", Severity.CRITICAL, bad=True),
        DefaultThreshold("api_outage", "api_outage < 10s", Severity.CRITICAL),
        DefaultThreshold("error_rate_warning", "error_rate < 2%"),
        DefaultThreshold("answers_labelled", "answers_mislabelled == 0"),
        DefaultThreshold("answers_fresh", "answers_stale == 0"),
        DefaultThreshold("api_p95_suite", "api_response_time_p95 < 500ms"),
        DefaultThreshold("api_p95_script", "api_response_time_p95 < 1000ms"),
    ),
    labels=_labels,
    with_tables={"latency": LatencySettings},
)


def undecidable(
    latency: LatencySettings, endpoints: int, thresholds: Iterable[Threshold], alpha_pass: float
) -> str:
    """Why the longest look, without any failure, could not decide, with the figure needed; "" when it could.

    Args:
        latency: the pace.
        endpoints: how many are asked.
        thresholds: on rates and times of endpoints.
        alpha_pass: the chance of a false pass, over all looks.
    """
    tightest = min(thresholds, key=lambda threshold: threshold.allowed, default=None)
    if tightest is None or not endpoints:
        return ""
    alpha, longest = alpha_pass / len(LOOKS), latency.look * LOOKS[-1]
    needed = COLD_START + (statistics.needed(0, 0, tightest.allowed, alpha, alpha) or 0)
    if latency.rate(endpoints) * longest >= needed:
        return ""
    least = math.ceil(100 * needed / longest) / 100
    wanted = {"pace": (latency.pace, least), "max_rate": (latency.max_rate, least * endpoints)}
    accepted = " and ".join(f"{key} = {figure:g}" for key, (now, figure) in wanted.items() if now < figure)
    each = f" to each of {endpoints} endpoints" if endpoints > 1 else ""
    return (
        f"latency: {latency.rate(endpoints) * longest:,.0f} requests{each} in "
        f"{longest:g} s cannot decide {tightest}, which needs {needed:,}; accepted is at least {accepted}, "
        "or a longer look"
    )
