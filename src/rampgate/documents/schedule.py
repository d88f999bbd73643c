"""The schedule: steps of the deploy, percentages of the plan, where each stands, and its times."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.documents.facts import at_percent, moment
from rampgate.model import formats
from rampgate.outcome import Decision
from rampgate.rollout import plan
from rampgate.rollout.transitions import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.documents.facts import Facts
    from rampgate.rollout.plan_records import Stage

_DEPLOY = "deploy"
_RISES = {Status.RUNNING, Status.PAUSED}
_FIRST = "on or after "


class Row(NamedTuple):
    """One step of the deploy, or one percentage.

    Args:
        phase: the step; internal, beta or general.
        users: who has the features, "" at a step of the deploy.
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
    """Steps of the deploy, percentages of the plan, and when the last one is in force at the earliest.

    Raises:
        EvidenceError: what a watch has written cannot be read.
    """
    rollout = facts.rollout if facts.rollout and facts.rollout.status in _RISES else None
    stages = list(plan.dated(facts.settings, rollout, facts.now))
    planned = facts.rollout is None or rollout is not None
    found = [*_steps(facts), *(_row(facts, stage, planned=planned) for stage in stages)]
    last = stages[-1].begins if planned else None
    return found, moment(last)


def _steps(facts: Facts) -> Iterator[Row]:
    """Each step of [deploy] that is configured, by the newest run that has checked it."""
    for step in type(facts.settings.deploy).model_fields:
        if not getattr(facts.settings.deploy, step):
            continue
        looks = [
            run
            for run in facts.runs.found
            if (run.stage, run.version) == (_DEPLOY, facts.version or None) and step in run.steps
        ]
        state, when = "scheduled" if facts.rollout is None else "not checked", ""
        if looks and (verdict := looks[-1].verdict) is not None:
            state = "done" if verdict.decision is Decision.PROMOTE else f"checked: {verdict.decision.name}"
            when = moment(looks[-1].ended)
        yield Row(f"{_DEPLOY}: {step}", "", state, "", "", when)


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
