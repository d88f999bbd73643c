"""How the rules of a watch ended, each by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.judging.episodes import State
from rampgate.judging.threshold import Polarity
from rampgate.model import formats
from rampgate.model.formats import moment
from rampgate.outcome import Cause, Outcome, Severity
from rampgate.watch.metrics import FIRST
from rampgate.watch.values import broken, shown

if TYPE_CHECKING:
    from rampgate.watch.engine import Engine
    from rampgate.watch.metrics import MetricWatch
    from rampgate.watch.rules import RuleWatch

NO_CHANCE = "a value without counts: no chance of being wrong can be stated"


class Ending(NamedTuple):
    """How a rule ended by itself.

    Args:
        outcome: None where a judgement of its counts says it.
        message: in a sentence.
        severity: of a failure.
    """

    outcome: Outcome | None
    message: str
    severity: Severity


def of_rule(watched: RuleWatch, metric: MetricWatch, *, decided: bool, early: bool) -> tuple[Ending, str]:
    """How a rule ended, and whose fault that is where it is not the target's."""
    trouble, reading = _trouble(watched, metric), metric.reading
    if trouble and reading is not None and not watched.fired:
        return Ending(Outcome.UNDECIDED, f"decides nothing: {trouble}", watched.severity), Cause.STARVED
    n = reading.n if reading else None
    return ending(watched, trouble, decided=decided, early=early, n=n), ""


def decided_in(engine: Engine) -> set[str]:
    """Names of metrics of which a test has shown that a critical limit is broken."""
    tested = (each for each in engine.rules.values() if each.test is not None)
    critical = (each for each in tested if each.fired and each.severity is Severity.CRITICAL)
    return {each.rule.threshold.metric for each in critical}


def ending(
    watched: RuleWatch, trouble: str, *, decided: bool, early: bool = False, n: int | None = None
) -> Ending:
    """How one rule ended.

    Args:
        watched: the rule.
        trouble: why its metric cannot be read now, "" where it can.
        decided: whether a test of the same metric has shown that a critical limit is broken.
        early: whether the watch was interrupted.
        n: of how many answers its last reading is, where that is known.
    """
    severity = watched.severity
    if watched.fired:
        return _fired(watched, decided=decided)
    if watched.episode.state is State.PENDING:
        return Ending(Outcome.UNDECIDED, _pending(watched), severity)
    if n is not None and n < watched.rule.threshold.min_n:
        says = f"{watched.value}: {watched.rule.threshold.min_n} are needed"
        return Ending(Outcome.UNDECIDED, says, severity)
    if not watched.kept:
        says = f"was never read: {trouble or 'it says nothing of this limit'}"
        to_come = early and trouble in FIRST
        return Ending(Outcome.UNDECIDED if to_come else Outcome.ERROR, says, severity)
    if trouble or watched.episode.state is State.UNKNOWN:
        says = f"is not known at the end: {trouble or 'nothing was read since a change'}"
        return Ending(Outcome.ERROR, says, severity)
    return _kept(watched)


def _pending(watched: RuleWatch) -> str:
    episode, needed = watched.episode, watched.rule.threshold.duration_s
    lasted = formats.elapsed(max(0.0, (episode.read_at or 0.0) - episode.since))
    of = f" ({lasted} of {formats.duration(needed)})" if needed else ""
    return f"broken since {moment(episode.since)}{of}: {watched.value}"


def _fired(watched: RuleWatch, *, decided: bool) -> Ending:
    says = f"fired at {moment(watched.fired_at)}, {watched.rule.threshold}: {watched.fired_value}"
    if watched.severity is Severity.CRITICAL and not (watched.decides or decided):
        return Ending(Outcome.FAILED, f"{says}: holds until the test of the counts decides", Severity.WARNING)
    return Ending(Outcome.FAILED, says if watched.counted else f"{says} ({NO_CHANCE})", watched.severity)


def _kept(watched: RuleWatch) -> Ending:
    missing = watched.rule.threshold.duration_s - watched.kept_s
    if watched.rule.threshold.polarity is Polarity.GOOD and missing > 0:
        kept, more = map(formats.duration, (watched.kept_s, missing))
        return Ending(Outcome.UNDECIDED, f"kept for {kept}: about {more} more are needed", watched.severity)
    outcome = None if watched.test is not None else Outcome.PASSED
    return Ending(outcome, f"kept: {watched.value}", watched.severity)


def _trouble(watched: RuleWatch, metric: MetricWatch) -> str:
    """Why nothing is known of a rule at the end, "" where something is."""
    reading, threshold = metric.reading, watched.rule.threshold
    if reading is None:
        return metric.trouble
    doubtful = reading.doubt and broken(threshold, reading) is None
    return f"{shown(threshold, reading)}, and {reading.doubt}" if doubtful else ""
