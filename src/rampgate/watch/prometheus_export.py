"""Which rules of a watch Prometheus can judge, and how: those whose metric is read from it. Pure."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import promql_parser

from rampgate.checks.sources.promql import PromQLQuery
from rampgate.judging.grammar import plain
from rampgate.model.metrics import factor
from rampgate.model.promql_selectors import Selector, selectors
from rampgate.watch.engine import Engine
from rampgate.watch.prometheus_rules import AlertingRule, Companion, Export
from rampgate.watch.rules import is_test

if TYPE_CHECKING:
    from rampgate.config.settings import Settings
    from rampgate.config.watch_policy import WatchPolicy, WatchRule
    from rampgate.judging.threshold import Threshold
    from rampgate.model.metrics import Metric

_ROUNDS = 4
"""So many rounds of a watch may be missing until it counts as dead."""
_NO_ALPHA = 0.5


def export(settings: Settings, policy: WatchPolicy) -> Export:
    """The rules of a watch as Prometheus is to judge them.

    Args:
        settings: have [watch] and [[metrics]].
        policy: the rules.
    """
    engine = Engine(settings, policy, read=lambda _: (), alpha=_NO_ALPHA)
    rules, left_out = list[AlertingRule](), list[tuple[str, str]]()
    for rule in policy.rules:
        try:
            rules.append(_rule(rule, engine, settings, policy))
        except ValueError as why:
            left_out.append((rule.name, str(why)))
    found: dict[str, Companion] = {}
    for each in rules:
        name = each.entry.name
        found[name] = Companion(name, _needed(each.entry, rules), _whole(engine.schedules[name].max_age))
    watch = settings.watch
    return Export(
        tuple(rules),
        found,
        tuple(left_out),
        _whole(watch.interval),
        _whole(max(watch.max_age, _ROUNDS * watch.interval)),
        tuple(policy.monitoring.api_performance.latency_buckets),
    )


def _rule(rule: WatchRule, engine: Engine, settings: Settings, policy: WatchPolicy) -> AlertingRule:
    """The rule as Prometheus is to judge it.

    Raises:
        ValueError: why it cannot.
    """
    threshold = rule.threshold
    entry, schedule = engine.entries[threshold.metric], engine.schedules[threshold.metric]
    if not isinstance(entry, PromQLQuery):
        raise ValueError(  # noqa: TRY004
            f'{entry.name} is read by source = "{entry.source}"; exported are metrics of source = "promql"'
        )
    counted = entry.counted
    operator, limit, edge = threshold.broken()[0], _limit(threshold, entry, policy.metrics[entry.name]), ""
    if counted and threshold.quantile is not None:
        operator, limit = ">", repr(threshold.allowed)
        edge = _edge(threshold, policy.monitoring.api_performance.latency_buckets)
    timing = engine.rules[rule.name].timing
    found = AlertingRule(
        rule,
        entry,
        replace(timing, duration=_whole(timing.duration), recovery=_whole(timing.recovery)),
        _whole(settings.watch.interval if schedule.slow else schedule.interval),
        _whole(engine.metrics[entry.name].window_s),
        operator,
        limit,
        edge,
        tested=is_test(rule, counted=counted),
    )
    _refuse(found)
    return found


def _refuse(rule: AlertingRule) -> None:
    """Export nothing that Prometheus 2.42 does not accept.

    Raises:
        ValueError: why it would not.
    """
    used = [each for text in rule.entry.expressions.values() for each in selectors(text)]
    if not used:
        raise ValueError("its expression selects no series")
    if others := [str(each) for each in used if not each.is_classic]:
        raise ValueError(f"found the name in {others[0]}; accepted are letters, digits, _ and :")
    try:
        promql_parser.parse(rule.expr)
    except ValueError as error:
        raise ValueError(f"its expression cannot be part of another: {error}") from None


def _whole(seconds: float) -> float:
    """Rounded up to milliseconds, the least that Prometheus knows."""
    return math.ceil(round(seconds * 1000, 6)) / 1000


def _limit(threshold: Threshold, entry: PromQLQuery, metric: Metric) -> str:
    """The limit in the unit of the source."""
    scale = 1.0 if entry.counted else factor(metric, entry.unit) or 1.0
    return plain(Decimal(repr(threshold.limit)) / Decimal(repr(scale)))


def _edge(threshold: Threshold, buckets: list[float]) -> str:
    """What the label ``le`` of the bucket that ends at the limit says: 1.0 in one library, 1 in another.

    Raises:
        ValueError: no bucket ends there.
    """
    if buckets and threshold.limit not in buckets:
        ends = ", ".join(f"{each:g}" for each in buckets)
        raise ValueError(f"no bucket ends at {threshold.limit_text}; latency_buckets are {ends} ms")
    text = plain(Decimal(repr(threshold.limit)) / 1000)
    return text if "." in text else f"{text}|{text}[.]0"


def _needed(entry: PromQLQuery, rules: list[AlertingRule]) -> tuple[Selector, ...]:
    """The series without which nothing is known of a metric; without a failure there may be none of them."""
    found = [
        selector
        for key, text in entry.expressions.items()
        if key not in {"failed", "buckets"}
        for selector in selectors(text)
    ]
    found += [each.bucket for each in rules if each.entry is entry and each.edge]
    return tuple(dict.fromkeys(found))
