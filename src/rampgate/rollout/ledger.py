"""What may hold or roll back a healthy rollout by chance: each part with its share, and the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.checks.frame.forms import counts_votes
from rampgate.config import watch_policy
from rampgate.evidence.chance import PARTS, of_stage, of_watch
from rampgate.model import formats
from rampgate.outcome import Severity
from rampgate.rollout import conditions
from rampgate.rollout.asking import ALPHA
from rampgate.watch.cohorts import ROLLBACK_ALPHA, compared_in
from rampgate.watch.finish import number_of_tests
from rampgate.watch.rules import is_test

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rampgate.config.settings import Settings
    from rampgate.config.watch_policy import WatchPolicy

_PER_CENT = 100.0


class Chance(NamedTuple):
    """One of what may fail a healthy rollout.

    Args:
        what: it is.
        times: how often it is done in a rollout.
        hold: the chance, at most, that it fails at one of these times.
        rollback: the part of it that may roll back without anybody's doing.
    """

    what: str
    times: int
    hold: float
    rollback: float = 0.0


class Alphas(NamedTuple):
    """Of the watch of one percentage.

    Args:
        test: the chance that one test may fail.
        rollback: the chance that one comparison of cohorts may roll back.
    """

    test: float
    rollback: float


def alphas(settings: Settings, rules: WatchPolicy) -> Alphas:
    """What the tests of a watch may use.

    Args:
        settings: in force.
        rules: of the watch.
    """
    entries = {entry.name: entry for entry in settings.table("metrics")}
    test = of_watch(settings.rollout) / max(1, number_of_tests(entries, rules))
    return Alphas(test, min(test, ROLLBACK_ALPHA / max(1, len(compared_in(entries, rules.metrics)))))


def ledger(settings: Settings, base: Path) -> list[Chance]:
    """All that may fail a healthy rollout by chance.

    Args:
        settings: in force.
        base: the folder that policy files are relative to.

    Raises:
        ConfigurationError: the rules of the watch cannot be read.
    """
    return [*_steps(settings), *_watch(settings, watch_policy.build(settings, base))]


def totals(parts: Iterable[Chance]) -> tuple[float, float]:
    """The chances, at most, that any of them holds a healthy rollout, and that any rolls one back."""
    parts = list(parts)
    return (sum(each.times * each.hold for each in parts), sum(each.times * each.rollback for each in parts))


def _steps(settings: Settings) -> Iterator[Chance]:
    """What a step up is decided by."""
    plan, flags = settings.rollout, settings.flags
    steps = len(plan.percentages) - 1
    for stage in plan.require:
        parts = f", in {PARTS[stage]} parts" if stage in PARTS else ""
        yield Chance(f"stage {stage} before each step up{parts}", steps, of_stage(plan, stage))
    if plan.exposure:
        yield Chance("live exposure before each step up", steps, conditions.ALPHA)
    if flags and flags.algorithm == "unknown":
        alpha = ALPHA * max(1, len(plan.features))
        yield Chance("the effect of each step up, read back as a share of users", steps, alpha)


def _watch(settings: Settings, rules: WatchPolicy) -> Iterator[Chance]:
    """What the watch may find at each percentage."""
    entries = {entry.name: entry for entry in settings.table("metrics")}
    counted = {name for name, entry in entries.items() if entry.counted}
    tests = [each for each in rules.rules if is_test(each, counted=each.threshold.metric in counted)]
    alpha, plan = alphas(settings, rules), settings.rollout
    if tests:
        critical = sum(each.threshold.severity is Severity.CRITICAL for each in tests)
        name = f"rules of the watch on counts: {len(tests)}, of which {critical} roll back"
        yield Chance(name, len(plan.percentages), len(tests) * alpha.test, critical * alpha.test)
    split = sum(0 < each < _PER_CENT for each in plan.percentages)
    compared = compared_in(entries, rules.metrics)
    if votes := [each for each in compared if counts_votes(each)]:
        named = ", ".join(each.name for each in votes)
        yield Chance(f"cohorts by votes, the split, which holds: {named}", split, len(votes) * alpha.test)
    if compared:
        each = len(compared) * alpha.rollback
        name = f"cohorts, paired betting, which rolls back: {formats.number(len(compared))} compared"
        yield Chance(name, split, each, each)
