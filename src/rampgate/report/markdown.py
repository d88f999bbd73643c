"""The verdict as Markdown for a job's summary, and as GitHub's annotations.

What targets answered may stand in it, so every text is escaped: it opens no tag, link, mention or table cell.
"""

import html
import re

from rampgate.judging.guides import guide
from rampgate.judging.next_steps import next_command
from rampgate.judging.release import ReleaseVerdict
from rampgate.judging.results import Verdict
from rampgate.model import formats
from rampgate.model.text import clean
from rampgate.outcome import Decision, Outcome
from rampgate.report import compared, findings, groups, journeys, overruled, sentences

LARGEST = 64 * 1024
"""Bytes of summary.md at most."""
ANNOTATIONS = 8
"""GitHub shows 10 errors of a step; two are left to others."""
_SHARE, _SMALL = 16 * 1024, 3 * 1024
"""Bytes of each of the three parts that grow with the run, and of two more; the rest is for what does not."""
_SENTENCE = 500
_ACTIVE = re.compile(r"[\\`*_\[\]|~#!$]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_LIST = re.compile(r"^\s*(?=[-+=]+(?:\s|$))|^\s*\d+(?=[.)](?:\s|$))")
_ICONS = {
    Decision.PROMOTE: "\N{WHITE HEAVY CHECK MARK}",
    Decision.HOLD: "\N{DOUBLE VERTICAL BAR}\N{VARIATION SELECTOR-16}",
    Decision.ROLLBACK: "\N{OCTAGONAL SIGN}",
}


