"""The schedule: each percentage of the plan, where it stands, since when, and until when at the earliest."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.documents.facts import at_percent, moment
from rampgate.model import formats
from rampgate.rollout import plan
from rampgate.rollout.transitions import Status

if TYPE_CHECKING:
    from rampgate.documents.facts import Facts
    from rampgate.rollout.plan_records import Stage

_RISES = {Status.RUNNING, Status.PAUSED}
_FIRST = "on or after "


class Row(NamedTuple):
    """One percentage.

    Args:
        phase: internal, beta or general.
        users: who has the features.
        state: done, in progress, paused, next, scheduled, rolled back, not reached.
        begins: when, "" where that is not known.
        soak: time that must be observed there.
        ends: when that is over at the earliest.
    """

    phase: str
    users: str
    state: str
    begins: str
    soak: str
    ends: str


def rows(facts: Facts) -> tuple[list[Row], str]:
    """Every percentage of the plan, and when the last one is in force at the earliest.

    Raises:
        EvidenceError: what a watch has written cannot be read.
    """
    rollout = facts.rollout if facts.rollout and facts.rollout.status in _RISES else None
    stages = list(plan.dated(facts.settings, rollout, facts.now))
    planned = facts.rollout is None or rollout is not None
    found = [_row(facts, stage, planned=planned) for stage in stages]
    last = stages[-1].begins if planned else None
    return found, moment(last)


def _row(facts: Facts, stage: Stage, *, planned: bool) -> Row:
    spans = [span for span in facts.spans if span.percentage == stage.percentage]
    state = _state(facts, stage.percentage, reached=bool(spans))
    users = "0 %, enrolled users only" if stage.percentage == 0 else at_percent(stage.percentage)
    soak = formats.duration(stage.soak) if stage.soak else "none"
    begins, ends = "", ""
    if spans:
        begins = moment(spans[0].begin)
        ends = moment(spans[0].end) if spans[0].end < facts.now else ""
    elif planned and stage.begins is not None:
        begins = f"{_FIRST}{moment(stage.begins)}"
    if planned and not ends and stage.ends is not None and stage.soak:
        ends = f"{_FIRST}{moment(stage.ends)}"
    return Row(stage.phase, users, state, begins, soak, ends)


def _state(facts: Facts, percentage: float, *, reached: bool) -> str:
    rollout, first = facts.rollout, facts.settings.rollout.percentages[0]
    if rollout is None:
        return "next" if percentage == first else "scheduled"
    if rollout.status in _RISES:
        if percentage == rollout.percentage:
            return "paused" if rollout.status is Status.PAUSED or facts.stopped else "in progress"
        if percentage < rollout.percentage:
            return "done"
        return "next" if percentage == facts.settings.rollout.above(rollout.percentage) else "scheduled"
    if rollout.status is Status.COMPLETE:
        return "done"
    word = {Status.ROLLED_BACK: "rolled back", Status.ROLLING_BACK: "being rolled back"}
    return word.get(rollout.status, rollout.status.value) if reached else "not reached"
