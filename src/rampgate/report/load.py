"""The load section of a report: drawings over time, how times are spread, and what was measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.judging import sentences as judging
from rampgate.model import formats
from rampgate.model.metrics import Kind
from rampgate.model.text import clean
from rampgate.outcome import Outcome, worst
from rampgate.report import charts, evidence, sentences, timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rampgate.judging.results import Record, Verdict
    from rampgate.model.measurement import Measurement
    from rampgate.report.evidence import Seen

PREFIX = "load/"
SLICES = "load/slices"
_PLATEAU, _WHOLE = "load/plateau[", "load/whole run"
_ORDER = ("ramp_stage", "endpoint", "cohort")
_QUANTILES = {"median": 0.5, "p95": 0.95, "p99": 0.99}
_COUNTED = {Kind.RATE, Kind.LATENCY}
NUMBERS = ("requests", "failed", "median", "p95", "p99", "worst", "connect")


class Row(NamedTuple):
    """What is known about one combination of labels: a cell for each of NUMBERS, and how it was judged."""

    labels: tuple[str, ...]
    numbers: tuple[str, ...]
    outcome: tuple[str, ...]


class Table(NamedTuple):
    """Rows with the names of their labels."""

    title: str
    labels: tuple[str, ...]
    rows: tuple[Row, ...]


def section(verdict: Verdict, records: Sequence[Record]) -> dict[str, Any] | None:
    """What the journal has of a load run; None of a run without one."""
    seen = {
        check: [each for each in found if each.role != evidence.EARLIER]
        for check, found in evidence.gather(verdict, records).items()
        if check.startswith(PREFIX)
    }
    line = timeline.read(records)
    found: dict[str, Any] = {
        "drawings": timeline.drawings(line, records) if line else [],
        "stages": timeline.stage_names(line) if line else [],
        "spreads": _spreads(seen),
        "tables": _tables(seen),
        "checks": _checks(seen.get(_WHOLE, ())),
        "facts": _facts(seen),
    }
    return {**found, "numbers": NUMBERS} if any(found.values()) else None


def quantiles(seen: Measurement) -> list[tuple[str, str]]:
    """Median, p95, p99 and worst of those that answered, for display; [] without times."""
    if not seen.histogram or not seen.histogram.counts:
        return []
    found = {name: seen.histogram.quantile(q) for name, q in _QUANTILES.items()}
    found["worst"] = seen.histogram.quantile(1.0)
    # None counts too: it lies among those that never answered.
    exact = {name: seen.details[f"{name}_ms"] for name in found if f"{name}_ms" in seen.details}
    found |= {name: value for name, value in exact.items() if isinstance(value, int | float | None)}
    return [
        (name, f"{formats.number(value)} {seen.unit}") for name, value in found.items() if value is not None
    ]


def _tables(seen: Mapping[str, Sequence[Seen]]) -> list[Table]:
    """What the checks are about, and every other slice: ramp stage, endpoint and cohort."""
    judged = [each for check, found in seen.items() if check != SLICES for each in found]
    tables = (
        _table("Judged", judged),
        _table("Every slice: too small to pass by itself, and only a failure counts", seen.get(SLICES, ())),
    )
    return [table for table in tables if table.rows]


def _table(title: str, seen: Iterable[Seen]) -> Table:
    counted = [each for each in seen if sentences.kind_of(each.measurement.metric) in _COUNTED]
    found = dict.fromkeys(name for each in counted for name in each.measurement.labels)
    names = sorted(found, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))
    rows: dict[tuple[str, ...], list[Seen]] = {}
    for each in counted:
        key = tuple(each.measurement.labels.get(name, "") for name in names)
        rows.setdefault(key, []).append(each)
    shown = tuple(clean(name.replace("_", " "), 100) for name in names)
    return Table(title, shown, tuple(_row(key, group) for key, group in rows.items()))


def _row(labels: tuple[str, ...], group: Sequence[Seen]) -> Row:
    counted = next(
        (e.measurement for e in group if sentences.kind_of(e.measurement.metric) is Kind.RATE), None
    )
    timed = next((e.measurement for e in group if e.measurement.histogram), None)
    times = dict(quantiles(timed)) if timed else {}
    requests = counted or timed
    failed = counted.failures if counted else None
    how = judging.statuses(counted.details) if counted and failed else ""
    connect = timed.details.get("connect_median_ms") if timed else None
    share = failed is not None and counted and counted.n and formats.percent(failed / counted.n)
    numbers = {
        **times,
        "requests": f"{requests.n:,}" if requests else "",
        "failed": f"{failed:,} ({share}) {how}".rstrip() if share else "",
        "connect": f"{formats.number(connect)} ms" if isinstance(connect, int | float) else "",
    }
    cells = tuple(numbers.get(name, "") for name in NUMBERS)
    return Row(tuple(clean(label, 200) for label in labels), cells, _outcome(group))


def _outcome(group: Iterable[Seen]) -> tuple[str, ...]:
    """The worst, and of a failure its weight."""
    judgements = [judgement for each in group for judgement in each.judgements]
    outcome = worst(judgement.outcome for judgement in judgements)
    if outcome is not Outcome.FAILED:
        return (outcome.value if outcome else "shown",)
    failed = [judgement.severity.value for judgement in judgements if judgement.outcome is outcome]
    return outcome.value, min(failed)  # critical before warning


def _spreads(seen: Mapping[str, Sequence[Seen]]) -> list[tuple[str, str]]:
    """A title and a drawing per endpoint and cohort over the plateau, all on one scale."""
    chosen: dict[tuple[str, str], Seen] = {}
    for each in _plateau(seen):
        labels = each.measurement.labels
        chosen.setdefault((labels["endpoint"], labels.get("cohort", "")), each)
    split = {endpoint for endpoint, cohort in chosen if cohort}
    shown = {key: each for key, each in chosen.items() if key[1] or key[0] not in split}
    scale = charts.scale_of([each.measurement.histogram for each in shown.values()], _limits(shown.values()))
    return [
        (
            clean(", ".join(text for text in key if text), 200),
            charts.spread(found, _limits([each]), each.measurement.unit, scale=scale, bins=each.bins)
            if (found := each.measurement.histogram)
            else "",
        )
        for key, each in shown.items()
    ]


def _plateau(seen: Mapping[str, Sequence[Seen]]) -> Iterator[Seen]:
    """Times of endpoints over the plateau: those that are judged there, and the slices of that ramp stage."""
    of_plateau = [each for check, found in seen.items() if check.startswith(_PLATEAU) for each in found]
    stages = {each.measurement.labels.get("ramp_stage") for each in of_plateau}
    slices = [e for e in seen.get(SLICES, ()) if e.measurement.labels.get("ramp_stage") in stages]
    for each in (*of_plateau, *slices):
        histogram = each.measurement.histogram
        if histogram and histogram.counts and "endpoint" in each.measurement.labels:
            yield each


def _limits(seen: Iterable[Seen]) -> dict[str, float]:
    return {
        clean(f"{formats.number(judgement.limit)} {judgement.unit}", 40): judgement.limit
        for each in seen
        for judgement in each.judgements
        if judgement.limit > 0
    }


def _checks(whole: Sequence[Seen]) -> list[tuple[str, str, str]]:
    """What the journey checks of every request of the run: name, share, and how many of how many."""
    found: dict[str, tuple[str, str, str]] = {}
    for seen in whole:
        checks = seen.measurement.details.get("checks")
        for name, counted in checks.items() if isinstance(checks, dict) else ():
            met = counted.get("passed", 0)
            if of := met + counted.get("failed", 0):
                # Rounded down: all but one of 100,000 are not 100 %.
                share = math.floor(10_000 * met / of) / 100
                found[name] = clean(name, 100), f"{share:g} %", f"{met:,} of {of:,}"
    return list(found.values())


def _facts(seen: Mapping[str, Sequence[Seen]]) -> list[tuple[tuple[str, ...], tuple[str, ...], str]]:
    """What counts no requests: check, subject, value and limit; how it was judged; and further numbers."""
    return [
        (
            (
                clean(check.removeprefix(PREFIX), 200),
                sentences.about(dict(each.measurement.labels), check),
                sentences.shown(each.measurement),
                ", ".join(sentences.limit(judgement) for judgement in each.judgements),
            ),
            _outcome([each]),
            _more(each.measurement),
        )
        for check, found in seen.items()
        for each in found
        if sentences.kind_of(each.measurement.metric) not in _COUNTED
    ]


def _more(seen: Measurement) -> str:
    """The numbers beside the measured one, in words."""
    numbers = {name: value for name, value in seen.details.items() if isinstance(value, int | float)}
    shown = ", ".join(
        f"{clean(name.replace('_', ' '), 60)} {formats.number(v)}" for name, v in numbers.items()
    )
    return "; ".join(text for text in (seen.note, shown) if text)
