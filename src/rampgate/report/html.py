"""The verdict as one page that needs nothing but itself: no script, no address elsewhere.

Of files it shows only the pictures of pages that the run has kept beside it, where there are any.

Every text passes through clean() and through Jinja's escaping, both by the environment and not by the
template, so that no line of the template can forget one. A policy in the page forbids all it does not need.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.judging.guides import guide
from rampgate.judging.next_steps import next_command
from rampgate.model import formats
from rampgate.model.text import clean
from rampgate.outcome import Decision, Outcome
from rampgate.report import (
    charts,
    compared,
    details,
    evidence,
    findings,
    groups,
    journeys,
    load,
    observations,
    overruled,
    sentences,
    watch,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment
    from markupsafe import Markup

    from rampgate.judging.judge import Judgement
    from rampgate.judging.results import CheckResult, Record, Verdict
    from rampgate.model.measurement import Measurement

LONGEST_SETTINGS = 60_000
SYMBOLS = {
    "passed": "\N{CHECK MARK}",
    "skipped": "\N{EN DASH}",
    "undecided": "?",
    "error": "!",
    "failed": "\N{MULTIPLICATION X}",
    "shown": "\N{MIDDLE DOT}",
    sentences.NEVER_RAN: "\N{WHITE CIRCLE}",
}
_DECISIONS = {Decision.PROMOTE: "\N{CHECK MARK}", Decision.HOLD: "\N{DOUBLE VERTICAL LINE}"}


class Row(NamedTuple):
    """A row of the table of judgements."""

    outcome: str
    severity: str
    sentence: str
    note: str
    measured: str
    bar: Markup
    limit: str
    n: str
    pictures: list[tuple[str, str]]


class Check(NamedTuple):
    """All about one check: the rows that are behind its outcome, and the others."""

    anchor: str
    id: str
    name: str
    outcome: str
    remark: str
    message: str
    seconds: str
    unmet: list[Row]
    rest: list[Row]
    observations: list[observations.Observation]
    followed: str = ""
    followers: tuple[Any, ...] = ()


class Passed(NamedTuple):
    """Checks that passed, in a line that can be opened."""

    name: str
    summary: str
    checks: list[Check]


def dumps(verdict: Verdict) -> str:
    """report.html: the same journal gives the same bytes, for no time of writing is in it."""
    checks = _checks(verdict, verdict.records)
    rows = [row for check in checks for row in (*check.unmet, *check.rest)]
    visited = journeys.section(verdict, verdict.records)
    page = {
        "verdict": verdict.decision.value,
        "symbol": _DECISIONS.get(verdict.decision, "\N{MULTIPLICATION X}"),
        "subject": sentences.subject(verdict),
        "reason": sentences.reason(verdict),
        "next": next_command(verdict),
        "guide": guide(verdict).named,
        "overruled": overruled.lines(verdict),
        "chance": sentences.chance(verdict),
        "counts": _counts(verdict),
        "facts": _facts(verdict, verdict.records),
        "checks": checks,
        "unmet": _unmet(verdict, checks),
        "passed": _passed(verdict, checks),
        "pictured": any(row.pictures for row in rows)
        or any(j.failure and j.failure.picture for j in visited),
        "drawn": any(row.bar for row in rows),
        "other_reasons": sentences.other_reasons(verdict),
        "load": load.section(verdict, verdict.records),
        "journeys": visited,
        "vitals": compared.vitals(verdict, verdict.records),
        "differences": compared.differences(verdict, verdict.records),
        "watch": watch.section(verdict, verdict.records),
        "drawn_by_us": observations.markup,
        "not_configured": verdict.not_configured,
        "notes": verdict.notes,
        "headers": [_header(header) for header in verdict.headers],
        "symbols": SYMBOLS,
    }
    return environment().get_template("report.html.j2").render(page)


def environment() -> Environment:
    """Jinja with escaping on, and with every value cleaned before it is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        return value if isinstance(value, Markup) else clean(value)

    return Environment(
        loader=PackageLoader("rampgate.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _counts(verdict: Verdict) -> list[tuple[str, int]]:
    """Outcome -> how many checks, the worst first."""
    outcomes = [sentences.outcome_of(result) for result in verdict.checks]
    order = ["failed", "error", "undecided", sentences.NEVER_RAN, "skipped", "passed"]
    return [(word, outcomes.count(word)) for word in order if word in outcomes]


def _facts(verdict: Verdict, records: Sequence[Record]) -> list[tuple[str, str]]:
    first = verdict.headers[0] if verdict.headers else verdict.start
    target = first.get("target", {})
    tool = first.get("tool", {})
    begun, ended = (records[0]["time"], records[-1]["time"]) if records else (0.0, 0.0)
    facts = [
        ("run", verdict.run),
        ("stage", ", ".join(sentences.stages(verdict))),
        ("begun", formats.moment(begun)),
        ("took", f"{formats.number(math.ceil(ended - begun))} s"),
        ("target", " ".join(dict.fromkeys(str(target[k]) for k in ("name", "web", "api") if target.get(k)))),
        ("tools", ", ".join(f"{name} {version}" for name, version in sorted(tool.items()))),
        ("platform", str(first.get("platform", ""))),
        ("typed", " ".join(str(word) for word in first.get("invocation", ()))),
        ("checks planned", f"{len(verdict.checks):,}"),
        ("complete", "yes" if verdict.complete else "no"),
    ]
    return [(name, text) for name, text in facts if text]


def _unmet(verdict: Verdict, checks: Sequence[Check]) -> list[Check]:
    """The checks that are not passed, those that followed from another under it."""
    known = {check.id: check for check in checks}
    found = []
    for each in findings.unmet(verdict):
        causes = [each.result] if each.result else each.following
        for result in causes:
            under = each.following if each.result else ()
            lines = (
                "; ".join(findings.consequence(*line) for line in each.consequences) if each.result else ""
            )
            followers = tuple(known[other.check] for other in under)
            found.append(known[result.check]._replace(followed=lines, followers=followers))
    return found


def _passed(verdict: Verdict, checks: Sequence[Check]) -> list[Passed]:
    known = {check.id: check for check in checks}
    return [
        Passed(group.name, group.summary, [known[result.check] for result in group.results])
        for group in groups.passed(verdict)
    ]


def _checks(verdict: Verdict, records: Sequence[Record]) -> list[Check]:
    """What is not passed first, the weightiest of it at the top; then the rest, and what is no check's."""
    names = sentences.short_names(verdict.checks)
    seen = evidence.gather(verdict, records)
    bad = [r for each in findings.unmet(verdict) for r in (each.result, *each.following) if r]
    good = [result for result in verdict.checks if result.outcome is Outcome.PASSED]
    checks = [
        _check(f"c{number}", result, names[result.check], seen.pop(result.check, []))
        for number, result in enumerate([*bad, *good], 1)
    ]
    for check, rest in seen.items():
        measured = [observations.observation(each, check) for each in rest]
        anchor = f"c{len(checks) + 1}"
        name = check or "no check"
        checks.append(
            Check(anchor, check, name, "shown", "seen once for the whole run", "", "", [], [], measured)
        )
    return checks


def _check(anchor: str, result: CheckResult, name: str, seen: list[evidence.Seen]) -> Check:
    outcome = sentences.outcome_of(result)
    # What the probe said of the measurement, and its pictures, stand once, with the first of its judgements.
    first = {id(each.judgements[0]): each.measurement for each in seen if each.judgements}
    behind = [judgement for judgement, _ in result.behind]
    known = {id(judgement) for judgement in behind}
    others = [judgement for judgement in result.judgements if id(judgement) not in known]
    unmet, rest = ([_row(j, result.check, first.get(id(j))) for j in part] for part in (behind, others))
    return Check(
        anchor=anchor,
        id=result.check,
        name=name,
        outcome=outcome,
        remark=sentences.remark(result),
        message=sentences.own_message(result),
        seconds=f"{formats.number(result.seconds)} s" if result.seconds else "",
        unmet=unmet,
        rest=[*rest, *(_shown(measurement, result.check) for measurement in result.shown)],
        observations=[observations.observation(each, result.check) for each in seen],
    )


def _row(judgement: Judgement, check: str, seen: Measurement | None) -> Row:
    note = seen.note if seen else ""
    return Row(
        outcome=judgement.outcome.value,
        severity=judgement.severity.value if judgement.outcome is Outcome.FAILED else "",
        sentence=sentences.judged(judgement, check),
        # Some sentences quote the note themselves.
        note="" if note in judgement.sentence else note,
        measured="" if sentences.is_stated(judgement) else sentences.measured(judgement),
        bar=observations.markup(charts.position(judgement)),
        limit=sentences.limit(judgement),
        n=f"{judgement.n:,}" if judgement.n else "",
        pictures=evidence.pictures(seen) if seen else [],
    )


def _shown(measurement: Measurement, check: str) -> Row:
    n = f"{measurement.n:,}" if measurement.n else ""
    title, value = sentences.title(measurement, check), sentences.shown_value(measurement)
    pictures = evidence.pictures(measurement)
    return Row("shown", "", title, measurement.note, value, observations.markup(""), "", n, pictures)


def _header(header: Record) -> dict[str, Any]:
    """What one process stated when it began; the settings come redacted from the journal."""
    from markupsafe import escape

    settings = json.dumps(header.get("settings", {}), indent=2, sort_keys=True, ensure_ascii=False)
    return {
        "stage": sentences.stage(header),
        "process": header.get("process", ""),
        "chance": details.node(header.get("chance", {})),
        "plan": details.node([entry.get("check", "") for entry in header.get("plan", ())]),
        "settings": escape(clean(settings, LONGEST_SETTINGS, lines=True)),
    }
