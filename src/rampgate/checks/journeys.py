"""[[journeys]]: what users do on the site, step by step in a real browser."""

from __future__ import annotations

import ast
from collections import Counter
from functools import reduce
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import Field

from rampgate.checks.frame.check import Check, DefaultThreshold
from rampgate.checks.frame.secrets import Secret
from rampgate.checks.frame.table import Duration, Table
from rampgate.io.text import read_text
from rampgate.model.measurement import Histogram, Measurement
from rampgate.model.metrics import Kind, Metric

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rampgate.journeys.record import Visit

_P75 = 0.75
Edges: TypeAlias = "Mapping[str, Collection[float]]"
_SHOWN = 3


class AccountSettings(Table):
    """Who signs in on a journey."""

    email: str
    password: Secret


class JourneySettings(Table):
    """A function of a Python file of yours, in sync Playwright, which visits `target.web`: docs/journeys.md.

    Each visit is a process and a browser of its own. Without a watch there are three; while a watch of the
    stage goes on, one more each `every`. One that fails is made again twice, 2 s apart.
    """

    name: str = Field(pattern=r"^[\w.-]+$", description="of letters, digits, `_`, `-` and `.`")
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
            "addresses of the site that answered HTTP 5xx, or not at all, in each visit that asked them",
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


def works(journey: JourneySettings, rounds: Sequence[Sequence[Visit]], folder: str) -> Measurement:
    """``journey_failures``: of rounds, each a visit and those that were made again because it failed.

    Args:
        journey: one of [[journeys]].
        rounds: those in which something could be said.
        folder: of their records, in the run's.
    """
    visits = [visit for each in rounds for visit in each]
    failed = [each[-1] for each in rounds if not any(visit.outcome == "passed" for visit in each)]
    some = [visit for visit in visits if visit.outcome == "failed"]
    why = where(failed[-1]) if failed else ""
    times = f" (in {len(failed)} of {len(rounds)} rounds of visits)" if len(rounds) > 1 and failed else ""
    shown = f"{len(some)} of {len(visits)} visits failed: {where(some[-1])}" if some else ""
    return _measured(
        journey,
        "journey_failures",
        float(len(failed)),
        n=len(rounds),
        note=f"{why}{times}" if failed else shown,
        details={
            "folder": folder,
            "made": len(visits),
            "failed": len(some),
            "visits": [{**visit.to_json(), "console": [], "documents": [], "asked": {}} for visit in visits],
        },
    )


def where(visit: Visit) -> str:
    """What one visit that did not pass says."""
    step = f"step {visit.step!r}: " if visit.step else ""
    return f"{step}{visit.why}{f' ({visit.place})' if visit.place else ''}"


def judged(journey: JourneySettings, visits: Sequence[Visit], edges: Edges) -> list[Measurement]:
    """What else its visits measured: requests, console, layout, and the times of steps.

    Args:
        journey: one of [[journeys]].
        visits: those that passed or failed, at least one.
        edges: metric -> times in ms above which is counted.
    """
    steps: dict[str, list[Any]] = {}
    for visit in visits:
        for step in visit.steps:
            if step.ok:
                steps.setdefault(step.name, []).append(step)
    found = [_requests(journey, visits), *_console(journey, visits)]
    shifts = {name: median(step.shift for step in own) for name, own in steps.items() if own[-1].still}
    if shifts:
        worst = max(shifts, key=lambda name: shifts[name])
        note = f"in step {worst!r}"
        found.append(_measured(journey, "journey_layout_shift", shifts[worst], n=len(visits), note=note))
    found += [
        _times(journey, "journey_step_time", [step.ms for step in own], edges, name)
        for name, own in steps.items()
    ]
    return found


def vitals(journey: JourneySettings, visits: Iterable[Visit], edges: Edges) -> list[Measurement]:
    """``journey_lcp``, ``journey_inp`` and ``journey_cls``, of each page that was loaded on the way.

    Args:
        journey: one of [[journeys]].
        visits: those that passed or failed.
        edges: metric -> times in ms above which is counted.
    """
    pages = [document for visit in visits for document in visit.documents]
    of = {
        vital: [page[vital] for page in pages if page[vital] is not None] for vital in ("lcp", "inp", "cls")
    }
    found = []
    if of["lcp"]:
        found.append(_times(journey, "journey_lcp", of["lcp"], edges))
    if of["inp"]:
        found.append(_times(journey, "journey_inp", of["inp"], edges))
    if of["cls"]:
        ordered = sorted(of["cls"])
        value = ordered[min(len(ordered) - 1, int(_P75 * len(ordered)))]
        found.append(_measured(journey, "journey_cls", value, n=len(ordered)))
    return found


def _requests(journey: JourneySettings, visits: Sequence[Visit]) -> Measurement:
    """What fails now and then is the API's error rate; what fails each time it is asked is told here."""
    asked: Counter[str] = reduce(lambda total, visit: total + Counter(visit.asked), visits, Counter())
    failed = Counter(place for visit in visits for place, whys in visit.failed_requests.items() for _ in whys)
    whys = {place: why[-1] for visit in visits for place, why in visit.failed_requests.items()}
    always = [place for place, count in failed.items() if count >= asked[place]]
    note = _listed([f"{place}: {whys[place]}, each of {asked[place]} times" for place in always])
    return _measured(
        journey,
        "journey_requests_failed",
        float(len(always)),
        n=len(asked) or 1,
        note=note,
        details={"failed": {place: f"{count} of {asked[place]}" for place, count in failed.items()}},
    )


def _console(journey: JourneySettings, visits: Sequence[Visit]) -> list[Measurement]:
    """Errors that each visit has on the console; of visits that passed, where any did."""
    whole = [visit for visit in visits if visit.outcome == "passed"] or visits
    lines = Counter(line for visit in whole for line in dict.fromkeys(visit.console))
    always = [line for line, count in lines.items() if count == len(whole)]
    if not lines and journey.console_errors == "allow":
        return []
    return [
        _measured(
            journey,
            "journey_console_errors",
            float(len(always)),
            n=len(whole),
            note=_listed(always),
            details={"lines": dict(lines.most_common(_SHOWN))},
        )
    ]


def _listed(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more


def _times(
    journey: JourneySettings, metric: str, times: Sequence[float], edges: Edges, step: str = ""
) -> Measurement:
    """Times in ms, with how many are longer than each edge."""
    return Measurement(
        metric,
        "ms",
        n=len(times),
        exceedances={edge: sum(time > edge for time in times) for edge in edges.get(metric, ())},
        histogram=Histogram.of(times),
        labels={"journey": journey.name, **({"step": step} if step else {})},
        details={"worst": max(times)},
    )


def _measured(
    journey: JourneySettings,
    metric: str,
    value: float,
    *,
    n: int,
    note: str = "",
    details: Mapping[str, Any] | None = None,
) -> Measurement:
    labels = {"journey": journey.name}
    return Measurement(metric, n=n, value=value, labels=labels, note=note, details=dict(details or {}))
