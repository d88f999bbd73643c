"""What went wrong on the way and what has become of it: checks, episodes of the watch, steps, rollbacks."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.documents.facts import BACK, at_percent, moment
from rampgate.documents.runs import WATCH
from rampgate.judging.episodes import State
from rampgate.model import formats
from rampgate.outcome import Decision, Outcome
from rampgate.report import sentences
from rampgate.rollout.records import StepStatus
from rampgate.rollout.transitions import Command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.documents.facts import Facts
    from rampgate.documents.runs import Run
    from rampgate.rollout.records import Step

_MOST = 60
_OPEN = {State.FIRING.value, State.RECOVERING.value}


class Issue(NamedTuple):
    """Something that went wrong.

    Args:
        at: when it began, seconds since the epoch.
        what: was wrong.
        came: what has become of it.
    """

    at: float
    what: str
    came: str


def issues(facts: Facts) -> tuple[list[Issue], int]:
    """The first of them, the oldest first, and how many there are."""
    found = [*_of_steps(facts), *_of_stages(facts), *_of_watches(facts), *_of_overrides(facts)]
    found.sort(key=lambda issue: issue.at)
    return found[:_MOST], len(found)


def _of_stages(facts: Facts) -> Iterator[Issue]:
    """Each check that was not passed, once, however often it was looked at."""
    held: dict[tuple[str, str], list[tuple[Run, str]]] = {}
    passed: dict[tuple[str, str], list[Run]] = {}
    for run in facts.during():
        if run.stage == WATCH or (verdict := run.verdict) is None:
            continue
        if verdict.decision is Decision.PROMOTE:
            passed.setdefault((run.stage, ""), []).append(run)
        names = sentences.short_names(verdict.checks)
        for result in verdict.checks:
            if result.outcome is Outcome.PASSED:
                passed.setdefault((run.stage, names[result.check]), []).append(run)
            elif result.required or result.outcome not in {None, Outcome.SKIPPED}:
                why = sentences.of_check(result)[0]
                held.setdefault((run.stage, names[result.check]), []).append((run, why))
        for reason in sentences.other_reasons(verdict):
            held.setdefault((run.stage, ""), []).append((run, reason))
    for (stage, check), looks in held.items():
        (first, _), (last, why) = looks[0], looks[-1]
        times = f" ({len(looks)} times)" if len(looks) > 1 else ""
        later = [run for run in passed.get((stage, check), ()) if run.time > last.time]
        at = "" if first.percentage is None else f" at {at_percent(float(first.percentage))}"
        named = f"{stage}{at}, {check}: {why}" if check else f"{stage}{at}: {why}"
        came = f"passed at {moment(later[0].ended)}" if later else _unpassed(facts, last.time)
        yield Issue(first.time, f"{named}{times}", came)


def _unpassed(facts: Facts, at: float) -> str:
    """What has become of something that did not pass any more."""
    back = next((step for step in facts.steps if step.command in BACK and step.at >= at), None)
    if back is not None:
        return f"rolled back at {moment(back.ended)}" if back.ended else "a rollback was begun"
    return "open: it has not passed since"


def _of_watches(facts: Facts) -> Iterator[Issue]:
    """Each time that a rule fired, and when it recovered."""
    fired: dict[tuple[str, int], tuple[float, str]] = {}
    ended: dict[tuple[str, int], float] = {}
    for run in facts.during():
        weights = {rule.get("name"): rule.get("severity") for rule in _rules(run)}
        for record in run.of("episode"):
            with suppress(KeyError, TypeError, ValueError):
                key = (str(record["rule"]), int(record["number"]))
                if record["state"] == State.FIRING.value and record["before"] not in _OPEN:
                    weight = weights.get(record["rule"])
                    fired.setdefault(key, (float(record["since"]), f" ({weight})" if weight else ""))
                if record["state"] == State.OK.value and record["before"] in _OPEN:
                    ended[key] = float(record["since"])
    for (rule, number), (at, weight) in fired.items():
        what = f"watch: {rule.partition(': ')[2] or rule}{weight}"
        if (until := ended.get((rule, number))) is not None:
            yield Issue(at, what, f"recovered after {formats.elapsed(max(0.0, until - at))}")
        else:
            yield Issue(at, what, _unpassed(facts, at))


def _rules(run: Run) -> list[dict[str, Any]]:
    rules = run.header.get("rules")
    return [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []


def _of_steps(facts: Facts) -> Iterator[Issue]:
    """Steps that did not take effect, pauses and stops, and rollbacks with their time."""
    for number, step in enumerate(facts.steps):
        later = facts.steps[number + 1 :]
        if step.command in BACK:
            yield Issue(step.at, _reason(f"rolled back from {at_percent(step.source)}", step), _back(step))
        elif step.status is StepStatus.FAILED:
            undone = step.effect.get("undone") or {}
            says = step.effect.get("sentence", "")
            back = (
                f"back at {at_percent(step.source)}" if undone.get("ok") else "what users had was not known"
            )
            repeated = next((each for each in later if _made(each, step.target)), None)
            came = f"{back}; made at {moment(repeated.ended)}" if repeated else back
            yield Issue(step.at, f"the step to {at_percent(step.target)} did not take effect: {says}", came)
        elif step.command == Command.PAUSE:
            on = next((each for each in later if each.command == Command.RESUME), None)
            came = f"resumed at {moment(on.at)}" if on else "open"
            yield Issue(step.at, _reason(f"paused at {at_percent(step.source)}", step), came)
        elif step.command == "stop-line" and not step.why.startswith("lifted: "):
            on = next((each for each in later if each.command == "stop-line"), None)
            came = f"lifted at {moment(on.at)}" if on else "open: no percentage rises"
            yield Issue(step.at, _reason("the line was stopped", step), came)


def _made(step: Step, target: float) -> bool:
    return step.command == Command.ADVANCE and step.status is StepStatus.DONE and step.target == target


def _reason(what: str, step: Step) -> str:
    return f"{what} by {step.who}" + (f": {step.why}" if step.why else "")


def _back(step: Step) -> str:
    """How a rollback went, with the time that it took."""
    says = step.effect.get("sentence", "")
    if step.ended is None:
        return "has come to no end"
    took = formats.elapsed(max(0.0, step.ended - step.at))
    if step.status is not StepStatus.DONE:
        return f"NOT seen after {took}: {says}"
    where = "off for everybody" if step.target == 0 else f"at {at_percent(step.target)}"
    return f"{where} after {took}: {says}"


def _of_overrides(facts: Facts) -> Iterator[Issue]:
    """What somebody has decided against a verdict, or waived."""
    waived: dict[tuple[str, ...], float] = {}
    for run in facts.during():
        for record in run.of("override"):
            what = f"{run.stage}: overruled, {str(record.get('verdict', '')).upper()} by {record.get('by')}"
            expires = record.get("expires")
            until = moment(expires) if isinstance(expires, int | float) else str(expires)
            yield Issue(float(record["time"]), f"{what}: {record.get('reason')}", f"counts until {until}")
        waivers = run.header.get("settings", {}).get("waivers")
        for each in waivers if isinstance(waivers, list) else ():
            if isinstance(each, dict):
                key = tuple(str(each.get(name, "")) for name in ("check", "by", "reason", "expires"))
                waived.setdefault(key, run.time)
    for (check, by, reason, expires), at in waived.items():
        yield Issue(at, f"{check}: waived by {by}: {reason}", f"holds nothing until {expires}")
