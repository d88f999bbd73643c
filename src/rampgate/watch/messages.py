"""What a watch says: to the people on call, and in its journal."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from rampgate.judging.episodes import State
from rampgate.judging.next_steps import next_command
from rampgate.model import formats
from rampgate.outcome import Decision, Severity
from rampgate.watch.cohorts import Finding

if TYPE_CHECKING:
    from rampgate.config.settings import Settings
    from rampgate.judging.results import Verdict
    from rampgate.watch.cohorts import Result
    from rampgate.watch.rounds import Position, Transition
    from rampgate.watch.rules import RuleWatch

_REASONS = 5


class Kind(StrEnum):
    """What a channel is to make of a message, in apprise's words."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


_OF_SEVERITY = {Severity.CRITICAL: Kind.FAILURE, Severity.WARNING: Kind.WARNING}
_OF_DECISION = {
    Decision.PROMOTE: Kind.SUCCESS,
    Decision.HOLD: Kind.WARNING,
    Decision.ROLLBACK: Kind.FAILURE,
}


class Message(NamedTuple):
    """One message.

    Args:
        title: in a line.
        text: what a tired person needs.
        kind: what a channel is to make of it.
    """

    title: str
    text: str = ""
    kind: Kind = Kind.INFO


def of_transition(transition: Transition, where: str) -> Message | None:
    """What is said of a rule that came into another state; None where nobody needs to be woken.

    Args:
        transition: the rule, and where it stood.
        where: target, environment and percentage.
    """
    watched, before = transition.watched, transition.before
    if watched.episode.number > before.number:
        return Message(
            f"{watched.rule.name} fires ({watched.severity}), {where}",
            _what(watched, transition.at),
            _OF_SEVERITY[watched.severity],
        )
    if before.open and watched.episode.state is State.OK:
        lasted = formats.elapsed(transition.at - watched.opened_at)
        return Message(
            f"{watched.rule.name} has recovered after {lasted}, {where}",
            _what(watched, transition.at),
            Kind.SUCCESS,
        )
    return None


def _what(watched: RuleWatch, at: float) -> str:
    rule = watched.rule
    lines = [f"{rule.threshold}: {watched.value}", f"at {formats.moment(at)}"]
    lines += [f"runbook: {rule.runbook}"] if rule.runbook else []
    lines += [f"owner: {rule.owner}"] if rule.owner else []
    return "\n".join(lines)


def of_metric(name: str, trouble: str, since: float, where: str) -> Message:
    """What is said of a metric that has not been read for too long, or can be read again.

    Args:
        name: of the metric.
        trouble: why there is no reading, "" where there is one.
        since: since when, seconds since the epoch.
        where: target, environment and percentage.
    """
    if trouble:
        return Message(
            f"{name} cannot be read, {where}", f"since {formats.moment(since)}: {trouble}", Kind.WARNING
        )
    return Message(f"{name} is read again, {where}", kind=Kind.SUCCESS)


def of_cohorts(name: str, result: Result, where: str) -> Message:
    """What is said of a comparison of cohorts that has come to something else.

    Args:
        name: of the metric.
        result: what it has come to.
        where: target, environment and percentage.
    """
    kind = Kind.WARNING if result.finding is Finding.HARMS else Kind.INFO
    return Message(f"the feature's {name}: {result.finding}, {where}", result.sentence, kind)


def of_change(changed: str, at: float, where: str, *, moved: bool = False) -> Message:
    """What is said when what is watched has changed, and whether it is another release now."""
    counts = ", and this run counts for no release" if moved else ""
    return Message(f"{changed}, {where}", f"at {formats.moment(at)}; windows begin anew{counts}")


def of_jump(seconds: float, at: float, where: str) -> Message:
    """What is said when the clock has jumped."""
    how = f"{formats.duration(abs(seconds))} {'forward' if seconds > 0 else 'back'}"
    text = f"it is {formats.moment(at)} now; windows begin anew, and what lies between is not observed"
    return Message(f"the watch's clock went {how}, {where}", text)


def of_end(verdict: Verdict, where: str) -> Message:
    """What is said at the end of a watch."""
    following = next_command(verdict)
    lines = [*verdict.reasons[:_REASONS], *([f"next: {following}"] if following else [])]
    text = "\n".join([*lines, f"run {verdict.run}"])
    return Message(
        f"the watch of {where} ended: {verdict.decision.name}", text, _OF_DECISION[verdict.decision]
    )


def place(settings: Settings, position: Position) -> str:
    """What is watched: ``pharmapilot 1.4.0, production at 25 %``."""
    target = " ".join(filter(None, (settings.target.name, " and ".join(position.versions))))
    percentage = settings.percentage if position.percentage is None else position.percentage
    at = "" if percentage is None else f" at {formats.number(percentage)} %"
    return f"{f'{target}, ' if target else ''}{settings.environment}{at}"
