"""The file for ``promtool test rules`` that proves exported rules, made from one table. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rampgate.model.promql_selectors import Selector, labels_of, plain, samples, series_text
from rampgate.outcome import Severity
from rampgate.watch.prometheus_cases import (
    CLEAN,
    Case,
    cases,
    count_at,
    failed_at,
    sizes,
    value_at,
)
from rampgate.watch.prometheus_rules import DEAD_MAN, HEARTBEAT, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rampgate.watch.prometheus_rules import AlertingRule, Companion, Export

STALE = "stale"
_TAIL = 3


def untested(rule: AlertingRule, interval: float) -> str:
    """Why there are no rows of a rule; "" where there are."""
    if rule.entry.value is not None and plain(rule.entry.value) is None:
        return "its expression calculates, so that no samples follow from its limit"
    if rule.rule.threshold.min_n and rule.entry.responses and plain(rule.entry.responses) is None:
        return "its responses are calculated, so that no samples follow from how many are needed"
    if rule.entry.counted and rule.window % interval:
        return f"its window is no multiple of {span(interval)}"
    if not input_series(next(cases(rule, interval)), interval, {}):
        return "no series are found that its selectors select"
    return ""


def counted(case: Case, interval: float, buckets: Iterable[float]) -> dict[str, list[float]]:
    """What each counter of a rule's metric says at each step, from 0 on: ``total`` and the others.

    Args:
        case: the row.
        interval: seconds between two readings.
        buckets: the edges of a histogram, ms.
    """
    rule = case.rule
    if rule.entry.count is not None:
        period = round(rule.window / interval)
        bursts = (count_at(rule, level or 0) if not at % period else 0 for at, level in enumerate(case.steps))
        return {"count": _summed(bursts)}
    total, _ = sizes(rule)
    bad = [failed_at(rule, CLEAN if level is None else level) for level in case.steps]
    found = {"total": _summed(total for _ in bad)}
    if rule.entry.failed is not None:
        return {**found, "failed": _summed(bad)}
    limit = rule.rule.threshold.limit
    for edge in sorted({*buckets, limit}):
        share = 1 if edge > limit else 1 if edge == limit else 2
        found[f"{edge:g}"] = _summed((total - (0 if edge > limit else each)) // share for each in bad)
    return found


def _summed(increments: Iterable[int]) -> list[float]:
    values = [0.0]
    for each in increments:
        values.append(values[-1] + each)
    return values


def input_series(case: Case, interval: float, buckets: Iterable[float]) -> dict[str, list[float | str]]:
    """The samples of a row, from step 0 on; none where no series are found that the selectors select."""
    rule = case.rule
    wanted = _wanted_value(case) if rule.entry.value else _wanted_counts(case, interval, buckets)
    found = samples(wanted) or {}
    missing = [at for at, level in enumerate(case.steps, 1) if level is None]
    series: dict[str, list[float | str]] = {}
    for text, values in found.items():
        series[text] = list(values)
        for at in missing:
            series[text][at] = STALE
    return series


def _wanted_value(case: Case) -> list[tuple[Selector, Sequence[float]]]:
    rule = case.rule
    found = plain(rule.entry.value or "")
    if found is None:
        return []
    values = [value_at(rule, CLEAN if level is None else level) for level in (CLEAN, *case.steps)]
    wanted: list[tuple[Selector, Sequence[float]]] = [(found[0], values)]
    if rule.entry.responses and (of := plain(rule.entry.responses)):
        wanted.append((of[0], [float(rule.rule.threshold.min_n)] * len(values)))
    return wanted


def _wanted_counts(
    case: Case, interval: float, buckets: Iterable[float]
) -> list[tuple[Selector, Sequence[float]]]:
    entry, limit = case.rule.entry, f"{case.rule.rule.threshold.limit:g}"
    found: list[tuple[Selector, Sequence[float]]] = []
    for kind, values in counted(case, interval, buckets).items():
        if kind in entry.expressions:
            found.append((Selector.parse(entry.expressions[kind]), values))
        elif kind == limit:
            found.append((case.rule.bucket, values))
        else:
            edge = Selector.parse(entry.buckets or "").where("le", "=", f"{float(kind) / 1000:g}")
            found.append((edge, values))
    return found


def test_file(export: Export, rules_file: str) -> dict[str, Any]:
    """The file for ``promtool test rules``.

    Args:
        export: the rules.
        rules_file: where they are, seen from this file.
    """
    interval = export.interval
    tests = [
        _test(case, interval, export.buckets)
        for rule in export.rules
        if not untested(rule, interval)
        for case in cases(rule, interval)
    ]
    tests += [test for each in export.companions.values() for test in _missing(each, interval)]
    tests += _heartbeat(export)
    return {"rule_files": [rules_file], "evaluation_interval": span(interval), "tests": tests}


def _test(case: Case, interval: float, buckets: Iterable[float]) -> dict[str, Any]:
    rule = case.rule
    found = plain(rule.entry.value or "") if rule.entry.value else None
    example = found[0].example() if found and found[1] else None
    alert = {
        "exp_labels": {**labels_of(example or {}), **rule.labels},
        "exp_annotations": rule.annotations,
    }
    return _group(
        f"{rule.rule.name}: {case.name}",
        interval,
        input_series(case, interval, buckets),
        rule.rule.name,
        [(span(each.step * interval), [alert] if each.fires else []) for each in case.expected],
    )


def _missing(companion: Companion, interval: float) -> Iterator[dict[str, Any]]:
    """Samples that end: silent while they are young, and then not."""
    lasting = math.ceil(companion.max_age / interval)
    gone = lasting + _TAIL
    examples = [selector.example() for selector in companion.selectors]
    if not all(examples):
        return
    values: list[float | str] = [*[1.0] * _TAIL, *[STALE] * gone]
    labels = {tuple(selector.labels().items()) for selector in companion.selectors}
    alerts = [
        {
            "exp_labels": {**dict(each), "severity": Severity.WARNING.value},
            "exp_annotations": companion.annotations,
        }
        for each in sorted(labels)
    ]
    last = _TAIL - 1
    yield _group(
        f"{companion.name}: the samples end",
        interval,
        {series_text(each): values for each in examples if each},
        companion.name,
        [
            (span(last * interval), []),
            (span((last + lasting - 1) * interval), []),
            (span((last + lasting + 1) * interval), alerts),
        ],
    )


def _heartbeat(export: Export) -> Iterator[dict[str, Any]]:
    """A heartbeat with each round; one that stands still; one that is not there any more."""
    interval, lasting = export.interval, math.ceil(export.dead_after / export.interval)
    alert = {
        "exp_labels": {"severity": Severity.WARNING.value},
        "exp_annotations": export.dead_man_annotations,
    }
    rounds = lasting + _TAIL
    beats = [at * interval for at in range(rounds)]
    rows: dict[str, tuple[list[float | str], bool]] = {
        "a round each interval": ([*beats], False),
        "rounds end": ([*beats[:2], *[beats[1]] * (rounds - 2 + lasting)], True),
        "its metric is gone": ([*beats[:2], *[STALE] * (rounds - 2)], True),
    }
    for name, (values, fires) in rows.items():
        end = [(span((len(values) - 1) * interval), [alert] if fires else [])]
        yield _group(
            f"{DEAD_MAN}: {name}", interval, {HEARTBEAT: values}, DEAD_MAN, [(span(interval), []), *end]
        )


def _group(
    name: str,
    interval: float,
    series: Mapping[str, Sequence[float | str]],
    alert: str,
    moments: Iterable[tuple[str, list[dict[str, Any]]]],
) -> dict[str, Any]:
    return {
        "name": name,
        "interval": span(interval),
        "input_series": [
            {"series": text, "values": " ".join(map(_sample, values))} for text, values in series.items()
        ],
        "alert_rule_test": [
            {"eval_time": at, "alertname": alert, "exp_alerts": alerts} for at, alerts in moments
        ],
    }


def _sample(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.15g}"
