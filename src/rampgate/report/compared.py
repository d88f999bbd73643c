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


class Difference(NamedTuple):
    """One number before and now: what of it, both with how many observations, and what that says."""

    name: str
    before: str
    now: str
    difference: str
    why: str


class Vitals(NamedTuple):
    """Vitals side by side: the names of the columns, and for each vital a cell a column."""

    columns: list[str]
    rows: list[tuple[str, list[str]]]


def differences(verdict: Verdict, records: Sequence[Record]) -> tuple[str, list[Difference]]:
    """The run that this one is compared with, and every number that has a counterpart there."""
    found, run = [], ""
    for measurement in _measurements(verdict, records):
        before = measurement.details.get("before")
        if isinstance(before, dict):
            run = run or clean(str(before.get("run", "")), 100)
            found.append(_difference(measurement, before))
    return run, found[:_MOST]


def _difference(now: Measurement, before: Mapping[str, Any]) -> Difference:
    value, n = before.get("value"), before.get("n")
    known = isinstance(value, int | float) and not isinstance(value, bool)
    was = sentences.amount(now.metric, float(value or 0.0), now.unit) if known else "no value"
    of = f" of {n:,}" if isinstance(n, int) and n else ""
    return Difference(
        sentences.title(now, ""),
        f"{was}{of}",
        _now(now),
        clean(str(before.get("difference", "")), 60),
        clean(str(before.get("why", "")), 200),
    )


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
