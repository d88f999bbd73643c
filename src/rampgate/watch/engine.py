"""The rounds of a watch: read what is due, see where each rule stands, and say what has changed."""

from __future__ import annotations

import math
from functools import reduce
from statistics import median
from typing import TYPE_CHECKING, Any

from rampgate.errors import RampgateError
from rampgate.io.threads import each
from rampgate.model.increments import added
from rampgate.watch.cohorts import comparisons
from rampgate.watch.metrics import MetricWatch
from rampgate.watch.rounds import Position, Round, Transition, cohorts
from rampgate.watch.rules import RuleWatch
from rampgate.watch.schedule import schedule_of
from rampgate.watch.values import Reading, broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rampgate.checks.frame.source import MetricSettings
    from rampgate.config.settings import Settings
    from rampgate.config.watch_policy import WatchPolicy, WatchRule
    from rampgate.judging.episodes import Episode
    from rampgate.model.measurement import Block, Measurement

    Read = Callable[[MetricSettings], Sequence[Measurement]]

_AT_ONCE = 8
_INTERVALS = 2.0
"""After a change so many intervals pass, beside its window, until a value counts again."""


class Engine:
    """Everything that a watch knows.

    Args:
        settings: have [watch] and [[metrics]].
        policy: the rules.
        read: reads the metric of an entry; raises a RampgateError where there is none.
        alpha: the chance that one test may ever fire while its limit is kept.
        puts_off: whether a metric is not read now, for something else is measured.
    """

    def __init__(
        self,
        settings: Settings,
        policy: WatchPolicy,
        read: Read,
        alpha: float,
        puts_off: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._read = read
        self._puts_off = puts_off
        self._confirmations = settings.watch.confirmations
        self.entries = {entry.name: entry for entry in settings.table("metrics")}
        self.schedules = {
            name: schedule_of(entry, settings, policy.monitoring) for name, entry in self.entries.items()
        }
        self.metrics = {
            name: MetricWatch(policy.metrics[name], self._window(name, settings), _edges(policy.of(name)))
            for name in self.entries
        }
        self.rules = {rule.name: self._rule(rule, settings, alpha) for rule in policy.rules}
        self.cohorts = comparisons(self.entries, policy.metrics, settings.watch.margin, alpha)
        self.due = dict.fromkeys(self.entries, 0.0)
        self.position = Position()
        self.at: float | None = None
        self.observed = 0.0
        self.changed_at = -math.inf

    def _window(self, name: str, settings: Settings) -> float:
        counts_failures = self.entries[name].counted and name == "database_connection_failures"
        window = settings.watch.failures_window if counts_failures else self.schedules[name].window
        return max(window, self.schedules[name].interval)

    def _rule(self, rule: WatchRule, settings: Settings, alpha: float) -> RuleWatch:
        metric = rule.threshold.metric
        timing = self.schedules[metric].timing(rule.threshold, settings.watch.recovery)
        return RuleWatch(rule, timing, alpha, counted=bool(self.entries[metric].counted))

    def next_due(self) -> float:
        """When the next metric is due, seconds since the epoch."""
        return min(self.due.values(), default=0.0)

    def round(self, at: float, position: Position, *, measuring: bool = False) -> Round:
        """Read what is due, and see where every rule stands.

        Args:
            at: now, seconds since the epoch.
            position: what is watched, as far as it is known.
            measuring: whether we measure the target beside the watch.
        """
        found = Round(at)
        due = [name for name, when in self.due.items() if when <= at and not self._puts_off(name)]
        results = dict(each(self._try, due, _AT_ONCE))
        for name in due:
            self._take(name, results[name], found)
        self._move(position, found)
        for name in due:
            self._judge(name, found)
            self._compare(name, found, measuring=measuring)
            self.due[name] = self.schedules[name].next(at)
        self._observe(found)
        return found

    def _try(self, name: str) -> tuple[str, Sequence[Measurement] | str]:
        try:
            return name, self._read(self.entries[name])
        except RampgateError as error:
            return name, str(error)

    def _take(self, name: str, result: Sequence[Measurement] | str, found: Round) -> None:
        watched = self.metrics[name]
        if isinstance(result, str):
            watched.missed(result, found.at)
        else:
            watched.read(result, found.at)
        found.read.append(name)
        blind = watched.reading is None and found.at - watched.since >= self.schedules[name].max_age
        if blind != watched.blind and (blind or watched.reading is not None):
            watched.blind = blind
            found.unread.append(name)

    def _move(self, position: Position, found: Round) -> None:
        """See whether what is watched has changed, which no window may straddle."""
        found.changed = position.differs(self.position)
        restarted = [name for name in found.read if self.metrics[name].restarted]
        if restarted and not found.changed:
            found.changed = f"the deployment was restarted: the counters of {restarted[0]} began anew"
        was = self.position
        self.position = Position(
            was.percentage if position.percentage is None else position.percentage,
            position.versions or was.versions,
            position.instances or was.instances,
            position.trouble,
        )
        if found.changed:
            self.changed_at = found.at
            for comparison in self.cohorts.values():
                comparison.changed(anew=self.position[:2] != was[:2])
            for watched in self.metrics.values():
                watched.changed()
            for rule in self.rules.values():
                before = rule.episode
                rule.changed(found.at)
                self._note(rule, before, found)

    def _settled(self, name: str, at: float) -> bool:
        """Whether the value of a metric looks back on nothing that was before the last change."""
        schedule = self.schedules[name]
        settles = 0.0 if self.entries[name].counted else schedule.lookback
        settles += _INTERVALS * schedule.interval if settles else 0.0
        return at - self.changed_at >= settles

    def _judge(self, name: str, found: Round) -> None:
        watched = self.metrics[name]
        reading = watched.reading if self._settled(name, found.at) else None
        rules = [rule for rule in self.rules.values() if rule.rule.threshold.metric == name]
        confirmed = bool(self.schedules[name].slow and reading and self._breaks(rules, reading))
        if confirmed and reading:
            reading = self._confirmed(name, reading)
            watched.reading = reading
        for rule in rules:
            if watched.increments:  # what fails at one moment may fail together: it is one block
                rule.count(reduce(added, watched.increments.values()))
            before = rule.read(reading, found.at, confirmed=confirmed)
            self._note(rule, before, found)
        if watched.increments:
            found.counted[name] = dict(watched.increments)

    def _compare(self, name: str, found: Round, *, measuring: bool) -> None:
        """Compare the cohorts of what one metric has counted, but for our own load and across a change."""
        comparison = self.cohorts.get(name)
        if comparison is None:
            return
        before = comparison.result
        if found.changed or (measuring and self.entries[name].own_traffic == "mixed"):
            comparison.skip(found.at)
        elif self.metrics[name].increments:
            comparison.add(found.at, cohorts(self.metrics[name].increments))
        after = comparison.result
        if (before.finding, before.may_roll_back) != (after.finding, after.may_roll_back):
            found.compared[name] = after

    @staticmethod
    def _breaks(rules: Iterable[RuleWatch], reading: Reading) -> bool:
        return any(not rule.episode.open and broken(rule.rule.threshold, reading) for rule in rules)

    def _confirmed(self, name: str, reading: Reading) -> Reading | None:
        """The median of this and of further readings; None where one could not be read."""
        values = [reading.value]
        for _ in range(self._confirmations - 1):
            _, result = self._try(name)
            if isinstance(result, str):
                self.metrics[name].missed(result, reading.at)
                return None
            self.metrics[name].read(result, reading.at)
            further = self.metrics[name].reading
            values.append(further.value if further else None)
        known = [value for value in values if value is not None]
        return Reading(reading.at, median(known), n=len(known)) if len(known) == len(values) else None

    @staticmethod
    def _note(rule: RuleWatch, before: Episode, found: Round) -> None:
        if rule.episode.state is not before.state:
            found.transitions.append(Transition(rule, before, found.at))

    def _observe(self, found: Round) -> None:
        """Count the time since the round before, where there was a reading of all that is needed."""
        shortest = min((each.interval for each in self.schedules.values()), default=0.0)
        passed = 0.0 if self.at is None else found.at - self.at
        blind = [
            name
            for name, watched in self.metrics.items()
            if self.entries[name].required and not self.schedules[name].slow and watched.reading is None
        ]
        if 0 < passed <= _INTERVALS * shortest and not blind:
            found.observed = passed
            self.observed += passed
        self.at = found.at

    @property
    def rolls_back(self) -> bool:
        """Whether a rule that decides has fired, or the feature surely harms."""
        fired = any(rule.fired and rule.decides for rule in self.rules.values())
        return fired or any(comparison.result.may_roll_back for comparison in self.cohorts.values())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of what the next process needs."""
        percentage, versions, instances, _ = self.position
        return {
            "metrics": {name: watched.to_json() for name, watched in self.metrics.items()},
            "rules": {name: watched.to_json() for name, watched in self.rules.items()},
            "cohorts": {name: comparison.to_json() for name, comparison in self.cohorts.items()},
            "due": self.due,
            "position": [percentage, list(versions), sorted(instances)],
            "at": self.at,
            "observed": self.observed,
            "changed_at": None if self.changed_at == -math.inf else self.changed_at,
        }

    def resume(self, data: Mapping[str, Any], blocks: Callable[[str], Iterable[Block]]) -> None:
        """Go on from what to_json wrote; metrics and rules that are new begin.

        Args:
            data: what it wrote.
            blocks: name of a rule -> what was counted for its test.
        """
        for name, watched in self.metrics.items():
            if name in data["metrics"]:
                watched.resume(data["metrics"][name])
                self.due[name] = data["due"].get(name, 0.0)
        for name, rule in self.rules.items():
            if name in data["rules"]:
                rule.resume(data["rules"][name])
                for block in blocks(name):
                    rule.count(block)
        self.resume_cohorts(data)
        percentage, versions, instances = data["position"]
        self.position = Position(percentage, tuple(versions), frozenset(instances))
        self.at, self.observed = data["at"], data["observed"]
        self.changed_at = -math.inf if data["changed_at"] is None else data["changed_at"]

    def resume_cohorts(self, data: Mapping[str, Any]) -> None:
        """Go on with the comparisons that to_json wrote."""
        for name, comparison in self.cohorts.items():
            if name in data.get("cohorts", {}):
                comparison.resume(data["cohorts"][name])


def _edges(rules: Iterable[WatchRule]) -> frozenset[float]:
    return frozenset(edge for rule in rules if (edge := rule.threshold.edge) is not None)
