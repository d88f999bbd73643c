"""What the visits of a journey measured: how often it works, what fails each time, how the page is drawn."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any, TypeAlias

from rampgate.model.measurement import Histogram, Measurement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rampgate.checks.journeys import JourneySettings
    from rampgate.journeys.record import Step, Visit

_P75 = 0.75
_SHOWN, _LINES = 3, 20
Edges: TypeAlias = "Mapping[str, Collection[float]]"


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
            "visits": [_shown(visit) for visit in visits],
        },
    )


def _shown(visit: Visit) -> dict[str, Any]:
    """A visit as the report shows it; what its record has beside that lies in the run's folder."""
    left_out: dict[str, Any] = {"documents": [], "asked": {}}
    if visit.outcome == "passed":
        return {**visit.to_json(), **left_out, "console": [], "failed_requests": {}}
    failed = dict(list(visit.failed_requests.items())[:_LINES])
    return {**visit.to_json(), **left_out, "console": visit.console[:_LINES], "failed_requests": failed}


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
    steps: dict[str, list[Step]] = {}
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
        _times(journey, "journey_step_time", [step.ms or 0.0 for step in own], edges, name)
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
    asked: Counter[str] = Counter()
    for visit in visits:
        asked.update(visit.asked)
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
