"""Where a rollout stands, and what has become of it so far, as people and programs read it."""

from __future__ import annotations

import json
import math
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from rampgate.errors import ExitCode
from rampgate.evidence.overrides import made
from rampgate.judging.overrides import KIND
from rampgate.model import formats
from rampgate.model.formats import moment
from rampgate.model.text import clean, json_without_commands
from rampgate.rollout import command
from rampgate.rollout.soak import observed
from rampgate.rollout.transitions import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    for line in session.settings.rollout.guide.lines:
        say(line)
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
    steps = [each for each in session.state.steps() if each.rollout == rollout.id and each.effect.get("arms")]
    if steps and steps[-1].target == rollout.percentage:
        say(f"read back: {steps[-1].effect['sentence']}")
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
    """Every step: who, when, why, from, to, on what evidence; and the overrides of runs since the first."""
    steps = session.state.steps()
    begun = min((step.at for step in steps), default=math.inf)
    settings = session.settings
    overridden = [each for each in made(settings.reports, settings.environment) if each["time"] >= begun]
    if as_json:
        data = [step.to_json() for step in steps] + [_override(each) for each in overridden]
        data = session.redactor.data(sorted(data, key=lambda each: float(each["at"])))
        return json_without_commands(json.dumps(data, indent=2, sort_keys=True))
    entries = [(step.at, [*_lines(step)]) for step in steps]
    entries += [(each["time"], [_overridden(each)]) for each in overridden]
    lines = [line for _, entry in sorted(entries, key=itemgetter(0)) for line in entry]
    if overridden:
        lines.append(f"{len(overridden)} override{'s' if len(overridden) > 1 else ''} of what runs came to")
    return "\n".join(clean(session.redactor.text(line)) for line in lines) or "there is no rollout"


def _override(record: Mapping[str, Any]) -> dict[str, Any]:
    """An override as an entry of the history."""
    kept = {name: record.get(name) for name in ("run", "verdict", "measured", "expires")}
    return {
        **kept,
        "command": KIND,
        "at": record["time"],
        "who": record.get("by"),
        "why": record.get("reason"),
    }


def _overridden(record: Mapping[str, Any]) -> str:
    said = _override(record)
    moved = f"{said['measured']} -> {said['verdict']} of run {said['run']} until {moment(said['expires'])}"
    return f"{moment(said['at'])}  {KIND}  {moved}  by {said['who']}: {said['why']}"


def _lines(step: Step) -> Iterator[str]:
    moved = f"{step.source:g} -> {step.target:g} %" if step.source != step.target else f"{step.source:g} %"
    yield f"{moment(step.at)}  {step.command}  {moved}  {step.status}  by {step.who}: {step.why}"
    for call in step.calls:
        yield f"    {call['actuator']}: {call['percentage']:g} %: {call['message'] or 'was cut off'}"
    if says := step.effect.get("sentence"):
        yield f"    {says}"
    if undone := step.effect.get("undone"):
        yield f"    undone: {undone['sentence']}"
    if tab := step.effect.get("tab"):
        yield f"    {tab['sentence']}"
    if step.evidence:
        yield f"    on: {', '.join(_evidence(step.evidence))}"


def _evidence(kept: dict[str, Any]) -> Iterator[str]:
    """What a step up stood on, as a person reads it."""
    yield from (f"{stage} {run}" for stage, run in kept.get("runs", {}).items())
    yield f"{formats.elapsed(kept.get('observed_s', 0.0))} observed"
