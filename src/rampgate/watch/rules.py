"""One rule of a watch: where its episode stands, and what its test has shown so far. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from rampgate.judging import episodes
from rampgate.judging.episodes import Episode, State, Timing
from rampgate.judging.threshold import Aggregation, Polarity
from rampgate.model.always_valid import AlwaysValidTest
from rampgate.outcome import Severity
from rampgate.watch.values import Reading, broken, shown, worse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rampgate.config.watch_policy import WatchRule
    from rampgate.model.measurement import Block

_CHANCY = {Aggregation.RATE, Aggregation.QUANTILE, Aggregation.VALUE}


def is_test(rule: WatchRule, *, counted: bool) -> bool:
    """Whether the always-valid test judges a rule: one on counts that a few of them could break at once.

    What must be bad for a duration fires by its window's value alone; what must be good for one is broken at
    once, and is judged by the test.
    """
    threshold = rule.threshold
    at_once = threshold.polarity is Polarity.GOOD or not threshold.duration_s
    return counted and at_once and threshold.aggregation in _CHANCY


@dataclass
class RuleWatch:
    """Where one rule stands.

    Args:
        rule: the rule.
        timing: of its episodes.
        alpha: the chance that its test may ever fire while its limit is kept.
        counted: whether its metric is read from counters.
        episode: where it stands.
        fired: how often an episode began.
        fired_at: when the first one began, seconds since the epoch.
        opened_at: when the newest one began, seconds since the epoch.
        value: what was read last, for a person.
        fired_value: what was read when the first one began.
        kept_s: observed seconds in which it was kept, since it was broken last.
        kept: how many readings kept it.
        worst: the reading that was farthest on the bad side.
        counted_from: when the first of all counts of its test was taken, seconds since the epoch.
        test: of counts; None where the episode alone decides.
    """

    rule: WatchRule
    timing: Timing
    alpha: float
    counted: bool = False
    episode: Episode = field(default_factory=Episode)
    fired: int = 0
    fired_at: float = 0.0
    opened_at: float = 0.0
    value: str = ""
    fired_value: str = ""
    kept_s: float = 0.0
    kept: int = 0
    worst: Reading | None = None
    counted_from: float = 0.0
    test: AlwaysValidTest | None = None
    _blocks: int = 0
    _first: int = 0

    def __post_init__(self) -> None:
        if is_test(self.rule, counted=self.counted):
            self.test = AlwaysValidTest(self.rule.threshold.allowed, self.alpha)

    @property
    def severity(self) -> Severity:
        """Of its failure."""
        return self.rule.threshold.severity

    @property
    def decides(self) -> bool:
        """Whether an episode of it rolls back: it is critical, and no alert on what is counted."""
        chancy = self.rule.threshold.aggregation in _CHANCY and self.counted
        return self.severity is Severity.CRITICAL and (self.test is not None or not chancy)

    def count(self, block: Block) -> None:
        """Hand what one more reading has counted to the test."""
        if self.test is not None:
            self.test.add(self._blocks, block.beyond(self.rule.threshold.edge), block.n)
            self._blocks += 1

    def read(self, reading: Reading | None, at: float, *, confirmed: bool = False, of: str = "") -> Episode:
        """Take one reading, None where there is none; the episode as it was before.

        Args:
            reading: of its metric.
            at: when it was due, seconds since the epoch.
            confirmed: whether a bad value was confirmed by further ones.
            of: which endpoints a bad value is of, "" where that is not known.
        """
        before = self.episode
        bad = breaks = None if reading is None else broken(self.rule.threshold, reading)
        if reading:
            self.counted_from = self.counted_from or reading.at
            self.value = shown(self.rule.threshold, reading) + (f" ({of})" if of and breaks else "")
            self.worst = reading if worse(self.rule.threshold, reading, self.worst) else self.worst
        if self.test is not None and bad is not None and not before.open:
            bad = self.test.fired_at is not None
        confirmed = confirmed or (self.test is not None and bool(bad))
        self._keep(before, at, bad=bad, breaks=breaks)
        self.episode = episodes.step(before, at, self.timing, bad=bad, confirmed=confirmed)
        began = self.episode.number > before.number
        # One that another release began counts for this one, too, as soon as it is broken here.
        if began or (bad and self.episode.state is State.FIRING and not self.fired):
            self.fired += 1
            self.fired_at = self.fired_at or at
            self.opened_at = at if began else self.opened_at or at
            self.fired_value = self.fired_value or self.value
        if before.open and self.episode.state is State.OK and self.test is not None:
            self.test, self._first = AlwaysValidTest(self.rule.threshold.allowed, self.alpha), self._blocks
        return before

    def _keep(self, before: Episode, at: float, *, bad: bool | None, breaks: bool | None) -> None:
        """Count what was kept; where that must last, a window that breaks the limit begins it anew."""
        self.kept += bad is False
        if bad or (breaks and self.rule.threshold.duration_s):
            self.kept_s = 0.0
        elif bad is False:
            passed = at - before.read_at if before.joined and before.read_at is not None else 0.0
            self.kept_s += passed if 0 <= passed <= self.timing.max_gap else 0.0

    def changed(self, at: float) -> None:
        """What is watched has changed."""
        self.episode = episodes.changed(self.episode, at)

    def jumped(self) -> None:
        """The clock has jumped: what was before is not observed together with what comes."""
        self.episode = replace(self.episode, joined=False)

    def carry_over(self, data: Mapping[str, Any], at: float) -> None:
        """Go on with an episode that a run before has left open.

        Args:
            data: what to_json wrote.
            at: now, seconds since the epoch.
        """
        episode = Episode.from_json(data["episode"])
        if episode.open:
            self.episode, self.opened_at = episodes.changed(episode, at), data["opened_at"]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of what the next process needs; its blocks are kept apart."""
        return {
            "episode": self.episode.to_json(),
            "fired": self.fired,
            "fired_at": self.fired_at,
            "opened_at": self.opened_at,
            "first": self._first,
            "value": self.value,
            "fired_value": self.fired_value,
            "kept_s": self.kept_s,
            "kept": self.kept,
            "worst": self.worst and self.worst.to_json(),
            "counted_from": self.counted_from,
        }

    def resume(self, data: Mapping[str, Any], blocks: Iterable[Block] = ()) -> None:
        """Go on from what to_json wrote.

        Args:
            data: what it wrote.
            blocks: all that was counted for its test; what was before its last recovery counts no more.
        """
        self.episode = Episode.from_json(data["episode"])
        self.fired, self.fired_at = data["fired"], data["fired_at"]
        self.opened_at = data["opened_at"]
        self.value, self.fired_value = data["value"], data["fired_value"]
        self.kept_s, self.kept = data["kept_s"], data["kept"]
        self.counted_from = data.get("counted_from", 0.0)
        self.worst = Reading.from_json(data["worst"]) if data.get("worst") else None
        self._first = self._blocks = data["first"]
        for block in islice(blocks, self._first, None):
            self.count(block)
