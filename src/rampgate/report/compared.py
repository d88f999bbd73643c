"""Numbers side by side: before the deploy and now, and the vitals of users beside those of our own visits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.model import formats
from rampgate.model.text import clean
from rampgate.report import evidence, sentences, watch
from rampgate.report.series import quantile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rampgate.judging.results import Record, Verdict
    from rampgate.model.measurement import Measurement

_VITALS = ("lcp", "inp", "cls")
_USERS, _VISITS = "web_vitals_", "journey_"
_FROM_USERS = "users, as the deployment collects them"
_P75 = 0.75
_MOST = 40
_BEYOND = "beyond noise"


class Difference(NamedTuple):
    """One number before and now: both with how many observations, what that says, and which reason it has."""

    name: str
    before: str
    now: str
    difference: str
    why: int


class Differences(NamedTuple):
    """All of them, those beyond noise first, with the run before and the reasons, numbered from 1."""

    run: str
    rows: list[Difference]
    reasons: list[str]


class Vitals(NamedTuple):
    """Vitals side by side: the names of the columns, and for each vital a cell a column."""

    columns: list[str]
    rows: list[tuple[str, list[str]]]


def differences(verdict: Verdict, records: Sequence[Record]) -> Differences:
    """Every number that has a counterpart in the run that this one is compared with."""
    found = Differences("", [], [])
    for measurement in _measurements(verdict, records):
        before = measurement.details.get("before")
        if isinstance(before, dict) and len(found.rows) < _MOST:
            found = found._replace(run=found.run or clean(str(before.get("run", "")), 100))
            found.rows.append(_difference(measurement, before, found.reasons))
    found.rows.sort(key=lambda row: row.difference != _BEYOND)
    return found


def _difference(now: Measurement, before: Mapping[str, Any], reasons: list[str]) -> Difference:
    value, n, why = before.get("value"), before.get("n"), clean(str(before.get("why", "")), 200)
    known = isinstance(value, int | float) and not isinstance(value, bool)
    was = sentences.amount(now.metric, float(value or 0.0), now.unit) if known else "no value"
    of = f" of {n:,}" if isinstance(n, int) and n else ""
    reasons += [why] if why and why not in reasons else []
    number = reasons.index(why) + 1 if why else 0
    said = clean(str(before.get("difference", "")), 60)
    return Difference(sentences.title(now, ""), f"{was}{of}", _now(now), said, number)


def _now(seen: Measurement) -> str:
    """A value with how many observations."""
    return sentences.shown_value(seen) + (f" of {seen.n:,}" if seen.n > 1 else "")


def vitals(verdict: Verdict, records: Sequence[Record]) -> Vitals | None:
    """LCP, INP and CLS as the deployment collects them from its users, beside those of our own visits."""
    cells: dict[str, dict[str, str]] = {_FROM_USERS: {}}
    for seen in _measurements(verdict, records):
        for vital in _VITALS:
            if seen.metric == f"{_USERS}{vital}":
                cells[_FROM_USERS][vital] = _p75(seen)
            elif seen.metric == f"{_VISITS}{vital}":
                name = f"visits: {seen.labels.get('journey', '')}"
                cells.setdefault(clean(name, 100), {})[vital] = _p75(seen)
    cells = {name: column for name, column in cells.items() if column}
    if not cells:
        return None
    known = [vital for vital in _VITALS if any(vital in column for column in cells.values())]
    return Vitals(
        list(cells),
        [(vital.upper(), [column.get(vital, "") for column in cells.values()]) for vital in known],
    )


def _p75(seen: Measurement) -> str:
    of = f" of {seen.n:,}" if seen.n > 1 else ""
    value = seen.histogram.quantile(_P75) if seen.histogram else None
    if value is None and seen.value is None and seen.exceedances:
        value = quantile(_P75, seen.n, seen.exceedances)
    return _now(seen) if value is None else f"{formats.number(value)} {seen.unit}".rstrip() + of


def _measurements(verdict: Verdict, records: Sequence[Record]) -> Iterator[Measurement]:
    """Those that count; of a watch what the stage makes of it."""
    for check, gathered in evidence.gather(verdict, records).items():
        for seen in gathered:
            if seen.role != evidence.EARLIER and not check.startswith(watch.PREFIX):
                yield seen.measurement
