"""The report of a rollout: what it has brought, whom it has reached, what went wrong."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rampgate.documents import values
from rampgate.documents.announce import contacts, head
from rampgate.documents.facts import NOT_MEASURED, at_percent, moment
from rampgate.documents.improvements import Improvements
from rampgate.documents.issues import issues
from rampgate.documents.values import P95
from rampgate.errors import RampgateError
from rampgate.model import formats
from rampgate.model.measurement import Measurement
from rampgate.outcome import Decision
from rampgate.rollout import exposure
from rampgate.rollout.transitions import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rampgate.documents.facts import Facts
    from rampgate.documents.improvements import Row
    from rampgate.documents.promises import Promise
    from rampgate.rollout.session import Session

SECTIONS = {
    "lessons": "- Written by hand: replace this line; it is kept whenever the report is made.",
    "next_steps": "- Written by hand: replace this line; it is kept whenever the report is made.",
}
_ERRORS, _FEEDBACK = "error_rate", "user_feedback_score"
_STATUS = {
    Status.COMPLETE: "Complete",
    Status.ROLLED_BACK: "Rolled back",
    Status.ROLLING_BACK: "In progress: rolling back",
    Status.UNCERTAIN: "Not known: a change was not seen to take effect",
    Status.SUPERSEDED: "Superseded by another version",
}
RULES = (
    "Response times: the exact bounds of the two percentiles do not overlap.",
    "Lighthouse: the medians are farther apart than scores scatter (by 3 points, or more where they do).",
    "Error rates: Fisher's exact test. Bundle: counted in bytes, so that every difference counts.",
    "By chance alone one of these says so at most once in 1,000 comparisons.",
    "A single value without a count of observations has no noise that can be stated: cannot be said.",
)


def page(facts: Facts, promises: Sequence[Promise], session: Session) -> dict[str, Any]:
    """What templates of the report may name.

    Args:
        facts: of the rollout, which has begun.
        promises: that were made.
        session: asks the deployment how many users have the features now.
    """
    compared = Improvements(facts.before(), facts.after(), promises, _user_errors(facts))
    rows = compared.rows()
    found, many = issues(facts)
    return {
        **head(facts, "Report on the rollout"),
        "status": status(facts),
        "begin": moment(facts.begin),
        "end": moment(facts.end) or "not yet",
        "duration": formats.elapsed((facts.end or facts.now) - facts.begin),
        "after": f"after, at {at_percent(facts.highest.percentage)}" if facts.highest else "after",
        "targets": _targets(rows),
        "improvements": [row._asdict() for row in rows],
        "rules": list(RULES),
        "sources": [_source(name, compared) for name in compared.runs],
        "statistics": [{"what": what, "value": value} for what, value in _statistics(facts, session)],
        "issues": [{"at": moment(each.at), "what": each.what, "came": each.came} for each in found],
        "more_issues": many - len(found),
        "contacts": contacts(facts.settings.rollout),
        "missing": facts.runs.missing,
    }


def _targets(rows: Sequence[Row]) -> str:
    """``2 met, 1 not met, 3 not measured``; "" where nothing was promised."""
    said = Counter(
        each.rpartition(": ")[2] for row in rows if row.promise for each in row.promise.split("; ")
    )
    return ", ".join(f"{count} {word}" for word, count in sorted(said.items()))


def status(facts: Facts) -> str:
    """Complete, rolled back, held or in progress."""
    rollout = facts.rollout
    if rollout is None:
        return "Not begun"
    if word := _STATUS.get(rollout.status):
        return word
    at = at_percent(rollout.percentage)
    if rollout.status is Status.PAUSED:
        return f"Held at {at}: paused"
    if facts.stopped:
        return f"Held at {at}: {facts.stopped}"
    newest = {run.stage: run for run in facts.during() if run.percentage == rollout.percentage}
    needed = [newest[stage] for stage in facts.settings.rollout.require if stage in newest]
    held = [run for run in needed if run.verdict and run.verdict.decision is not Decision.PROMOTE]
    return f"Held at {at}: {held[0].stage} has not passed" if held else f"In progress at {at}"


def _source(name: str, compared: Improvements) -> str:
    """Where numbers are from: ``before: predeploy, 2026-12-01 04:48 UTC, at 0 %, run ...``."""
    run, side = compared.runs[name], name.rpartition(" ")[2]
    at = "" if run.percentage is None else f", at {at_percent(float(run.percentage))}"
    short = ", a shortened run" if run.header.get("rehearsal") else ""
    return f"{side}: {run.stage}, {moment(run.time)}{at}{short}, run {run.name}"


def _statistics(facts: Facts, session: Session) -> Iterator[tuple[str, str]]:
    highest = facts.highest
    of = exposure.counted(facts.settings.rollout)
    yield f"Share of {of} that the plan gave the features", at_percent(highest.percentage if highest else 0.0)
    yield from _users(facts, session)
    yield "Error rate", _error_rate(facts)
    yield "User feedback score", _feedback(facts)


def _users(facts: Facts, session: Session) -> Iterator[tuple[str, str]]:
    """How many users there are, and how many have the features: now, else as the last step up has seen it."""
    of = exposure.counted(facts.settings.rollout).capitalize()
    total, on = f"{of} in total", f"{of} with the features"
    why, counted, when = "the settings do not say how they are counted", None, ""
    try:
        counted = (
            exposure.ask(facts.settings.rollout, facts.features, session.api) if facts.features else None
        )
        why, when = "none were seen lately" if counted else why, f"lately, asked at {moment(facts.now)}"
    except RampgateError:
        why = "the deployment could not be asked"
    if counted is None or not counted.users:
        known = [step for step in facts.steps if step.evidence.get("users")]
        if not known:
            yield total, f"{NOT_MEASURED} ({why})"
            yield on, NOT_MEASURED
            return
        counted = exposure.Exposure(int(known[-1].evidence["users_on"]), int(known[-1].evidence["users"]))
        when = f"lately, at {moment(known[-1].at)} at {at_percent(known[-1].source)}"
    yield total, f"{counted.users:,} ({when})"
    yield on, f"{counted.on:,} ({formats.percent(counted.on / counted.users)})"


def _user_errors(facts: Facts) -> Measurement | None:
    """Requests of users as the watch has counted them at the highest percentage, None where it has none."""
    n = failures = 0
    for run in facts.watches():
        for reading in run.readings(_ERRORS):
            if isinstance(reading.get("n"), int) and isinstance(reading.get("failures"), int):
                n, failures = n + reading["n"], failures + reading["failures"]
    return Measurement(_ERRORS, n=n, failures=failures, labels={"": "of users, by the watch"}) if n else None


def _error_rate(facts: Facts) -> str:
    """Of users' requests as the watch has counted them, else of our own, at the highest percentage."""
    if users := _user_errors(facts):
        return f"{values.shown(users, P95)} requests of users, counted by the watch"
    for run in facts.after():
        found = (m for _, m in run.measured if m.metric == _ERRORS and m.n and m.failures is not None)
        if seen := {str(each.labels): each for each in found}:
            n, failures = (
                sum(getattr(each, key) or 0 for each in seen.values()) for key in ("n", "failures")
            )
            return f"{formats.percent(failures / n)} of {n:,} requests of our own ({run.stage})"
    return NOT_MEASURED


