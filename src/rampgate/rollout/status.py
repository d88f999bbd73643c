"""Where a rollout stands, and what has become of it so far, as people and programs read it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rampgate.errors import ExitCode
from rampgate.model import formats
from rampgate.model.text import clean, json_without_commands
from rampgate.rollout import command
from rampgate.rollout.soak import observed
from rampgate.rollout.transitions import Status
from rampgate.watch.messages import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.rollout.records import Rollout, Step
    from rampgate.rollout.session import Session


def show(session: Session) -> ExitCode:
    """Say where the rollout stands and what its next step needs; 0 where nothing is missing, else HOLD."""
    state, say = session.state, session.say
    rollout = state.current()
    if rollout is None:
        say("there is no rollout; next: rampgate rollout start")
        return ExitCode.HOLD
    at = f"{formats.number(rollout.percentage)} %"
    features, since = ", ".join(rollout.features), moment(rollout.changed)
    say(f"{rollout.version or 'no version'}: {rollout.status} at {at} since {since}: {features}")
    if holder := state.holder():
        living = "at work" if holder.alive(session.clock.now()) else "cut off"
        say(f"{living}: {holder.described(session.clock.now())}")
    if step := state.unfinished():
        say(f"{step.command} to {step.target:g} % has come to no end; the next command brings it to one")
    if rollout.status not in {Status.RUNNING, Status.PAUSED}:
        return ExitCode.PROMOTE if rollout.status is Status.COMPLETE else ExitCode.HOLD
    return _next(session, rollout)


def _next(session: Session, rollout: Rollout) -> ExitCode:
    """What the next step needs."""
    plan, say = session.settings.rollout, session.say
    needed, seen = plan.soak_at(rollout.percentage), observed(session.settings, rollout)
    say(
        f"observed: {formats.elapsed(seen)} of {formats.duration(needed)}"
        if needed
        else "observed: none needed"
    )
    target = plan.above(rollout.percentage)
    if target is None:
        return ExitCode.PROMOTE
    unmet = command.conditions(session, rollout).unmet()
    for each in unmet:
        say(f"missing for {target:g} %: {each.sentence}")
    if not unmet and rollout.status is Status.RUNNING:
        say(f"next: rampgate rollout advance, to {target:g} %")
        return ExitCode.PROMOTE
    return ExitCode.HOLD


def history(session: Session, *, as_json: bool) -> str:
    """Every step: who, when, why, from, to, and the evidence that it stood on."""
    steps = session.state.steps()
    if as_json:
        data = [session.redactor.data(step.to_json()) for step in steps]
        return json_without_commands(json.dumps(data, indent=2, sort_keys=True))
    lines = [clean(session.redactor.text(line)) for step in steps for line in _lines(step)]
    return "\n".join(lines) or "there is no rollout"


def _lines(step: Step) -> Iterator[str]:
    moved = f"{step.source:g} -> {step.target:g} %" if step.source != step.target else f"{step.source:g} %"
    yield f"{moment(step.at)}  {step.command}  {moved}  {step.status}  by {step.who}: {step.why}"
    for call in step.calls:
        yield f"    {call['actuator']}: {call['percentage']:g} %: {call['message'] or 'was cut off'}"
    if says := step.effect.get("sentence"):
        yield f"    {says}"
    if undone := step.effect.get("undone"):
        yield f"    undone: {undone['sentence']}"
    if step.evidence:
        yield f"    on: {', '.join(_evidence(step.evidence))}"


def _evidence(kept: dict[str, Any]) -> Iterator[str]:
    """What a step up stood on, as a person reads it."""
    yield from (f"{stage} {run}" for stage, run in kept.get("runs", {}).items())
    yield f"{formats.elapsed(kept.get('observed_s', 0.0))} observed"
