"""The journeys section of a report: how often each works, how long its steps take, and what broke it."""

from __future__ import annotations

import re
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.model import formats
from rampgate.model.text import clean
from rampgate.outcome import Outcome
from rampgate.report import evidence, sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rampgate.judging.results import Record, Verdict
    from rampgate.report.evidence import Seen

METRIC = "journey_failures"
VISITS = "visits"
"""In the details of that metric."""
_MOST = 20
"""Journeys, steps and lines that are shown."""
_LONGEST = 300
_FILE = re.compile(r"journeys/[\w.-]+/visit-\d+(?:\.png|-trace\.zip)")
_NUMBER = re.compile(r"visit-(\d+)")
_SECOND = 1000.0


class Step(NamedTuple):
    """One step over all visits: how often it came to its end, and its times; what moved meanwhile."""

    name: str
    n: str
    median: str
    worst: str
    shift: str
    failed: str
    worst_ms: float


class Failure(NamedTuple):
    """A visit that failed.

    Args:
        title: in which step, when.
        why: it failed, and where in the journey's file.
        lists: what else is known of it: a title and lines.
        picture: file of the page as it was, "" without one.
        trace: file of Playwright's trace, "" without one.
    """

    title: str
    why: str
    lists: list[tuple[str, list[str]]]
    picture: str
    trace: str


class Journey(NamedTuple):
    """What the visits of one journey came to."""

    name: str
    outcome: tuple[str, ...]
    line: str
    steps: list[Step]
    failure: Failure | None

    @property
    def broke(self) -> bool:
        """Whether some step did not come to its end."""
        return any(step.failed for step in self.steps)


def section(verdict: Verdict, records: Sequence[Record]) -> list[Journey]:
    """What the journal has of journeys, those that failed first; [] of a run without any."""
    results = {result.check: result for result in verdict.checks}
    found: dict[str, Journey] = {}
    for check, seen in evidence.gather(verdict, records).items():
        for each in seen:
            if each.measurement.metric == METRIC and each.role != evidence.EARLIER:
                name = each.measurement.labels.get("journey", "")
                words = tuple(sentences.weighted(results[check])) if check in results else ("shown",)
                found[name] = _journey(name, words, each)
    passed = Outcome.PASSED.value
    return sorted(found.values(), key=lambda journey: journey.outcome[0] == passed)[:_MOST]


def _journey(name: str, outcome: tuple[str, ...], seen: Seen) -> Journey:
    measurement = seen.measurement
    visits = [each for each in _list(measurement.details.get(VISITS)) if isinstance(each, dict)]
    failed = [each for each in visits if each.get("outcome") == "failed"]
    rounds = "1 round" if measurement.n == 1 else f"{measurement.n:,} rounds"
    line = f"{rounds}, {len(visits):,} visit{'' if len(visits) == 1 else 's'}, {len(failed)} failed"
    folder = str(measurement.details.get("folder", ""))
    failure = _failure(failed[-1], folder, len(failed) - 1) if failed else None
    return Journey(clean(name, 100), outcome, line, list(_steps(visits))[:_MOST], failure)


def _steps(visits: Sequence[Mapping[str, Any]]) -> Iterator[Step]:
    """The steps in the order in which visits came to them."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for visit in visits:
        for step in _list(visit.get("steps")):
            if isinstance(step, dict):
                found.setdefault(str(step.get("name", "")), []).append(step)
    for name, steps in found.items():
        times = [step["ms"] for step in steps if step.get("ok") and isinstance(step.get("ms"), int | float)]
        shifts = [each["shift"] for each in steps if isinstance(each.get("shift"), int | float)]
        failed = sum(not step.get("ok") for step in steps)
        yield Step(
            clean(name, 100),
            f"{len(times):,}",
            _seconds(median(times)) if times else "",
            _seconds(max(times)) if times else "",
            formats.number(median(shifts)) if shifts else "",
            f"{failed:,}" if failed else "",
            max(times, default=0.0),
        )


def _failure(visit: Mapping[str, Any], folder: str, others: int) -> Failure:
    step, picture = clean(str(visit.get("step") or ""), 100), _file(folder, visit.get("screenshot"))
    numbered = f"Visit {found[1]}" if (found := _NUMBER.search(picture)) else "A visit"
    title = f"{numbered} failed" + (
        f" in the step \N{LEFT DOUBLE QUOTATION MARK}{step}\N{RIGHT DOUBLE QUOTATION MARK}" if step else ""
    )
    if others:
        title += f"; {others:,} more failed: {clean(folder, 100)}"
    place = f" ({visit['place']})" if visit.get("place") else ""
    requests = visit.get("failed_requests")
    requests = requests if isinstance(requests, dict) else {}
    lists = [
        ("Its steps", list(_taken(visit))),
        ("Errors on the console", [str(line) for line in _list(visit.get("console"))]),
        ("Failed requests", [f"{at}: {', '.join(map(str, _list(whys)))}" for at, whys in requests.items()]),
        ("Besides", [str(note) for note in _list(visit.get("notes"))]),
    ]
    return Failure(
        title,
        clean(f"{visit.get('why', '')}{place}", 2 * _LONGEST),
        [(name, _bounded(lines)) for name, lines in lists if lines],
        picture,
        _file(folder, visit.get("trace")),
    )


def _taken(visit: Mapping[str, Any]) -> Iterator[str]:
    for step in _list(visit.get("steps")):
        if isinstance(step, dict):
            ms, ok = step.get("ms"), step.get("ok")
            time = _seconds(ms) if isinstance(ms, int | float) else "never ended"
            yield f"{step.get('name', '')}: {time}{'' if ok else ', failed'}"


def _bounded(lines: Sequence[str]) -> list[str]:
    more = [f"… and {len(lines) - _MOST:,} more"] if len(lines) > _MOST else []
    return [*(clean(line, _LONGEST) for line in lines[:_MOST]), *more]


def _file(folder: str, name: Any) -> str:
    """A file of a visit, where it lies in the run's own folder for journeys."""
    path = f"{folder}/{name}"
    return path if isinstance(name, str) and _FILE.fullmatch(path) and "/.." not in path else ""


def _seconds(ms: float) -> str:
    return f"{formats.number(ms / _SECOND)} s" if ms >= _SECOND else f"{formats.number(ms)} ms"


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
