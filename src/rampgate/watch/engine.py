"""The rounds of a watch: read what is due, see where each rule stands, and say what has changed."""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING, Any

from rampgate.model.increments import added
from rampgate.watch.compared import Compared
from rampgate.watch.metrics import CHANGED, FIRST, MetricWatch, refuse_misfits
from rampgate.watch.observed import Instances, Observed
from rampgate.watch.readers import Readers
from rampgate.watch.rounds import Position, Round, Transition
from rampgate.watch.rules import RuleWatch
from rampgate.watch.schedule import schedule_of
from rampgate.watch.values import broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rampgate.config.settings import Settings
    from rampgate.config.watch_policy import WatchPolicy, WatchRule
    from rampgate.judging.episodes import Episode
    from rampgate.model.measurement import Block
    from rampgate.watch.readers import Read, Result

_INTERVALS = 2.0
"""After a change so many intervals pass, beside its window, until a value counts again."""
_EARLY_S = 30.0
"""A round that is started from outside may come so much too soon, and half an interval at most."""


class Engine:
    """Everything that a watch knows.

    Args:
        settings: have [watch] and [[metrics]].
        policy: the rules.
        read: reads the metric of an entry; raises a RampgateError where there is none.
        alpha: the chance that one test may ever fire while its limit is kept.
        puts_off: whether the metric of an entry is not read now, for something else is measured.
        pace: seconds between two rounds at least, where something else starts each.
    """

    def __init__(
        self,
        settings: Settings,
        policy: WatchPolicy,
        read: Read,
        alpha: float,
        puts_off: Callable[[Any], bool] = lambda _: False,
        pace: float = 0.0,
    ) -> None:
        self._puts_off = puts_off
        self._confirmations = settings.watch.confirmations
        self._early = pace and _EARLY_S
        self.entries = {entry.name: entry for entry in settings.table("metrics")}
        self.schedules = {
            name: schedule_of(entry, settings, policy.monitoring, pace)
            for name, entry in self.entries.items()
        }
        self.metrics = {
            name: MetricWatch(policy.metrics[name], self.schedules[name].window, _edges(policy.of(name)))
            for name in self.entries
        }
        self.rules = {rule.name: self._rule(rule, settings, alpha) for rule in policy.rules}
        self.cohorts = Compared(self.entries, policy.metrics, settings.watch.margin, alpha)
        entries = self.entries.items()
        apart = {name for name, each in entries if self.schedules[name].slow or each.source == "probe"}
        self.readers = Readers(read, self.entries, apart, self._further)
        self.due = dict.fromkeys(self.entries, 0.0)
        self.position = Position()
        self.versions: set[str] = set()
        self.before: Sequence[Mapping[str, Any]] = ()
        self.at: float | None = None
        self.time, self._instances = Observed(), Instances()
        self.changed_at = -math.inf

    def _rule(self, rule: WatchRule, settings: Settings, alpha: float) -> RuleWatch:
        metric = rule.threshold.metric
        timing = self.schedules[metric].timing(rule.threshold, settings.watch.recovery)
        return RuleWatch(rule, timing, alpha, counted=bool(self.entries[metric].counted))

    def next_due(self) -> float:
        """When the next metric is due that is not put off, seconds since the epoch."""
        waits = {name for name, entry in self.entries.items() if self._puts_off(entry)}
        left = (at for name, at in self.due.items() if name not in {*self.readers.running, *waits})
        return 0.0 if self.readers.ready else min(left, default=0.0)

    def round(self, at: float, position: Position, *, measuring: bool = False, wait: bool = False) -> Round:
        """Read what is due, and see where every rule stands.

        Args:
            at: now, seconds since the epoch.
            position: what is watched, as far as it is known.
            measuring: whether we measure the target beside the watch.
            wait: for what takes long, too.

        Raises:
            ConfigurationError: a limit that no bucket of the source ends at.
        """
        found = Round(at)
        due = [name for name in self.due if self._is_due(name, found)]
        results = self.readers.results(due, wait=wait)
        for name, result in results.items():
            self._take(name, result, found)
        refuse_misfits(self.metrics, lambda name: (str(each.rule.threshold) for each in self._rules_of(name)))
        self._move(position, found)
        for name in results:
            self._judge(name, found)
            self.cohorts.read(self.metrics[name], name, found, measuring=measuring)
            self.due[name] = self.schedules[name].next(at)
        self._observe(found)
        return found

    def _is_due(self, name: str, found: Round) -> bool:
        schedule, late = self.schedules[name], found.at - self.due[name]
        if late < -min(self._early, schedule.interval / 2):
            return False
        if not self._puts_off(self.entries[name]):
            return True
        if late > schedule.max_age and not schedule.slow:
            self.metrics[name].missed("put off while the target is measured", found.at)
        return False

    def _take(self, name: str, results: list[Result], found: Round) -> None:
        watched = self.metrics[name]
        watched.take(results, found.at)
        found.read.append(name)
        blind = watched.reading is None and found.at - watched.since >= self.schedules[name].max_age
        if blind != watched.blind and (blind or watched.reading is not None):
            watched.blind = blind
            found.unread.append(name)

    def _move(self, position: Position, found: Round) -> None:
        """See whether what is watched has changed, which no window may straddle."""
        anew = self._instances.restarted(position.instances)
        found.changed = position.differs(self.position) or ("the deployment was restarted" if anew else "")
        restarted = [name for name in found.read if self.metrics[name].restarted]
        found.restarted = [name for name in restarted if self.entries[name].of_a_store]
        if (others := [name for name in restarted if name not in found.restarted]) and not found.changed:
            found.changed = f"the deployment was restarted: the counters of {others[0]} began anew"
        was = self.position
        self.position = Position(
            was.percentage if position.percentage is None else position.percentage,
            position.versions or was.versions,
            self._instances.known,
            position.trouble,
        )
        self.versions |= set(position.versions)
        if found.changed:
            self.changed_at = found.at
            found.moved = self.position[:2] != was[:2]
            self.time.restarts += not found.moved
            self._instances = Instances(position.instances or self._instances.known)
            self.cohorts.changed(anew=found.moved)
            for name, watched in self.metrics.items():
                watched.changed()
                if self.schedules[name].slow:
                    self.due[name] = found.at
        for rule in self.rules.values():
            if found.changed or rule.rule.threshold.metric in found.restarted:
                before = rule.episode
                rule.changed(found.at)
                self._note(rule, before, found)

    def _settled(self, name: str, at: float) -> bool:
        """Whether the value of a metric looks back on nothing that was before the last change."""
        schedule = self.schedules[name]
        lookback = 0.0 if self.entries[name].counted else schedule.lookback
        settles = lookback + _INTERVALS * schedule.interval if lookback else 0.0
        return at - self.changed_at >= settles

    def _judge(self, name: str, found: Round) -> None:
        watched = self.metrics[name]
        reading = watched.reading if self._settled(name, found.at) else None
        for rule in self._rules_of(name):
            if watched.increments:  # what fails at one moment may fail together: it is one block
                rule.count(reduce(added, watched.increments.values()))
            of = watched.worst(rule.rule.threshold.edge)
            before = rule.read(reading, found.at, confirmed=watched.confirmed, of=of)
            self._note(rule, before, found)
        if watched.increments:
            found.counted[name] = dict(watched.increments)

    def _rules_of(self, name: str) -> Iterable[RuleWatch]:
        return (rule for rule in self.rules.values() if rule.rule.threshold.metric == name)

    def _further(self, name: str, result: Result) -> int:
        """How many more readings of a slow metric confirm one that breaks a rule which does not fire yet."""
        reading = None if isinstance(result, str) else self.metrics[name].value_of(result)
        if reading is None or not self.schedules[name].slow:
            return 0
        new = (rule.rule.threshold for rule in self._rules_of(name) if not rule.episode.open)
        return self._confirmations - 1 if any(broken(threshold, reading) for threshold in new) else 0

    @staticmethod
    def _note(rule: RuleWatch, before: Episode, found: Round) -> None:
        if rule.episode.state is not before.state:
            found.transitions.append(Transition(rule, before, found.at))

    def _observe(self, found: Round) -> None:
        """Count the time since the round before, where there was a reading of all that is needed."""
        passed = 0.0 if self.at is None else found.at - self.at
        without = {
            name: watched.trouble
            for name, watched in self.metrics.items()
            if self.entries[name].required and not self.schedules[name].slow and watched.reading is None
        }
        blind = {name: trouble for name, trouble in without.items() if trouble not in FIRST | {CHANGED}}
        # Where nobody knows the percentage or the version, nobody knows whether they have changed.
        blind |= {"": self.position.trouble} if self.position.trouble else {}
        if 0 < passed <= self.longest_gap:
            found.observed = self.time.add(passed, blind, waits=bool(without))
        self.at = found.at

    @property
    def observed(self) -> float:
        """Seconds that were observed."""
        return self.time.seconds

    def rolls_back(self, *, anew: bool = False) -> bool:
        """Whether a rule that decides has fired, or the feature surely harms.

        Args:
            anew: whether what a run before has shown is left out.
        """
        fired = any(rule.fired and rule.decides for rule in self.rules.values())
        before = not anew and any(each["rolls_back"] for each in self.before)
        return fired or before or self.cohorts.harm(latched=not anew)

    @property
    def longest_gap(self) -> float:
        """Seconds between two rounds that still counts as observed."""
        return min((each.longest_gap for each in self.schedules.values()), default=0.0)

    @property
    def longest_interval(self) -> float:
        """Seconds between two readings of the metric that is read most seldom, audits left out."""
        return max((each.interval for each in self.schedules.values() if not each.slow), default=0.0)

    def jumped(self, seconds: float, at: float) -> None:
        """The clock was set, or the machine slept: what is known begins anew, and nothing of it is observed.

        Args:
            seconds: how far the clock has jumped.
            at: now, by the clock as it is.
        """
        self.at, self.due = None, dict.fromkeys(self.due, at)
        self.changed_at += seconds
        for watched in self.metrics.values():
            watched.changed()
        for rule in self.rules.values():
            rule.jumped()
        self.cohorts.skip(at)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of what the next process needs."""
        percentage, versions, instances, _ = self.position
        return {
            "metrics": {name: watched.to_json() for name, watched in self.metrics.items()},
            "rules": {name: watched.to_json() for name, watched in self.rules.items()},
            "cohorts": self.cohorts.to_json(),
            "due": self.due,
            "position": [percentage, list(versions), sorted(instances)],
            "versions": sorted(self.versions),
            "at": self.at,
            "time": self.time.to_json(),
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
                rule.resume(data["rules"][name], blocks(name))
        self.cohorts.resume(data.get("cohorts", {}))
        percentage, versions, instances = data["position"]
        self.position = Position(percentage, tuple(versions), frozenset(instances))
        self.versions = set(data.get("versions", ()))
        self.at, self.time = data["at"], Observed(**data["time"])
        self._instances = Instances(self.position.instances)
        self.changed_at = -math.inf if data["changed_at"] is None else data["changed_at"]


def _edges(rules: Iterable[WatchRule]) -> frozenset[float]:
    return frozenset(edge for rule in rules if (edge := rule.threshold.edge) is not None)
