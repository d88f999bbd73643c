"""The readings of a watch, from its journal: what was read of each metric, and when."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.judging.threshold import parse
from rampgate.model.metrics import Kind, Metric, registry
from rampgate.outcome import Severity
from rampgate.report.series import FRACTIONS, PER_CENT, Mark, Point, Series, quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rampgate.judging.results import Record
    from rampgate.judging.threshold import Threshold


@dataclass(frozen=True)
class Readings:
    """What a watch has read.

    Args:
        begin: of the first round, seconds since the epoch.
        seconds: until the last one.
        rounds: how many there were.
        series: name of each metric -> what was read of it.
        changes: of what is watched.
        beside: from when to when the target was measured beside it, and by whom.
    """

    begin: float
    seconds: float
    rounds: int
    series: dict[str, Series]
    changes: list[Mark]
    beside: list[tuple[float, float, str]]


def read(records: Iterable[Record]) -> Readings | None:
    """What the newest watch of a run has read; None where the journal has no readings."""
    kept = [record for record in records if record["type"] in {"header", "reading", "episode"}]
    rounds = [
        record for record in kept if record["type"] == "reading" and _number(record.get("at")) is not None
    ]
    if not rounds:
        return None
    process = rounds[-1]["process"]
    rounds = sorted((each for each in rounds if each["process"] == process), key=lambda each: each["at"])
    header = next((r for r in kept if r["type"] == "header" and r["process"] == process), {})
    begin = float(rounds[0]["at"])
    series = _series(header, rounds)
    for each in rounds:
        for name, reading in _readings(each).items():
            series[name].counted |= "failures" in reading
            series[name].points.append(_point(series[name], each["at"] - begin, reading))
    for record in kept:
        if record["type"] == "episode" and record["process"] == process:
            _mark(series, record, begin)
    changes = [Mark(each["at"] - begin, str(each["changed"])) for each in rounds if each.get("changed")]
    seconds = max(1.0, float(rounds[-1]["at"]) - begin)
    return Readings(begin, seconds, len(rounds), series, changes, _beside(rounds, begin))


def _series(header: Mapping[str, Any], rounds: Iterable[Record]) -> dict[str, Series]:
    """Every metric that has a rule, then those that are only read."""
    known = registry(header.get("settings", {}).get("metrics", ()))
    found: dict[str, Series] = {}
    for written in header.get("rules", ()):
        if threshold := _threshold(written, known):
            name = threshold.metric
            found.setdefault(name, Series(known[name])).rules[threshold.name] = threshold
    for name in (name for each in rounds for name in _readings(each)):
        found.setdefault(name, Series(known.get(name) or Metric(name, Kind.VALUE, "", "")))
    return found


def _threshold(written: Mapping[str, Any], known: Mapping[str, Metric]) -> Threshold | None:
    try:
        return parse(
            written["source"],
            metric=written["metric"],
            bad=bool(written["bad"]),
            name=str(written["name"]),
            severity=Severity(written["severity"]),
            metrics=known,
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _readings(record: Record) -> dict[str, Any]:
    found = record.get("readings")
    return (
        {str(name): each for name, each in found.items() if isinstance(each, dict)}
        if isinstance(found, dict)
        else {}
    )


def _point(series: Series, at: float, reading: Mapping[str, Any]) -> Point:
    if trouble := reading.get("trouble"):
        return Point(at, None, str(trouble))
    try:
        value, n = _value(series, reading), int(reading.get("n") or 0)
    except (KeyError, ValueError, TypeError, AttributeError):
        value, n = None, 0
    return Point(at, value, "" if value is not None else "it says nothing", n)


def _value(series: Series, reading: Mapping[str, Any]) -> float | None:
    """The number that is drawn: of counts what they come to."""
    kind, value = series.metric.kind, _number(reading.get("value"))
    if "failures" not in reading:
        return value if value is None or kind not in FRACTIONS else PER_CENT * value
    n, failures = int(reading["n"]), int(reading["failures"])
    if kind is Kind.COUNT:
        return float(n)
    if not n:
        return None
    if series.quantile:
        above = {float(edge): int(count) for edge, count in reading["exceedances"].items()}
        return quantile(series.quantile, n, above)
    share = failures / n
    return PER_CENT * (1 - share if kind is Kind.VALUE else share)


def _mark(series: Mapping[str, Series], record: Record, begin: float) -> None:
    """A change of a rule's state; that it can be read, or cannot, is seen by the line."""
    before, after = str(record.get("before")), str(record.get("state"))
    rule, at = str(record.get("rule")), _number(record.get("read_at"))
    about = next((each for each in series.values() if rule in each.rules), None)
    if about is None or {before, after} <= {"ok", "unknown"}:
        return
    at = float(record["time"]) if at is None else at
    about.marks.append(Mark(max(0.0, at - begin), f"{rule}: {before} \N{RIGHTWARDS ARROW} {after}"))


def _beside(rounds: Sequence[Record], begin: float) -> list[tuple[float, float, str]]:
    """When the target was measured beside the watch: from the round before one that says so."""
    found: list[tuple[float, float, str]] = []
    last = begin
    for each in rounds:
        if who := str(each.get("measuring") or ""):
            name = who.partition(" (")[0]
            start = last - begin
            if found and found[-1][2] == name and found[-1][1] >= start:
                start = found.pop()[0]
            found.append((start, each["at"] - begin, name))
        last = each["at"]
    return found


def _number(value: Any) -> float | None:
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    return number if math.isfinite(number) else None
