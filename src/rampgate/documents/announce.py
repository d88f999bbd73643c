"""The announcement of a rollout: what is coming when, how it is watched, and how it is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rampgate.config import watch_policy
from rampgate.documents import schedule
from rampgate.documents.facts import at_percent, moment
from rampgate.documents.improvements import Improvements
from rampgate.documents.sentences import broken, capital
from rampgate.errors import RampgateError
from rampgate.model import formats
from rampgate.outcome import Severity
from rampgate.rollout import exposure
from rampgate.rollout.command import ROLLBACK_WITHIN_S
from rampgate.watch.asked import channels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rampgate.config.rollout import RolloutSettings
    from rampgate.config.settings import Settings
    from rampgate.documents.facts import Facts
    from rampgate.documents.promises import Promise

SECTIONS = {"notes": "Written by hand: replace this line; it is kept whenever the document is made."}
_MOST_RULES = 30


def page(facts: Facts, promises: Sequence[Promise], base: Path) -> dict[str, Any]:
    """What templates of the announcement may name.

    Args:
        facts: of the rollout.
        promises: that were made.
        base: the folder that policy files are relative to.
    """
    plan, missing = facts.settings.rollout, facts.runs.missing
    critical, warning = _rules(facts.settings, base, missing)
    try:
        rows, ends = schedule.rows(facts)
    except RampgateError as error:
        rows, ends = [], ""
        missing.append(f"schedule: {error}")
    return {
        **head(facts, "Rollout"),
        "overview": list(_overview(facts, ends)),
        "schedule": [row._asdict() for row in rows],
        "complete": ends,
        "expected": list(_expected(facts, promises)),
        "strategy": list(_strategy(plan)),
        "monitoring": list(_monitoring(facts.settings)),
        "critical": critical,
        "warning": warning,
        "rollback": list(_rollback(facts, plan)),
        "contacts": contacts(plan),
        "missing": missing,
    }


def head(facts: Facts, what: str) -> dict[str, Any]:
    """What both documents begin with."""
    environment = facts.rollout.environment if facts.rollout else ""
    features = ", ".join(facts.features) or "no features"
    return {
        "title": " ".join(filter(None, (what, "of", facts.version, f"({features})"))),
        "version": facts.version or "no version",
        "features": facts.features,
        "environment": environment or facts.settings.environment,
        "target": facts.settings.target.name,
        "made": moment(facts.now),
    }


def contacts(plan: RolloutSettings) -> list[dict[str, str]]:
    """Whom to ask, and where it stands what to do."""
    guide = [
        {"role": name.capitalize(), "name": text, "contact": ""} for name, text in plan.guide.named.items()
    ]
    return [
        *({"role": each.role, "name": each.name, "contact": each.contact} for each in plan.contacts),
        *guide,
    ]


def _overview(facts: Facts, ends: str) -> Iterator[str]:
    rollout, plan = facts.rollout, facts.settings.rollout
    first, last = (at_percent(plan.percentages[at]) for at in (0, -1))
    of = f"{len(facts.features)} {'feature' if len(facts.features) == 1 else 'features'}"
    name = facts.settings.target.name
    who = exposure.counted(plan)
    yield f"{of} of {name} reach {who} step by step, from {first} to {last} of all {who}."
    if rollout is None:
        yield "The rollout has not begun."
    else:
        yield f"It began at {moment(rollout.at)} and is {_where(facts)}."
    if ends and not (rollout and rollout.percentage == plan.percentages[-1]):
        yield f"{last} of the {who} have them at {ends} at the earliest."


def _where(facts: Facts) -> str:
    if facts.rollout is None:
        return ""
    if facts.end:
        return f"{facts.rollout.status} since {moment(facts.end)}"
    paused = ", stopped for now" if facts.stopped else ""
    return f"{facts.rollout.status} at {at_percent(facts.rollout.percentage)}{paused}"


def _expected(facts: Facts, promises: Sequence[Promise]) -> Iterator[dict[str, str]]:
    """Each promise with what was before, where that was measured."""
    before = Improvements(facts.before(), (), promises)
    for promise in promises:
        for title, was in before.measured_before(promise) or [(before.title(promise), "not measured")]:
            yield {"what": title, "target": promise.text, "before": was}


def _strategy(plan: RolloutSettings) -> Iterator[str]:
    steps = ", ".join(at_percent(each) for each in plan.percentages)
    yield f"The percentage of {exposure.counted(plan)} rises in steps: {steps}."
    soaks = [(each, plan.soak_at(each)) for each in plan.percentages if plan.soak_at(each)]
    if soaks:
        total = formats.duration(sum(seconds for _, seconds in soaks))
        each = ", ".join(f"{formats.duration(seconds)} at {at_percent(at)}" for at, seconds in soaks)
        yield f"Each step is watched before the next one: {each}; {total} in all. Only observed time counts."
    if plan.require:
        yield f"A step up needs passed checks at the percentage before it: {', '.join(plan.require)}."
    if plan.approval == "required":
        yield "Somebody else than who started the rollout approves each step."
    if plan.enrolled:
        users = (
            "1 enrolled user has" if len(plan.enrolled) == 1 else f"{len(plan.enrolled)} enrolled users have"
        )
        yield f"{users} the features from the beginning."
    for freeze in plan.freezes:
        why = f" ({freeze.why})" if freeze.why else ""
        begins, ends = moment(freeze.begins.timestamp()), moment(freeze.ends.timestamp())
        yield f"Nothing rises from {begins} to {ends}{why}."


def _monitoring(settings: Settings) -> Iterator[str]:
    entries = settings.table("metrics")
    every = formats.duration(settings.watch.interval)
    yield f"{len(entries)} metrics are read every {every} while the rollout lasts."
    for name, interval in sorted((each.name, each.interval) for each in entries if each.interval):
        yield f"{capital(name)}: every {formats.duration(interval)}."
    channels = list(channels_of(settings))
    yield f"Alerts go to: {', '.join(channels)}." if channels else "No alert channel is configured."


def _rules(settings: Settings, base: Path, missing: list[str]) -> tuple[list[str], list[str]]:
    """The rules of the watch: what is critical, and what is a warning."""
    try:
        rules = watch_policy.build(settings, base).rules
    except RampgateError as error:
        missing += [f"rules of the watch: {line}" for line in str(error).splitlines()]
        return [], []
    critical, warning = (
        [broken(each.threshold) for each in rules if each.threshold.severity is severity]
        for severity in (Severity.CRITICAL, Severity.WARNING)
    )
    return _cut(critical), _cut(warning)


def _cut(lines: list[str]) -> list[str]:
    unique = list(dict.fromkeys(lines))
    left = len(unique) - _MOST_RULES
    return [*unique[:_MOST_RULES], f"and {left} more"] if left > 0 else unique


def _rollback(facts: Facts, plan: RolloutSettings) -> Iterator[str]:
    automatic = bool(facts.settings.watch.on_critical)
    does = "starts it without a person" if automatic else "alerts whoever is on call, who starts it"
    yield f"Trigger: the watch finds a critical rule broken; it {does}. A person may start one at any time."
    within = f"{ROLLBACK_WITHIN_S:g} s"
    yield f"Emergency: every feature is off for everybody within {within}, and that is read back for users."
    steps = list(_down(plan))
    watch = formats.duration(plan.gradual_watch)
    yield f"Gradual: {', '.join(map(at_percent, steps))}, each watched for {watch}."
    floor = plan.floor.get(facts.version)
    if floor is None:
        yield "No floor is set: a rollback to 0 % is allowed from every percentage."
    else:
        yield (
            f"Floor: once above {at_percent(floor)}, a rollback to below it is refused, for what users have "
            "written by then could not be read any more."
        )
    if plan.data:
        yield "Afterwards what users have written is counted, and must still be there."


def _down(plan: RolloutSettings) -> Iterator[float]:
    """The percentages of a gradual rollback from the last one."""
    at = plan.percentages[-1]
    while at > 0:
        yield at
        at = plan.down(at)
    yield 0.0


def message(page: dict[str, Any]) -> str:
    """The announcement as a plain message to a channel."""
    steps = [f"{row['users']}: {row['state']}, {row['begins'] or 'no date'}" for row in page["schedule"]]
    asked = [" ".join(filter(None, each.values())) for each in page["contacts"]]
    lines = [*page["overview"], "", *steps, "", *page["rollback"][:2]]
    return "\n".join([*lines, *(["", "Contacts: " + "; ".join(asked)] if asked else [])])
