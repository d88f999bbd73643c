"""[[journeys]]: what users do on the site, step by step in a real browser."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rampgate.checks.frame.check import Check, DefaultThreshold
from rampgate.checks.frame.secrets import Secret
from rampgate.checks.frame.table import Duration, Table
from rampgate.io.text import read_text
from rampgate.model.metrics import Kind, Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class AccountSettings(Table):
    """Who signs in on a journey."""

    email: str
    password: Secret


class JourneySettings(Table):
    """A function of a Python file of yours, in sync Playwright, which visits `target.web`: docs/journeys.md.

    Each visit is a process and a browser of its own. Without a watch there are three; while a watch of the
    stage goes on, one more each `every`. One that fails is made again twice, 2 s apart.
    """

    name: str = Field(
        pattern=r"^[\w-][\w.-]*$",
        max_length=80,
        description="of letters, digits, `_`, `-`, and `.` further on: 80 at most",
    )
    file: Path = Field(description="of Python, relative to the folder of rampgate.toml")
    function: str = Field(default="", description="of that file; none: called as the journey is")
    account: AccountSettings | None = Field(
        default=None, description="`{ email, password }` of who signs in; none: that of `[login]`"
    )
    timeout: Duration = Field(default=60.0, gt=0, description="of a visit, from a browser that is up")
    every: Duration = Field(
        default=300.0, gt=0, description="from one visit to the next while a watch goes on"
    )
    console_errors: Literal["allow", "refuse"] = Field(
        default="allow", description='`"refuse"`: no error may be on the console in each visit'
    )
    requests: Literal["refuse", "allow"] = Field(
        default="refuse",
        description='`"allow"`: requests to the site may fail, for the journey itself lets them fail',
    )
    values: dict[str, str] = Field(default={}, description="handed to it as `journey.values`; no secrets")
    required: bool = True

    @property
    def called(self) -> str:
        """The name of the function."""
        return self.function or self.name


def _labels(journeys: Sequence[JourneySettings]) -> Mapping[str, Sequence[str]]:
    return {"journey": [journey.name for journey in journeys]}


def _problems(journeys: Sequence[JourneySettings], base: Path) -> list[str]:
    """What keeps a journey from being found in its file, which is read and not imported."""
    return [
        f"journeys.{journey.name}.{problem}" for journey in journeys if (problem := _problem(journey, base))
    ]


def _problem(journey: JourneySettings, base: Path) -> str:
    file = str(journey.file)
    try:
        tree = ast.parse(read_text(base / journey.file))
    except OSError as error:
        return f"file: found {file!r}, which cannot be read: {error.strerror}; accepted is a file of Python"
    except (SyntaxError, ValueError) as error:
        where = f", line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else ""
        return f"file: found {file!r}, which is not Python{where}"
    functions = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    fit = [name for name, node in functions.items() if not _unfit(node)]
    node = functions.get(journey.called)
    why = _unfit(node) if node else "which is not in the file"
    if not why:
        return ""
    accepted = ", ".join(fit) or "def name(journey: Journey) -> None, and there is none"
    return f"function: found {journey.called!r} of {file}, {why}; accepted are {accepted}"


def _unfit(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Why a function is no journey, "" when it may be one."""
    if isinstance(node, ast.AsyncFunctionDef):
        return "which is async"
    given = [*node.args.posonlyargs, *node.args.args]
    needed = len(given) - len(node.args.defaults)
    named = sum(default is None for default in node.args.kw_defaults)
    fits = needed <= 1 and (given or node.args.vararg) and not named
    return "" if fits else "which does not take one argument, the journey"


CHECK = Check(
    subject="journey",
    table="journeys",
    settings=JourneySettings,
    several=True,
    metrics=(
        Metric(
            "journey_failures",
            Kind.COUNT,
            "",
            "visits of a journey that failed, and failed when they were made again",
            good="works, visited {n} times",
        ),
        Metric("journey_step_time", Kind.LATENCY, "ms", "time of one step of a journey"),
        Metric(
            "journey_requests_failed",
            Kind.COUNT,
            "",
            "addresses of the site that answered HTTP 5xx (a page 4xx), or not at all, each time asked",
            good="{n} addresses of the site were asked, each answered",
        ),
        Metric(
            "journey_console_errors",
            Kind.COUNT,
            "",
            "errors on the console in each visit of a journey",
            good="no error on the console in each of {n} visits",
        ),
        Metric("journey_lcp", Kind.LATENCY, "ms", "largest contentful paint of pages on a journey"),
        Metric("journey_inp", Kind.LATENCY, "ms", "longest interaction with each page on a journey"),
        Metric(
            "journey_cls", Kind.VALUE, "", "75th percentile of pages on a journey: cumulative layout shift"
        ),
        Metric(
            "journey_layout_shift",
            Kind.VALUE,
            "",
            "largest layout shift of a step in which nothing may move: median of the visits",
        ),
    ),
    thresholds=(
        DefaultThreshold("journey_works", "journey_failures == 0"),
        DefaultThreshold("journey_requests", "journey_requests_failed == 0"),
        DefaultThreshold("journey_console", "journey_console_errors == 0"),
        DefaultThreshold("journey_lcp", "journey_lcp_p75 < 3000ms"),
        DefaultThreshold("journey_inp", "journey_inp_p75 < 200ms"),
        DefaultThreshold("journey_cls", "journey_cls < 0.1"),
        DefaultThreshold("journey_layout_shift", "journey_layout_shift < 0.1"),
    ),
    labels=_labels,
    problems=_problems,
    extra="browser",
    modules=("playwright",),
)