def dumps(verdict: Verdict) -> str:
    """summary.md: at most LARGEST bytes; what does not fit is counted and left to report.html."""
    parts = [
        f"## {_ICONS[verdict.decision]} {verdict.decision.name} {escaped(sentences.line(verdict))}",
        escaped(sentences.reason(verdict)),
    ]
    parts += [f"> [!CAUTION]\n> **{escaped(line)}**" for line in overruled.lines(verdict)]
    if command := next_command(verdict):
        parts.append(f"**Next:** {escaped(command)}")
    parts += [f"**{name.capitalize()}:** {escaped(text)}" for name, text in guide(verdict).named.items()]
    names = sentences.short_names(verdict.checks)
    if unmet := findings.unmet(verdict):
        bad = [each.result for each in unmet if each.result]
        parts += [
            _table([_loud_row(row) for r in bad for row in groups.rows(r, names[r.check])]) if bad else "",
            _details("Why", _why(verdict), is_open=True),
        ]
    if passed := groups.passed(verdict):
        count = sum(len(group.results) for group in passed)
        counted = f"{count:,} passed {'check' if count == 1 else 'checks'}"
        rows = [_row(group.name, group.summary, "", "", Outcome.PASSED.value) for group in passed]
        parts.append(_details(counted, _table(rows)))
    parts += [
        _journeys(verdict),
        _differences(verdict),
        *_remarks(verdict),
        escaped(sentences.chance(verdict)),
        f"Run {escaped(verdict.run)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def of_release(release: ReleaseVerdict, now: float) -> str:
    """A summary of what several stages come to together.

    Args:
        release: as it was judged.
        now: seconds since the epoch, from which ages are counted.
    """
    name, about = release.decision.name, sentences.release_named(release.release)
    rows = [
        _row(each.stage, _loud(each.decision.value), each.run, _age(each.ended, now), each.reason)
        for each in release.stages
    ]
    head = "| stage | verdict | run | ended | why not |\n|---|---|---|---|---|"
    return "\n".join([f"## {_ICONS[release.decision]} {name} {escaped(about)}", "", head, *rows, ""])


def _age(ended: float, now: float) -> str:
    return f"{formats.elapsed(max(now - ended, 0.0))} ago" if ended else ""


def _journeys(verdict: Verdict) -> str:
    """How often each journey works, and its slowest step; "" without any."""
    rows = []
    for journey in journeys.section(verdict, verdict.records):
        slow = max(
            (step for step in journey.steps if step.worst_ms), key=lambda step: step.worst_ms, default=None
        )
        slowest = f"{slow.name}: median {slow.median}, worst {slow.worst}" if slow else ""
        rows.append(_row(journey.name, journey.line, slowest, " ".join(journey.outcome)))
    head = "| journey | visits | slowest step | outcome |\n|---|---|---|---|"
    more = "| … {} more are in report.html | | | |"
    return _details("Journeys", f"{head}\n{_fitting(rows, more, _SMALL)}") if rows else ""


def _differences(verdict: Verdict) -> str:
    """Each number beside the baseline's; "" without any."""
    run, found, _ = compared.differences(verdict, verdict.records)
    rows = [_row(each.name, each.before, each.now, each.difference) for each in found]
    head = "| what | before | now | difference |\n|---|---|---|---|"
    more = "| … {} more are in report.html | | | |"
    title = f"Before and after, beside run {escaped(run)}"
    return _details(title, f"{head}\n{_fitting(rows, more, _SMALL)}") if rows else ""


def _table(rows: list[str]) -> str:
    head = "| check | measured | limit | n | outcome |\n|---|---|---|--:|---|"
    return f"{head}\n{_fitting(rows, '| … {} more rows are in report.html | | | | |')}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"


def _loud_row(row: list[str]) -> str:
    outcome, _, severity = row[-1].partition(" ") if row[-1] != sentences.NEVER_RAN else (row[-1], "", "")
    return _row(*row[:-1], _loud(outcome) + (f" ({severity})" if severity else ""))


def _loud(outcome: str) -> str:
    return outcome if outcome == Outcome.PASSED else outcome.upper()


def _why(verdict: Verdict) -> str:
    names = sentences.short_names(verdict.checks)
    lines = []
    for unmet in findings.unmet(verdict):
        if unmet.result:
            weight = f" ({remark})" if (remark := sentences.remark(unmet.result)) else ""
            named = escaped(names[unmet.result.check])
            lines.append(f"- **{_loud(sentences.outcome_of(unmet.result))}**{weight} {named}")
        inner = "  - " if unmet.result else "- "
        said = [each for each in unmet.sentences if each != sentences.NEVER_RAN]
        lines += [f"{inner}{escaped(sentence)}" for sentence in said]
        lines += [f"  - {escaped(findings.consequence(*each))}" for each in unmet.consequences]
    return _fitting(lines, "- … {} more lines are in report.html")


def _remarks(verdict: Verdict) -> list[str]:
    found = []
    if verdict.not_configured:
        found.append(f"Not configured, not counted: {escaped(', '.join(verdict.not_configured))}")
    if verdict.notes:
        notes = [f"- {escaped(note)}" for note in verdict.notes]
        found.append(_details("Notes", _fitting(notes, "- … {} more notes are in report.html")))
    return found


def _details(title: str, body: str, *, is_open: bool = False) -> str:
    return f"<details{' open' if is_open else ''}><summary>{title}</summary>\n\n{body}\n\n</details>"


def _fitting(lines: list[str], more: str, room: int = _SHARE) -> str:
    """The lines that fit into one part's share, and how many did not."""
    kept: list[str] = []
    for number, line in enumerate(lines):
        room -= len(line.encode()) + 1
        if room < 0:
            return "\n".join([*kept, more.format(len(lines) - number)])
        kept.append(line)
    return "\n".join(kept)


def escaped(text: str) -> str:
    """Inert in GitHub's Markdown: punctuation that could begin something is escaped, tags are entities."""
    inert = _ACTIVE.sub(lambda found: f"\\{found.group()}", html.escape(clean(text, _SENTENCE), quote=False))
    inert = _LIST.sub(r"\g<0>\\", inert)
    # A mention is looked for in text without tags, so that a tag between keeps it from being one.
    return inert.replace("@", "<span>@</span>")


def annotations(verdict: Verdict) -> list[str]:
    """GitHub's ``::error`` lines: the verdict, then the weightiest checks; none when promoted."""
    lines = [_annotation(f"overruled: {verdict.run}", line) for line in overruled.lines(verdict)[:1]]
    if verdict.decision is Decision.PROMOTE:
        return lines
    names, guides = sentences.short_names(verdict.checks), guide(verdict).named.items()
    says = "".join(f". {name.capitalize()}: {text}" for name, text in guides)
    lines.append(
        _annotation(
            f"{verdict.decision.name} {sentences.subject(verdict)}",
            f"{sentences.reason(verdict)}. Next: {next_command(verdict)}{says}",
        )
    )
    for unmet in [each for each in findings.unmet(verdict) if each.result][: ANNOTATIONS - 1]:
        if unmet.result and (unmet.result.required or unmet.result.outcome):
            title = f"{sentences.outcome_of(unmet.result).upper()} {names[unmet.result.check]}"
            lines.append(_annotation(title, "\n".join(unmet.sentences[:5])))
    return lines


def _annotation(title: str, message: str) -> str:
    """One workflow command, escaped as GitHub's own toolkit does it."""
    data: dict[str, str | int | None] = {"%": "%25", "\r": "%0D", "\n": "%0A"}
    text = clean(message, 1_000, lines=True).translate(str.maketrans(data))
    name = clean(title, 200).translate(str.maketrans({**data, ":": "%3A", ",": "%2C"}))
    return f"::error title={name}::{text}"
