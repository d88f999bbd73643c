"""What a watch says: to the people on call, and in its journal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from rampgate.judging.episodes import State
from rampgate.judging.next_steps import next_command
from rampgate.model import formats

if TYPE_CHECKING:
    from rampgate.judging.results import Verdict
    from rampgate.watch.cohorts import Result
    from rampgate.watch.rounds import Transition
    from rampgate.watch.rules import RuleWatch

_REASONS = 5


class Message(NamedTuple):
    """One message.

    Args:
        title: in a line.
        text: what a tired person needs.
    """

    title: str
    text: str = ""


def of_transition(transition: Transition, where: str) -> Message | None:
    """What is said of a rule that came into another state; None where nobody needs to be woken.

    Args:
        transition: the rule, and where it stood.
        where: environment and percentage.
    """
    watched, before = transition.watched, transition.before
    if watched.episode.number > before.number:
        return Message(
            f"{watched.rule.name} fires ({watched.severity}), {where}", _what(watched, transition.at)
        )
    if before.open and watched.episode.state is State.OK:
        lasted = formats.duration(transition.at - watched.opened_at)
        return Message(
            f"{watched.rule.name} has recovered after {lasted}, {where}", _what(watched, transition.at)
        )
    return None


def _what(watched: RuleWatch, at: float) -> str:
    rule = watched.rule
    lines = [f"{rule.threshold}: {watched.value}", f"at {moment(at)}"]
    lines += [f"runbook: {rule.runbook}"] if rule.runbook else []
    lines += [f"owner: {rule.owner}"] if rule.owner else []
    return "\n".join(lines)


def of_metric(name: str, trouble: str, since: float, where: str) -> Message:
    """What is said of a metric that has not been read for too long, or can be read again.

    Args:
        name: of the metric.
        trouble: why there is no reading, "" where there is one.
        since: since when, seconds since the epoch.
        where: environment and percentage.
    """
    if trouble:
        return Message(f"{name} cannot be read, {where}", f"since {moment(since)}: {trouble}")
    return Message(f"{name} is read again, {where}")


def of_cohorts(name: str, result: Result, where: str) -> Message:
    """What is said of a comparison of cohorts that has come to something else.

    Args:
        name: of the metric.
        result: what it has come to.
        where: environment and percentage.
    """
    return Message(f"the feature's {name}: {result.finding}, {where}", result.sentence)


def of_change(changed: str, at: float, where: str) -> Message:
    """What is said when what is watched has changed."""
    return Message(f"{changed}, {where}", f"at {moment(at)}; windows begin anew")


def of_jump(seconds: float, at: float, where: str) -> Message:
    """What is said when the clock has jumped."""
    how = f"{formats.duration(abs(seconds))} {'forward' if seconds > 0 else 'back'}"
    text = f"it is {moment(at)} now; windows begin anew, and what lies between is not observed"
    return Message(f"the watch's clock went {how}, {where}", text)


def of_end(verdict: Verdict, where: str) -> Message:
    """What is said at the end of a watch."""
    following = next_command(verdict)
    lines = [*verdict.reasons[:_REASONS], *([f"next: {following}"] if following else [])]
    return Message(f"the watch of {where} ended: {verdict.decision.name}", "\n".join([*lines, verdict.run]))


def place(environment: str, percentage: float | None) -> str:
    """Environment and percentage: ``production at 25 %``."""
    return environment if percentage is None else f"{environment} at {formats.number(percentage)} %"


def moment(at: float) -> str:
    """A time of day in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
