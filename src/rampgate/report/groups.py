"""Rows of a table: all that is behind a check that is not passed; a line for a group of those that are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.model import formats
from rampgate.model.metrics import METRICS, Kind
from rampgate.model.text import clean
from rampgate.outcome import Outcome
from rampgate.report import sentences

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rampgate.judging.judge import Judgement
    from rampgate.judging.results import CheckResult, Verdict

_MOST = 4
_RESPONSES = {"api_response_time", "http_req_duration"}
"""Of these a percentile needs no name."""


class Group(NamedTuple):
    """Checks that passed.

    Args:
        name: of the group, with how many checks it has.
        summary: the worst of what was measured, in a line; the names of the checks where that is nothing.
        results: the checks.
    """

    name: str
    summary: str
    results: tuple[CheckResult, ...]


def passed(verdict: Verdict) -> list[Group]:
    """The groups, in the order of the plan."""
    found: dict[tuple[str, str], list[CheckResult]] = {}
    for result in verdict.checks:
        if result.outcome is Outcome.PASSED:
            where = sentences.place(result.check)
            found.setdefault((where.stage, where.file), []).append(result)
    stages, names = {stage for stage, _ in found}, sentences.short_names(verdict.checks)
    return [
        Group(
            _name(stage, file, len(results), several=len(stages) > 1),
            summary(results) or _listed([names[result.check] for result in results]),
            tuple(results),
        )
        for (stage, file), results in found.items()
    ]


def rows(result: CheckResult, name: str) -> list[list[str]]:
    """A check that is not passed: name, measured, limit, n and outcome of all that is behind its outcome."""
    found = [
        [
            sentences.about(dict(judgement.labels), result.check),
            sentences.short(judgement),
            sentences.limit(judgement) + (f" (+{more})" if more else ""),
            f"{judgement.n:,}" if judgement.n else "",
            _outcome(judgement),
        ]
        for judgement, more in result.behind
    ]
    # What the check came to by itself, where no judgement says the same.
    if result.outcome not in {judgement.outcome for judgement in result.judgements}:
        found.insert(0, ["", "", "", "", " ".join(sentences.weighted(result))])
    for row in found:
        row[0] = f"  {row[0]}" if row is not found[0] else f"{name} ({row[0]})" if row[0] else name
    return found


def _outcome(judgement: Judgement) -> str:
    failed = judgement.outcome is Outcome.FAILED
    return f"{judgement.outcome.value} {judgement.severity.value}" if failed else judgement.outcome.value


def summary(results: Iterable[CheckResult]) -> str:
    """The worst that was measured of each metric; of what is only counted, the sentence."""
    worst: dict[str, Judgement] = {}
    for judgement in (each for result in results for each in result.judgements):
        key = judgement.sentence if _remarked(judgement) else sentences.quantile(judgement) + judgement.metric
        known = worst.get(key)
        if judgement.measured is not None and (known is None or _worse(judgement, known)):
            worst[key] = judgement
    lines = [line for judgement in worst.values() if (line := _line(judgement))]
    return _listed(lines)


def _listed(lines: list[str]) -> str:
    return "; ".join([*lines[:_MOST], *(["…"] if len(lines) > _MOST else [])])


def _name(stage: str, file: str, count: int, *, several: bool) -> str:
    parts = [stage if several or not file else "", file.replace("_", " ")]
    checks = "1 check" if count == 1 else f"{count:,} checks"
    return clean(f"{': '.join(part for part in parts if part) or 'others'} ({checks})", 200)


def _worse(one: Judgement, other: Judgement) -> bool:
    if sentences.kind_of(one.metric) is Kind.SHARE:
        return _scatter(one) > _scatter(other)
    high = (one.measured or 0.0) > (other.measured or 0.0)
    return not high if sentences.kind_of(one.metric) is Kind.SCORE else high


def _scatter(judgement: Judgement) -> float:
    """The variance of a share by chance: the larger it is, the larger an error of it has to be to show."""
    return judgement.limit * (1 - judgement.limit) / max(1, judgement.n)


def _line(judgement: Judgement) -> str:
    """What is worth a word of one judgement; a state that is as it should be is not."""
    kind, value = sentences.kind_of(judgement.metric), judgement.measured or 0.0
    amount = ("up to " if value else "") + sentences.amount(judgement.metric, value, judgement.unit)
    subject = sentences.words(judgement.metric)
    if kind is Kind.RATE:
        return f"{subject} {amount}"
    if kind is Kind.LATENCY:
        about = "" if judgement.metric in _RESPONSES else f"{subject} "
        return f"{about}{sentences.quantile(judgement)}{amount}"
    if kind is Kind.SHARE:
        return f"{judgement.n:,} users: {judgement.sentence.rpartition('; ')[2]}"
    if kind is Kind.SCORE:
        return f"{subject.removeprefix('lighthouse ')} {formats.number(value)} or more"
    if _remarked(judgement):
        return judgement.line("")
    return judgement.sentence if kind is Kind.COUNT else ""


def _remarked(judgement: Judgement) -> bool:
    """Whether its sentence is what the probe remarked, so that it says more than that all is well."""
    metric = METRICS.get(judgement.metric)
    return bool(metric and metric.good == "{note}")
