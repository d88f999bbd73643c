"""The thresholds in force: the defaults, the policy file's triggers, and those of rampgate.toml."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.checks.frame.discovery import checks
from rampgate.config import labels, policy_files
from rampgate.config.load_settings import LOAD_THRESHOLDS
from rampgate.config.thresholds import CRITICAL, defaults
from rampgate.errors import ConfigurationError
from rampgate.judging.threshold import Aggregation, Threshold, parse
from rampgate.model.metrics import METRICS, Kind, Metric, percentiles
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rampgate.config.settings import Settings
    from rampgate.config.thresholds import ThresholdSettings
    from rampgate.model.measurement import Measurement

LOAD_CRITICAL = (("http_req_failed", "rate>0.05"), ("http_req_duration", "p(95)>5000"))
BODY = "body_failure_rate"
BODIES_NEEDED = 200
"""How many bodies of an endpoint must have been checked under load for it to pass."""
"""What rolls back under load; the k6-like thresholds of [load.thresholds] only hold."""


@dataclass(frozen=True)
class Rule:
    """A threshold, and which measurements it is for.

    Args:
        threshold: the threshold.
        where: the labels that a measurement must carry for it to apply.
        abort: whether it may end a load run early.
        unless: labels of measurements for which other rules stand in its place.
    """

    threshold: Threshold
    where: Mapping[str, str] = field(default_factory=dict)
    abort: bool = True
    unless: tuple[Mapping[str, str], ...] = ()

    def applies(self, measurement: Measurement) -> bool:
        """Whether a measurement is held against it."""
        return (
            self.threshold.metric == measurement.metric
            and _carries(measurement, self.where)
            and not any(_carries(measurement, labels) for labels in self.unless)
        )


def _carries(measurement: Measurement, labels: Mapping[str, str]) -> bool:
    return all(measurement.labels.get(key) == value for key, value in labels.items())


@dataclass(frozen=True)
class Policy:
    """All rules in force, in the order in which they are judged."""

    rules: tuple[Rule, ...]
    metrics: Mapping[str, Metric] = field(default_factory=lambda: METRICS)

    def thresholds(self, measurement: Measurement) -> list[Threshold]:
        """The thresholds that a measurement is held against."""
        return [rule.threshold for rule in self.rules if rule.applies(measurement)]

    def of(self, metric: str) -> list[Threshold]:
        """Every threshold on a metric, whatever its labels."""
        return [rule.threshold for rule in self.rules if rule.threshold.metric == metric]

    def statistical(self, settings: Settings) -> int:
        """How many tests of chance a stage makes at most, which share its budget of false failures."""
        kinds = {Kind.RATE, Kind.LATENCY}
        by_chance = [m for rule in self.rules if self.metrics[m := rule.threshold.metric].kind in kinds]
        per_journey = sum(metric.startswith("journey_") for metric in by_chance)
        per_endpoint = len(by_chance) - per_journey
        flags = settings.flags
        shares = len(flags.expected) if flags and flags.algorithm == "unknown" else 0
        return per_endpoint * len(settings.endpoints) + per_journey * len(settings.journeys) + shares


def build(settings: Settings, base: Path = Path()) -> Policy:
    """The policy of the immediate stage.

    Args:
        settings: thresholds by name win over the defaults; ``policy`` names a file of triggers.
        base: the folder that ``policy`` is relative to.

    Raises:
        ConfigurationError: every threshold that does not parse or does not fit its metric.
    """
    metrics = known_metrics(settings)
    problems: list[str] = []
    rules = _named(settings, metrics, problems)
    rules += _triggers(policy_files.paths(settings.policy, base), metrics, problems)
    if problems:
        raise ConfigurationError(problems)
    return Policy(_distinct(rules), metrics)


def _named(settings: Settings, metrics: Mapping[str, Metric], problems: list[str]) -> list[Rule]:
    """The defaults, with those of [thresholds] in their place or beside them."""
    named: dict[str, Rule] = {}
    for each in defaults():
        named[each.name] = Rule(parse(each.text, bad=each.bad, name=each.name, severity=each.severity))
    beside: list[Rule] = []
    for name, entry in settings.thresholds.items():
        default = named.get(name)
        try:
            rule = _rule(entry, name, metrics, standing=default.threshold if default else None)
        except ValueError as error:
            problems.append(f"{settings.file}: thresholds.{name}: {error}")
            continue
        problems += _labels(f"thresholds.{name}", rule, settings) + _unjudged(name, rule, default, settings)
        if default and rule.where:
            named[name] = replace(default, unless=(rule.where,))
            beside.append(rule)
        else:
            named[name] = rule
    return [*named.values(), *beside]


def _unjudged(name: str, rule: Rule, default: Rule | None, settings: Settings) -> list[str]:
    """Why a threshold would be judged nowhere, or take the place of another; nothing when it does not."""
    metric = rule.threshold.metric
    shown = {entry.name for entry in settings.table("metrics") if entry.show_only}
    why = ""
    if default and default.threshold.metric != metric:
        why = f"is the default about {default.threshold.metric}; accepted is a name of its own"
    elif metric in LOAD_THRESHOLDS:
        why = f"{metric} is measured under load alone; accepted is [load.thresholds]"
    elif metric in shown:
        why = f"{metric} is shown only; accepted is one of threshold and show_only"
    return [f"{settings.file}: thresholds.{name}: {why}"] if why else []


def known_metrics(settings: Settings) -> dict[str, Metric]:
    """The metrics that thresholds may name: ours, and those that the settings declare."""
    found = (metric for check in checks() for metric in check.declares(settings.table(check.table)))
    declared = {metric.name: metric for metric in found}
    counted = (name for name, metric in declared.items() if metric.kind is Kind.LATENCY)
    return {**declared, **METRICS, **percentiles(counted)}


def load_rules(settings: Settings) -> Policy:
    """The policy of a load run: k6's thresholds hold, the critical ones roll back; bodies as elsewhere.

    Raises:
        ConfigurationError: every threshold that does not parse or does not fit its metric.
    """
    problems: list[str] = []
    rules = [
        Rule(parse(text, metric=metric, bad=True, name=f"critical: {text}", severity=CRITICAL))
        for metric, text in LOAD_CRITICAL
    ]
    for metric, entries in settings.load.thresholds.items():
        if metric in LOAD_THRESHOLDS:
            rules += _of_load(metric, entries, settings, problems)
        else:
            known = " and ".join(LOAD_THRESHOLDS)
            problems.append(
                f"{settings.file}: load.thresholds.{metric}: is not measured under load; accepted are {known}"
            )
    named = _named(settings, known_metrics(settings), problems)
    rules += [
        replace(rule, threshold=replace(rule.threshold, min_n=BODIES_NEEDED), abort=False)
        for rule in named
        if rule.threshold.metric == BODY
    ]
    if problems:
        raise ConfigurationError(problems)
    return Policy(_distinct(rules))


def _of_load(
    metric: str, entries: Sequence[ThresholdSettings], settings: Settings, problems: list[str]
) -> list[Rule]:
    """The rules of one metric under load; if all are for some labels alone, the defaults go on for others."""
    rules: list[Rule] = []
    wheres = tuple(entry.where for entry in entries)
    if entries and all(wheres):
        for each in LOAD_THRESHOLDS[metric]:
            standing = _rule(each, f"{metric}: {each.expect}", METRICS, metric)
            rules.append(replace(standing, unless=wheres))
    for entry in entries:
        try:
            rules.append(_rule(entry, f"{metric}: {entry.expect}", METRICS, metric))
        except ValueError as error:
            problems.append(f"{settings.file}: load.thresholds.{metric}: {error}")
            continue
        problems += _labels(f"load.thresholds.{metric}", rules[-1], settings)
    return rules


def _rule(
    entry: ThresholdSettings,
    name: str,
    metrics: Mapping[str, Metric],
    metric: str | None = None,
    standing: Threshold | None = None,
) -> Rule:
    """An entry of the settings; what it does not say of severity and polarity, the default of its name says.

    Raises:
        ValueError: what was found and what is accepted.
    """
    severity = entry.severity or (standing.severity if standing else Severity.WARNING)
    threshold = _polar(entry, standing, metric=metric, name=name, severity=severity, metrics=metrics)
    return Rule(threshold, entry.where, entry.abort)


def _polar(entry: ThresholdSettings, standing: Threshold | None, **attributes: Any) -> Threshold:
    """The threshold, of the polarity that is said, else that of its default, else what its operator says.

    Raises:
        ValueError: what was found and what is accepted.
    """
    bad = entry.bad if entry.bad is not None else bool(standing and standing.bad)
    try:
        return _momentary(parse(entry.expect, bad=bad, **attributes))
    except ValueError:
        if entry.bad is not None or not standing:
            raise
        return _momentary(parse(entry.expect, bad=not bad, **attributes))


def _momentary(threshold: Threshold) -> Threshold:
    """The threshold, if it is about what is measured once.

    Raises:
        ValueError: it is about a time, over which only a watch could judge.
    """
    if threshold.duration_s:
        raise ValueError(
            f"found {threshold.source!r}: nothing here is watched over {threshold.duration_s:g} s; "
            "accepted is the threshold without 'for'"
        )
    return threshold


def _labels(key: str, rule: Rule, settings: Settings) -> list[str]:
    """What the rule waits for and no measurement can carry: such a rule would never be judged."""
    wrong = labels.wrong(rule.where, rule.threshold.metric, settings)
    return [f"{settings.file}: {key}.{sentence}" for sentence in wrong]


def _triggers(paths: Sequence[Path], metrics: Mapping[str, Metric], problems: list[str]) -> list[Rule]:
    """The triggers of the policy files: what they say is bad. Alerts and limits over time are the watch's."""
    files = policy_files.read(paths, problems)
    rules: list[Rule] = []
    for severity, texts in files.triggers.rollback_triggers.items():
        for number, text in enumerate(texts or [], 1):
            try:
                threshold = parse(text, bad=True, name=f"trigger: {text}", severity=severity, metrics=metrics)
                rules.append(Rule(_momentary(threshold)))
            except ValueError as error:
                problems.append(
                    f"{files.paths['rollback_triggers']}: rollback_triggers.{severity}[{number}]: {error}"
                )
    return rules


def _distinct(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Without those that say what an earlier one says: the same test twice would only thin the budget.

    No sample distinguishes ``< 2 %`` from ``<= 2 %``, so that among rates they are the same.
    """
    distinct: dict[tuple[Any, ...], Rule] = {}
    for rule in rules:
        threshold = rule.threshold
        operator, limit = threshold.good()
        if threshold.aggregation is Aggregation.RATE:
            operator = operator.removesuffix("=")
        says = (threshold.metric, threshold.quantile, operator, limit, threshold.severity)
        where = (
            tuple(sorted(rule.where.items())),
            tuple(tuple(sorted(labels.items())) for labels in rule.unless),
        )
        distinct.setdefault((*says, *where), rule)
    return tuple(distinct.values())
