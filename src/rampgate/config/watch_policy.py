"""The rules of a watch: what the policy files and [watch.thresholds] say, over time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from rampgate.config import policy_files
from rampgate.config.policy import known_metrics
from rampgate.config.problems import near
from rampgate.errors import ConfigurationError
from rampgate.judging.threshold import Aggregation, parse
from rampgate.model import formats
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rampgate.config.policy_files import Monitoring, PolicyFiles
    from rampgate.config.settings import Settings
    from rampgate.judging.threshold import Threshold
    from rampgate.model.metrics import Metric


FEEDBACK = "user_feedback_score"
PER_CENT = 100


class Place(StrEnum):
    """Where a rule stands, which decides how it is judged over time."""

    TRIGGER = "trigger"
    ALERT = "alert"
    THRESHOLD = "threshold"
    MONITORING = "monitoring"


@dataclass(frozen=True, slots=True)
class WatchRule:
    """One threshold of a watch.

    Args:
        name: an alert's own; of others, what they say.
        threshold: with its severity, its polarity and its ``duration_s``.
        place: where it stands.
        runbook: what to do when it fires, "" where nothing says so.
        owner: who does it.
    """

    name: str
    threshold: Threshold
    place: Place
    runbook: str = ""
    owner: str = ""


@dataclass(frozen=True)
class WatchPolicy:
    """What a watch judges by.

    Args:
        rules: in the order of the files.
        ignored: the names of those that [watch] ignores.
        monitoring: what production-monitoring.yml says.
        metrics: what thresholds may name.
    """

    rules: tuple[WatchRule, ...]
    ignored: tuple[str, ...]
    monitoring: Monitoring
    metrics: Mapping[str, Metric]

    def of(self, metric: str) -> list[WatchRule]:
        """The rules about a metric."""
        return [rule for rule in self.rules if rule.threshold.metric == metric]


def build(settings: Settings, base: Path = Path()) -> WatchPolicy:
    """The rules of a watch.

    Args:
        settings: name the policy files, and thresholds of their own.
        base: the folder that the files are relative to.

    Raises:
        ConfigurationError: every problem at once; a rule that no metric of [[metrics]] is there for, too.
    """
    problems: list[str] = []
    files = policy_files.read(policy_files.paths(settings.policy, base), problems)
    metrics = known_metrics(settings)
    rules = tuple(_with_defaults(rule, settings) for rule in _rules(files, settings, metrics, problems))
    problems += [*_unread(rules, settings), *_no_share(rules, settings), *_too_seldom(settings)]
    if problems:
        raise ConfigurationError(problems)
    kept = tuple(rule for rule in rules if rule.name not in settings.watch.ignore)
    return WatchPolicy(kept, tuple(settings.watch.ignore), files.monitoring, metrics)


def _with_defaults(rule: WatchRule, settings: Settings) -> WatchRule:
    watch = settings.watch
    if rule.threshold.metric == FEEDBACK:
        rule = replace(rule, threshold=replace(rule.threshold, min_n=watch.min_responses))
    return replace(rule, runbook=rule.runbook or watch.runbook, owner=rule.owner or watch.owner)


def _rules(
    files: PolicyFiles, settings: Settings, metrics: Mapping[str, Metric], problems: list[str]
) -> Iterator[WatchRule]:
    places: dict[str, str] = {}
    for key, rule in _named(files, settings):
        if (first := places.setdefault(rule.name, key)) != key:
            problems.append(
                f"{key}: the name {rule.name!r} stands in {first} already; accepted is a name of its own for "
                "each rule"
            )
        try:
            threshold = parse(
                rule.text, bad=rule.bad, name=rule.name, severity=rule.severity, metrics=metrics
            )
        except ValueError as error:
            problems.append(f"{key}: {error}")
            continue
        if rule.duration and threshold.duration_s:
            problems.append(f"{key}: found {rule.text!r} and a duration beside it; accepted is one of them")
        duration = rule.duration or threshold.duration_s
        yield WatchRule(
            rule.name, replace(threshold, duration_s=duration), rule.place, rule.runbook, rule.owner
        )


@dataclass(frozen=True, slots=True)
class _Written:
    """A rule as it is written."""

    name: str
    text: str
    place: Place
    severity: Severity = Severity.WARNING
    bad: bool = False
    duration: float = 0.0
    runbook: str = ""
    owner: str = ""


def _named(files: PolicyFiles, settings: Settings) -> Iterator[tuple[str, _Written]]:
    """Each rule, with the place that messages name."""
    for severity, texts in files.triggers.rollback_triggers.items():
        for number, text in enumerate(texts or [], 1):
            key = f"{files.paths['rollback_triggers']}: rollback_triggers.{severity}[{number}]"
            yield key, _Written(f"trigger: {text}", text, Place.TRIGGER, severity, bad=True)
    for group, entries in files.alerts.alerts.items():
        for number, entry in enumerate(entries, 1):
            key = f"{files.paths['alerts']}: alerts.{group}[{number}].condition"
            yield (
                key,
                _Written(
                    entry.name,
                    entry.condition,
                    Place.ALERT,
                    entry.severity,
                    True,  # noqa: FBT003  # what alerts say is bad
                    entry.duration,
                    entry.runbook,
                    entry.owner,
                ),
            )
    for key, text in files.monitoring.limits().items():
        yield (
            f"{files.paths['monitoring']}: monitoring.{key}",
            _Written(f"monitoring: {text}", text, Place.MONITORING),
        )
    for name, given in settings.watch.thresholds.items():
        severity = given.severity or Severity.WARNING
        written = _Written(
            name,
            given.expect,
            Place.THRESHOLD,
            severity,
            bool(given.bad),
            runbook=given.runbook,
            owner=given.owner,
        )
        yield f"{settings.file}: watch.thresholds.{name}", written


def _no_share(rules: Sequence[WatchRule], settings: Settings) -> Iterator[str]:
    """A sentence for each rule on a share of what went well that no test of what did not can judge."""
    counted = {entry.name for entry in settings.table("metrics") if entry.counted}
    for rule in rules:
        threshold = rule.threshold
        if threshold.metric not in counted or threshold.aggregation is not Aggregation.VALUE:
            continue
        if threshold.good()[0] not in {">", ">="} or not 0 < threshold.limit < PER_CENT:
            yield (
                f"{rule.name}: found {threshold}; {threshold.metric} is counted, and a high share of what "
                "went well is good: accepted is a least share above 0% and below 100%"
            )


def _too_seldom(settings: Settings) -> Iterator[str]:
    """A sentence for each metric that is read so seldom that its reading is none before the next one."""
    for entry in settings.table("metrics"):
        accepted = entry.max_age or settings.watch.max_age
        if entry.interval and entry.interval > accepted and entry.source != "probe":
            found, most = formats.duration(entry.interval), formats.duration(accepted)
            yield (
                f"{settings.file}: metrics.{entry.name}.interval: found {found}, and a reading counts for "
                f"{most}: accepted is at most that, or a longer max_age beside it"
            )


def _unread(rules: Sequence[WatchRule], settings: Settings) -> Iterator[str]:
    """A sentence for each rule that no metric is there for, and each that is ignored and none."""
    read = [entry.name for entry in settings.table("metrics")]
    ignored = settings.watch.ignore
    for rule in rules:
        metric = rule.threshold.metric
        if metric not in read and rule.name not in ignored:
            yield (
                f"{rule.name}: nothing reads {metric}; {near(metric, read)}accepted are an entry of "
                f"[[metrics]] called {metric} (there are {', '.join(read) or 'none'}), and the rule's name "
                "in watch.ignore"
            )
    names = [rule.name for rule in rules]
    for name in ignored:
        if name not in names:
            accepted = ", ".join(names) or "none, for there are no rules"
            yield f"{settings.file}: watch.ignore: found {name!r}; {near(name, names)}accepted are {accepted}"
