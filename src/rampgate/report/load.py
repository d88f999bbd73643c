"""Floor 5. Measurements under load as tables: one row per endpoint, stage of the ramp and cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.judging import wording
from rampgate.model.metrics import Kind
from rampgate.outcome import Outcome, worst
from rampgate.report import evidence, words
from rampgate.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.judging.verdict import Record, Verdict
    from rampgate.model.measurement import Measurement

PREFIX = "load/"
_QUANTILES = {"median": 0.5, "p95": 0.95, "p99": 0.99}


class Row(NamedTuple):
    """What is known about one combination of labels."""

    labels: tuple[str, ...]
    requests: str
    failed: str
    median: str
    p95: str
    p99: str
    worst: str
    outcome: str


class Load(NamedTuple):
    """The table of one check."""

    check: str
    labels: tuple[str, ...]
    rows: tuple[Row, ...]


def tables(verdict: Verdict, records: Sequence[Record]) -> list[Load]:
    """One table for each check under load that measured anything."""
    found = []
    for check, seen in evidence.gather(verdict, records).items():
        last = [each for each in seen if each.role != evidence.EARLIER]
        if not check.startswith(PREFIX) or not last:
            continue
        names = tuple(dict.fromkeys(name for each in last for name in each.measurement.labels))
        cells: dict[tuple[str, ...], list[evidence.Seen]] = {}
        for each in last:
            key = tuple(each.measurement.labels.get(name, "") for name in names)
            cells.setdefault(key, []).append(each)
        rows = tuple(_row(key, group) for key, group in cells.items())
        shown = tuple(clean(name.replace("_", " "), 100) for name in names)
        found.append(Load(clean(check.removeprefix(PREFIX), 200), shown, rows))
    return found


def _row(labels: tuple[str, ...], group: Sequence[evidence.Seen]) -> Row:
    counted = next((e.measurement for e in group if words.kind_of(e.measurement.metric) is Kind.RATE), None)
    timed = next((e.measurement for e in group if e.measurement.histogram), None)
    times = dict(quantiles(timed)) if timed else {}
    requests = counted or timed
    outcome = worst(judgement.outcome for each in group for judgement in each.judgements)
    failed = counted.failures if counted else None
    return Row(
        labels=tuple(clean(label, 200) for label in labels),
        requests=f"{requests.n:,}" if requests else "",
        failed=f"{failed:,} ({wording.percent(failed / counted.n)})"
        if counted and counted.n and failed is not None
        else "",
        median=times.get("median", ""),
        p95=times.get("p95", ""),
        p99=times.get("p99", ""),
        worst=times.get("worst", ""),
        outcome=outcome.value if isinstance(outcome, Outcome) else "shown",
    )


def quantiles(seen: Measurement) -> list[tuple[str, str]]:
    """Median, p95, p99 and worst of those that answered, for display; [] without times."""
    if not seen.histogram or not seen.histogram.counts:
        return []
    found = {name: seen.histogram.quantile(q) for name, q in _QUANTILES.items()}
    exact = {"median": seen.details.get("median_ms"), "worst": seen.details.get("worst_ms")}
    found |= {name: value for name, value in exact.items() if isinstance(value, int | float)}
    found.setdefault("worst", seen.histogram.quantile(1.0))
    return [
        (name, f"{wording.number(value)} {seen.unit}") for name, value in found.items() if value is not None
    ]
