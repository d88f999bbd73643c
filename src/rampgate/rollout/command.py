"""What the commands of ``rampgate rollout`` do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rampgate.actuators.frame import Change
from rampgate.errors import ConfigurationError, EvidenceError, ExitCode, ProbeError
from rampgate.model import formats
from rampgate.rollout.conditions import Conditions, Unmet, seen_by_watch
from rampgate.rollout.held_tab import GRADUAL_WAITS_S, held_tab, report
from rampgate.rollout.records import Rollout, StepStatus
from rampgate.rollout.refusals import outside, refuse_floor, refuse_lowering, refuse_overlap
from rampgate.rollout.soak import observed, target_of
from rampgate.rollout.transitions import Command, Status, after

if TYPE_CHECKING:
    from rampgate.rollout.change import Mover
    from rampgate.rollout.held_tab import HeldTab
    from rampgate.rollout.records import Step
    from rampgate.rollout.session import Session

STOP_LINE = "stop-line"
ROLLBACK_WITHIN_S = 300.0
_PATIENCE = 2.0
"""A gradual rollback waits for observed time so many times as long, and then goes on without."""
_POLL_S = 1.0


def start(session: Session, why: str, at: float | None = None) -> ExitCode:
    """Begin a rollout at the first percentage of the plan, or go on with what users have already.

    A rollout of another version that is open is superseded: its percentage stays, its evidence does not.

    Args:
        session: the command.
        why: the reason that is kept.
        at: the percentage that users have already, None to bring the first one about.

    Raises:
        ConfigurationError: a rollout is open, the percentage is none of the plan, or users have more.
    """
    plan = session.settings.rollout
    if at is not None and at not in plan.percentages:
        raise outside(session, at)
    with session.lease("start") as mover:
        before = session.state.current()
        superseded = before if before and before.gives_way_to(session.version) else None
        refuse_overlap(session, superseded)
        if superseded:
            at = superseded.percentage
        else:
            after(Command.START, before.status if before else None)
        if at is None:
            refuse_lowering(session, mover.reader)
        new = _new(session, Status.RUNNING, at or 0.0)
        step = session.step(new, Command.START, plan.percentages[0] if at is None else at, why)
        with session.state.transaction():
            if superseded:
                session.state.write(replace(superseded, status=Status.SUPERSEDED))
            new = session.state.write(new)
            step = session.state.note(replace(step, rollout=new.id))
        makes = mover if at is None else replace(mover, actuators=())  # users have it already
        rollout, step = makes.move(new, step)
        if step.status is StepStatus.FAILED and not step.touched:  # it never began
            session.forget(rollout, superseded)
    return _ended(session, rollout, step)


def advance(session: Session, why: str, to: float | None = None, *, quietly: bool = False) -> ExitCode:
    """Go to the next percentage of the plan, where everything that takes is there.

    Args:
        session: the command.
        why: the reason that is kept.
        to: the percentage that the caller expects it to be.
        quietly: whether what is missing is said in one line.

    Raises:
        ConfigurationError: no rollout is running, or the percentage is not the next of the plan.
    """
    with session.lease("advance") as mover:
        rollout = session.state.current()
        after(Command.ADVANCE, rollout.status if rollout else None)
        if rollout is None:
            raise ConfigurationError("rollout advance: there is no rollout")
        target = session.settings.rollout.above(rollout.percentage)
        if target is None or to not in {None, target}:
            raise outside(session, rollout.percentage if to is None else to, target)
        needs = conditions(session, rollout)
        if unmet := needs.unmet() or _moved_by_others(mover, rollout):
            return _held(session, rollout, unmet, quietly=quietly)
        evidence = {
            "observed_s": round(observed(session.settings, rollout), 1),
            "runs": needs.runs,
            **needs.users,
        }
        rollout, step = mover.move(rollout, session.step(rollout, Command.ADVANCE, target, why, **evidence))
    return _ended(session, rollout, step)


def _moved_by_others(mover: Mover, rollout: Rollout) -> list[Unmet]:
    """Why users do not have the percentage in force: whoever has changed it had a reason."""
    at = f"{formats.number(rollout.percentage)} %"
    try:
        found = mover.reader.now(Change(rollout.features, rollout.percentage, on=True))
    except ProbeError as error:
        return [Unmet(f"whether users have {at} is not known: {error}")]
    return [] if found.ok else [Unmet(f"users do not have {at} any more: {found.sentence}")]


def conditions(session: Session, rollout: Rollout) -> Conditions:
    """What a step up needs now."""
    stopped = (session.state.get(STOP_LINE) or {}).get("why", "")
    if rollout.version != session.version:
        stopped = f"version {session.version} is expected, and this rollout is of {rollout.version}: start it"
    who, now = session.who, session.clock.now()
    return Conditions(session.settings, rollout, now, who, stopped, session.rehearsals, session.api)


def pause(session: Session, why: str, *, resume: bool = False) -> ExitCode:
    """Stop counting observed time, or go on; a step that was cut off is brought to its end before."""
    command = Command.RESUME if resume else Command.PAUSE
    with session.lease(command):
        rollout = session.state.current()
        status = after(command, rollout.status if rollout else None)
        if rollout is None:
            raise ConfigurationError(f"rollout {command}: there is no rollout")
        now, soaked = session.clock.now(), observed(session.settings, rollout)
        with session.state.transaction():
            session.state.write(replace(rollout, status=status, since=now, soaked=soaked))
            session.note(rollout, command, why)
    session.say(f"{status} at {formats.number(rollout.percentage)} %, {formats.elapsed(soaked)} observed")
    return ExitCode.PROMOTE


def stop_line(session: Session, why: str, *, lift: bool = False) -> ExitCode:
    """Let nothing rise until it is lifted; a rollback is never stopped by it."""
    with session.state.transaction():
        value = None if lift else {"why": why, "who": session.who, "at": session.clock.now()}
        session.state.keep(STOP_LINE, value)
        if rollout := session.state.current():
            session.note(rollout, STOP_LINE, f"lifted: {why}" if lift else why)
    session.say("the line is free" if lift else f"the line is stopped: {why}")
    return ExitCode.PROMOTE


def emergency(session: Session, why: str, *, below_floor: bool = False) -> ExitCode:
    """Switch every feature off now, whatever else goes on, and see that users read it.

    Args:
        session: the command.
        why: the reason that is kept and sent.
        below_floor: whether a floor of this version is ignored.

    Raises:
        ConfigurationError: the version has a floor.
    """
    began = session.clock.monotonic()
    refuse_floor(session, 0.0, below_floor=below_floor)
    with held_tab(session) as tab:
        with session.lease(Command.EMERGENCY, pre_empts=True) as mover:
            rollout = session.state.current() or _unknown(session)
            after(Command.EMERGENCY, rollout.status)
            rollout, step = mover.move(rollout, session.step(rollout, Command.EMERGENCY, 0.0, why))
        return _rolled_back(session, rollout, step, session.clock.monotonic() - began, tab)


def gradual(session: Session, why: str, *, below_floor: bool = False) -> ExitCode:
    """Go down step by step, with observed time after each; what is critical then is an emergency.

    A watch that does not live stops no rollback: after twice the time it goes on without it.

    Args:
        session: the command.
        why: the reason that is kept and sent.
        below_floor: whether a floor of this version is ignored.

    Raises:
        ConfigurationError: there is no rollout, or the version has a floor.
    """
    began = session.clock.monotonic()
    refuse_floor(session, 0.0, below_floor=below_floor)
    with held_tab(session) as tab:
        with session.lease(Command.GRADUAL) as mover:
            rollout = session.state.current()
            if rollout and session.settled and rollout.status is Status.ROLLED_BACK:
                return _rolled_back(session, rollout, session.settled, session.clock.monotonic() - began)
            after(Command.GRADUAL, rollout.status if rollout else None)
            if rollout is None:
                raise ConfigurationError("rollout rollback: there is no rollout")
            if tab is not None:
                tab.wait_open(GRADUAL_WAITS_S)
            while True:
                target = session.settings.rollout.down(rollout.percentage)
                rollout, step = mover.move(rollout, session.step(rollout, Command.GRADUAL, target, why))
                if step.status is StepStatus.FAILED or rollout.status is Status.ROLLED_BACK:
                    break
                if critical := _watched(session, mover, rollout):
                    session.say(f"critical at {formats.number(rollout.percentage)} %: {critical}")
                    step = session.step(rollout, Command.EMERGENCY, 0.0, critical)
                    rollout, step = mover.move(rollout, step)
                    break
        return _rolled_back(session, rollout, step, session.clock.monotonic() - began, tab)


def _new(session: Session, status: Status, percentage: float) -> Rollout:
    """A rollout of what the settings name, which is not written yet."""
    now, settings, who = session.clock.now(), session.settings, session.who
    features, version = tuple(settings.rollout.features), session.version
    made = Rollout(features, version, status, percentage, now, who, now, now)
    return replace(made, environment=settings.environment, target=target_of(settings))


def _unknown(session: Session) -> Rollout:
    """A rollout of which nothing is remembered: everything that the settings name is switched off."""
    found = _new(session, Status.UNCERTAIN, session.settings.percentage or 0.0)
    with session.state.transaction():
        return session.state.write(found)


def _watched(session: Session, mover: Mover, rollout: Rollout) -> str:
    """Wait until enough was observed after a step down; returns what is critical, "" for nothing."""
    needed = session.settings.rollout.gradual_watch
    until = session.clock.monotonic() + _PATIENCE * needed
    while observed(session.settings, rollout) < needed:
        if session.clock.monotonic() >= until:
            session.say("the watch has not observed this percentage: the rollback goes on without it")
            return ""
        mover.tools.check()
        if critical := critical_at(session, rollout):
            return critical
        session.clock.sleep(_POLL_S)
    return critical_at(session, rollout)


def critical_at(session: Session, rollout: Rollout) -> str:
    """What the watch has seen that is critical at the percentage in force, "" for nothing."""
    try:
        watched = seen_by_watch(session.settings, rollout)
    except EvidenceError as error:  # which stops no rollback
        session.say(str(error))
        return ""
    return str(watched.critical[0]["what"]) if watched and watched.critical else ""


def _held(session: Session, rollout: Rollout, unmet: list[Unmet], *, quietly: bool) -> ExitCode:
    """Say everything that is missing, or in one line the first of it, and how long that may take."""
    for each in [] if quietly else unmet:
        session.say(each.sentence)
    waits = [each.seconds for each in unmet]
    left = max((seconds for seconds in waits if seconds is not None), default=None)
    after_all = f", at least {formats.elapsed(left)} more" if left else ""
    target = session.settings.rollout.above(rollout.percentage)
    missing = f"{len(unmet)} of what {target:g} % needs is missing"
    if quietly:
        missing = unmet[0].sentence + (f", and {len(unmet) - 1} more" if unmet[1:] else "")
    session.say(f"HOLD at {rollout.percentage:g} %{after_all}: {missing}")
    return ExitCode.HOLD


def _ended(session: Session, rollout: Rollout, step: Step) -> ExitCode:
    """Say what a step up came to."""
    says = step.effect.get("sentence", "")
    if step.status is StepStatus.DONE:
        session.say(f"{step.command}: {rollout.status} at {rollout.percentage:g} %: {says}")
        return ExitCode.PROMOTE
    undone = step.effect.get("undone")
    stays = "back" if step.touched else "still"
    then = f"; {stays if undone['ok'] else f'NOT {stays}'} at {step.source:g} %" if undone else ""
    session.say(f"{step.command}: HOLD: {step.target:g} % did not take effect: {says}{then}")
    if rollout.status is Status.UNCERTAIN:
        session.say(
            f"what users have is not known ({undone['sentence'] if undone else says}); next: rampgate "
            "rollout rollback --emergency"
        )
    session.notify(f"rollout of {rollout.version} held at {rollout.percentage:g} %", says, failed=True)
    return ExitCode.HOLD


def _rolled_back(
    session: Session, rollout: Rollout, step: Step, seconds: float, tab: HeldTab | None = None
) -> ExitCode:
    """Say what a rollback came to, to the team too, and then what a tab did that was open."""
    says = step.effect.get("sentence", "")
    off = rollout.status is Status.ROLLED_BACK
    where = "off for everybody" if off else f"NOT seen to be at {step.target:g} %"
    session.say(f"{step.command}: {where} after {formats.elapsed(seconds)}: {says}")
    late = off and step.command == Command.EMERGENCY and seconds >= ROLLBACK_WITHIN_S
    if late:
        session.say(f"rollback_seconds < {ROLLBACK_WITHIN_S:g}s is broken: {seconds:.0f} s")
    title = f"rollback of {rollout.version} in {session.settings.environment}: {where}"
    session.notify(title, f"{step.why}; {says}; after {formats.elapsed(seconds)}", failed=not off)
    report(session, tab, step)
    return ExitCode.PROMOTE if off and not late else ExitCode.HOLD
