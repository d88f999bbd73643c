"""What a watch says of the users who have the feature, beside those who have not. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.checks.frame.forms import counts_votes
from rampgate.model import formats
from rampgate.model.cohorts import Pair, PairTest, need, reached, together
from rampgate.model.metrics import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rampgate.checks.frame.source import MetricSettings
    from rampgate.model.measurement import Block
    from rampgate.model.metrics import Metric

ROLLBACK_ALPHA = 1e-4
"""The chance that one comparison may ever roll back a feature that keeps the margin, at one percentage."""
TRUST_ALPHA = 1e-2
"""The chance that next and later are said to differ though they do not."""
TESTS = 2
"""Tests of chance in one comparison: the one that holds, and the one that rolls back."""
ON, OFF, NEXT, LATER = "on", "off", "next", "later"
VOTES = "votes"
_PERCENT = 100


class Finding(StrEnum):
    """What a comparison has come to."""

    HARMS = "harms"
    HARMLESS = "harmless"
    UNDECIDED = "undecided"
    UNTRUSTED = "not trusted"


class Result(NamedTuple):
    """What a comparison has come to.

    Args:
        finding: in a word.
        sentence: in a sentence, with the need where there is one.
        need_s: about how many more seconds at this traffic decide; None where that is not known.
        may_roll_back: whether bunches of failures do not explain it.
    """

    finding: Finding
    sentence: str
    need_s: float | None = None
    may_roll_back: bool = False


class Comparison:
    """Those who have the feature against those who have not, of one metric.

    Args:
        margin: points that those who have it may fail more.
        alpha: the chance that the split may ever hold a feature that keeps the margin.
        alpha_rollback: the same of a rollback.
        votes: whether the source counts one vote per user and minute; else it counts requests, and the split,
            which needs failures that are independent, is only shown.
    """

    def __init__(
        self, margin: float, alpha: float, alpha_rollback: float = ROLLBACK_ALPHA, *, votes: bool = False
    ) -> None:
        self._margin = margin
        self._alpha, self._alpha_rollback = alpha, min(alpha_rollback, alpha)
        self._unit = VOTES if votes else "requests"
        self._begin()
        self._rolls_back = self._skipped = False
        self._last: float | None = None

    def _begin(self) -> None:
        self._test, self._sooner, self._later = (PairTest(self._margin / _PERCENT) for _ in range(3))
        self._holds = self._differ = self._kept = False

    def add(self, at: float, counted: Iterable[tuple[str, str, Block]]) -> None:
        """Take what one reading has added.

        Args:
            at: when it was read, seconds since the epoch.
            counted: endpoint, cohort (on, off, next, later; others do not count), votes and failures.
        """
        sides: dict[str, dict[str, Pair]] = {"feature": {}, "later": {}}
        for endpoint, cohort, block in counted:
            for name, first, second in (("feature", {ON}, {OFF, NEXT, LATER}), ("later", {NEXT}, {LATER})):
                votes = (block.n, block.failures)
                pair = Pair(*votes) if cohort in first else Pair(0, 0, *votes) if cohort in second else Pair()
                sides[name][endpoint] = sides[name].get(endpoint, Pair()).plus(pair)
        seconds = max(0.0, at - self._last) if self._last is not None else 0.0
        self._last, skipped, self._skipped = at, self._skipped, False
        if skipped:  # it began within what was left out
            return
        self._test.add(seconds, sides["feature"])
        self._sooner.add(seconds, sides["later"])
        self._later.add(seconds, {name: Pair(*pair[2:], *pair[:2]) for name, pair in sides["later"].items()})
        self._decide()

    def _decide(self) -> None:
        both_ways = (self._sooner.paired, self._later.paired)
        self._differ = self._differ or any(reached(each, TRUST_ALPHA / 2) for each in both_ways)
        shown = not self._differ and reached(self._test.paired, self._alpha_rollback)
        self._rolls_back = self._rolls_back or shown
        self._holds = self._holds or reached(self._test.split, self._alpha)
        self._kept = self._kept or reached(self._test.harmless, self._alpha)

    def skip(self, at: float) -> None:
        """Leave out what was counted until now, and until the next reading."""
        self._last, self._skipped = at, True

    def changed(self, *, anew: bool) -> None:
        """What is watched has changed.

        Args:
            anew: whether other users have the feature, or another version of it; else it was restarted.
        """
        if anew:
            self._begin()
        for test in (self._test, self._sooner, self._later):
            test.drop_block()

    @property
    def totals(self) -> Pair:
        """All that was compared."""
        return together(self._test.total.values())

    @property
    def result(self) -> Result:
        """What it has come to."""
        if self._rolls_back:
            return Result(Finding.HARMS, self._says(self._allowed), need_s=0.0, may_roll_back=True)
        if self._differ:
            pair = together(self._sooner.total.values())
            sooner, later = self._failed(*pair[:2]), self._failed(*pair[2:])
            says = f"not trusted: of users without the feature those who get it next fail already ({sooner}) "
            says += f"unlike those who get it later ({later})"
            return Result(Finding.UNTRUSTED, says)
        if self._holds:
            return self._split()
        if self._kept:
            says = f"{self._allowed}, and are not used up if failures are independent"
            return Result(Finding.HARMLESS, self._says(says), need_s=0.0)
        return self._undecided()

    def _split(self) -> Result:
        """Harm, if failures are independent; requests are not, where one user has many."""
        more = self._need(self._test.paired, self._alpha_rollback)
        if self._unit == VOTES:
            says = f"{self._allowed}; holds, for failures of one user in a row could explain it"
            return Result(Finding.HARMS, self._says(f"{says}{_more(more, ' rule that out')}"), more)
        says = self._says(f"{self._allowed}, and surely more, if failures are independent")
        return Result(Finding.UNDECIDED, f"undecided: {says}{_more(more, ' decide')}", more)

    def _undecided(self) -> Result:
        total = self.totals
        if not (total.on and total.off):
            missing = "with" if not total.on else "without"
            return Result(Finding.UNDECIDED, f"undecided: nothing was counted of users {missing} the feature")
        more = self._need(self._test.split, self._alpha)
        worse = total.on_failed * total.off > (total.off_failed + self._test.margin * total.off) * total.on
        if not worse or more is None:
            more = self._need(self._test.harmless, self._alpha)
        return Result(
            Finding.UNDECIDED, f"undecided: {self._says(self._allowed)}{_more(more, ' decide')}", more
        )

    @property
    def _allowed(self) -> str:
        return f"{formats.number(self._margin)} points more are allowed"

    def _says(self, more: str) -> str:
        total = self.totals
        with_it = self._failed(*total[:2])
        without = self._failed(*total[2:])
        checked = "" if any(pair.on for pair in self._sooner.total.values()) else _UNCHECKED
        counts = "" if self._unit == VOTES else "; requests are counted, not users"
        return f"with the feature {with_it} failed, without it {without}; {more}{checked}{counts}"

    def _failed(self, n: int, failures: int) -> str:
        return f"{formats.percent(failures / n) if n else 'none'} of {n:,} {self._unit}"

    def _need(self, parts: list[tuple[float, float]], alpha: float) -> float | None:
        return need(parts, alpha, self._test.seconds)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of what the next process needs."""
        return {
            "tests": [test.to_json() for test in (self._test, self._sooner, self._later)],
            "decided": [self._rolls_back, self._differ, self._holds, self._kept],
            "last": self._last,
        }

    def resume(self, data: Mapping[str, Any]) -> None:
        """Go on from what to_json wrote."""
        for test, kept in zip((self._test, self._sooner, self._later), data["tests"], strict=True):
            test.resume(kept)
        self._rolls_back, self._differ, self._holds, self._kept = data["decided"]
        self._last = data["last"]


_UNCHECKED = "; whether they differ anyway is not known: the source has no next and later"


def _more(seconds: float | None, what: str) -> str:
    return "" if seconds is None else f": about {formats.duration(seconds)} more at this traffic{what}"


def compared_in(entries: Mapping[str, MetricSettings], metrics: Mapping[str, Metric]) -> list[MetricSettings]:
    """The entries whose cohorts are compared: counters of a rate, by cohort."""
    return [
        entry
        for name, entry in entries.items()
        if entry.counted and getattr(entry, "cohort", None) and metrics[name].kind is Kind.RATE
    ]


def comparisons(
    entries: Mapping[str, MetricSettings], metrics: Mapping[str, Metric], margin: float, alpha: float
) -> dict[str, Comparison]:
    """Name of a metric -> the comparison of its cohorts.

    Args:
        entries: of [[metrics]], by name.
        metrics: what their names mean.
        margin: points that those who have the feature may fail more.
        alpha: the chance that one test may ever fail without cause.
    """
    found = compared_in(entries, metrics)
    share = ROLLBACK_ALPHA / max(1, len(found))
    return {entry.name: Comparison(margin, alpha, share, votes=counts_votes(entry)) for entry in found}