def _feedback(facts: Facts) -> str:
    """The newest mean of the users' marks at the highest percentage."""
    for run in [*facts.watches(), *facts.after()]:
        read = [each.get("value") for each in run.readings(_FEEDBACK)]
        marks = [value for value in read if isinstance(value, int | float)]
        measured = [seen for _, seen in run.measured if seen.metric == _FEEDBACK and seen.value is not None]
        many = f" ({measured[-1].n:,} answers)" if measured and measured[-1].n > 1 else ""
        if marks or measured:
            value = marks[-1] if marks else measured[-1].value or 0.0
            return f"{formats.number(float(value))} of 5{many}"
    return NOT_MEASURED


def message(page: dict[str, Any]) -> str:
    """The report as a plain message to a channel."""
    measured = [row for row in page["improvements"] if row["change"]]
    lines = [f"Status: {page['status']}", f"{page['begin']} to {page['end']}, {page['duration']}", ""]
    lines += [
        f"{row['what']}: {row['before']} -> {row['after']}, {row['change']}, {row['noise']}"
        for row in measured
    ]
    lines += [f"{row['what']}: {row['value']}" for row in page["statistics"]]
    lines += ["", *(f"{row['at']} {row['what']}: {row['came']}" for row in page["issues"])]
    return "\n".join(lines)
