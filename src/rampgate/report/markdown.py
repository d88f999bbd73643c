"""The verdict as Markdown for a job's summary, and as GitHub's annotations.

What targets answered may stand in it, so every text is escaped: it opens no tag, link, mention or table cell.
"""

import html
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from rampgate.judging.next_steps import next_command
from rampgate.judging.results import CheckResult, Verdict
from rampgate.outcome import Decision, Outcome
from rampgate.report import words
from rampgate.report.text import clean

LARGEST = 64 * 1024
"""Bytes of summary.md at most."""
ANNOTATIONS = 8
"""GitHub shows 10 errors of a step; two are left to others."""
_SHARE = 18 * 1024
"""Bytes of each of the three parts that grow with the run; the rest of LARGEST is for what does not."""
_SENTENCE = 500
_ACTIVE = re.compile(r"[\\`*_\[\]|~#!$]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_ICONS = {
    Decision.PROMOTE: "\N{WHITE HEAVY CHECK MARK}",
    Decision.HOLD: "\N{DOUBLE VERTICAL BAR}\N{VARIATION SELECTOR-16}",
    Decision.ROLLBACK: "\N{OCTAGONAL SIGN}",
}


def dumps(verdict: Verdict) -> str:
    """summary.md: at most LARGEST bytes; what does not fit is counted and left to report.html."""
    parts = [
        f"## {_ICONS[verdict.decision]} {verdict.decision.name} {_escaped(words.subject(verdict))}",
        _escaped(words.reason(verdict)),
    ]
    if command := next_command(verdict):
        parts.append(f"**Next:** {_escaped(command)}")
    if unmet := words.unmet(verdict):
        bad = [result for result, _ in unmet]
        parts += [_table(verdict, bad), _details("Why", _why(verdict), is_open=True)]
    passed = [result for result in verdict.checks if result.outcome is Outcome.PASSED]
    if passed:
        counted = f"{len(passed):,} passed {'check' if len(passed) == 1 else 'checks'}"
        parts.append(_details(counted, _table(verdict, passed)))
    parts += [*_remarks(verdict), _escaped(words.chance(verdict)), f"Run {_escaped(verdict.run)}"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(verdict: Verdict, results: Iterable[CheckResult]) -> str:
    names = words.short_names(verdict.checks)
    rows = [row for result in results for row in _rows(result, names[result.check])]
    head = "| check | measured | limit | n | outcome |\n|---|---|---|--:|---|"
    return f"{head}\n{_fitting(rows, '| … {} more rows are in report.html | | | | |')}"


def _rows(result: CheckResult, name: str) -> Iterable[str]:
    outcome = _loud(words.outcome_of(result))
    if result.outcome not in {judgement.outcome for judgement in result.judgements}:
        yield _row(name, "", "", "", outcome)
        name = ""
    for judgement in result.judgements:
        about = words.about(dict(judgement.labels), result.check)
        failed = judgement.outcome is Outcome.FAILED
        yield _row(
            f"{name} ({about})" if about else name,
            words.measured(judgement),
            words.limit(judgement),
            f"{judgement.n:,}" if judgement.n else "",
            _loud(judgement.outcome.value) + (f" ({judgement.severity.value})" if failed else ""),
        )
        name = ""
    for seen in result.shown:
        yield _row(name, words.shown(seen), "", f"{seen.n:,}" if seen.n else "", "shown")
        name = ""


def _row(*cells: str) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _loud(outcome: str) -> str:
    return outcome if outcome == Outcome.PASSED else outcome.upper()


def _why(verdict: Verdict) -> str:
    names = words.short_names(verdict.checks)
    lines = [f"- {_escaped(why)}" for why in words.other_reasons(verdict)]
    for alike in words.unmet_alike(verdict):
        first = alike.results[0]
        weight = " (critical)" if first.critical else ""
        named = ", ".join(names[result.check] for result in alike.results)
        lines.append(f"- **{_loud(words.outcome_of(first))}**{weight} {_escaped(named)}")
        lines += [f"  - {_escaped(sentence)}" for sentence in alike.sentences if sentence != words.NEVER_RAN]
    return _fitting(lines, "- … {} more lines are in report.html")


def _remarks(verdict: Verdict) -> list[str]:
    found = []
    if verdict.not_configured:
        found.append(f"Not configured, not counted: {_escaped(', '.join(verdict.not_configured))}")
    if verdict.notes:
        notes = [f"- {_escaped(note)}" for note in verdict.notes]
        found.append(_details("Notes", _fitting(notes, "- … {} more notes are in report.html")))
    return found


def _details(title: str, body: str, *, is_open: bool = False) -> str:
    return f"<details{' open' if is_open else ''}><summary>{title}</summary>\n\n{body}\n\n</details>"


def _fitting(lines: list[str], more: str) -> str:
    """The lines that fit into one part's share, and how many did not."""
    kept: list[str] = []
    room = _SHARE
    for number, line in enumerate(lines):
        room -= len(line.encode()) + 1
        if room < 0:
            return "\n".join([*kept, more.format(len(lines) - number)])
        kept.append(line)
    return "\n".join(kept)


def _escaped(text: str) -> str:
    """Inert in GitHub's Markdown: punctuation that could begin something is escaped, tags are entities."""
    inert = _ACTIVE.sub(lambda found: f"\\{found.group()}", html.escape(clean(text, _SENTENCE), quote=False))
    # A mention is looked for in text without tags, so that a tag between keeps it from being one.
    return inert.replace("@", "<span>@</span>")


def annotations(verdict: Verdict) -> list[str]:
    """GitHub's ``::error`` lines: the verdict, then the weightiest checks; none when promoted."""
    if verdict.decision is Decision.PROMOTE:
        return []
    names = words.short_names(verdict.checks)
    holding = [(result, says) for result, says in words.unmet(verdict) if result.required or result.outcome]
    lines = [
        _annotation(
            f"{verdict.decision.name} {words.subject(verdict)}",
            f"{words.reason(verdict)}. Next: {next_command(verdict)}",
        )
    ]
    for result, says in holding[: ANNOTATIONS - 1]:
        title = f"{words.outcome_of(result).upper()} {names[result.check]}"
        lines.append(_annotation(title, "\n".join(says[:5])))
    return lines


def _annotation(title: str, message: str) -> str:
    """One workflow command, escaped as GitHub's own toolkit does it."""
    data: dict[str, str | int | None] = {"%": "%25", "\r": "%0D", "\n": "%0A"}
    told = clean(message, 1_000, lines=True).translate(str.maketrans(data))
    name = clean(title, 200).translate(str.maketrans({**data, ":": "%3A", ",": "%2C"}))
    return f"::error title={name}::{told}"


def github_summary(verdict: Verdict, environ: Mapping[str, str]) -> None:
    """Append the summary to the job's, where GitHub runs us; elsewhere do nothing.

    Args:
        verdict: what to tell.
        environ: ``GITHUB_ACTIONS`` says whether GitHub runs us, ``GITHUB_STEP_SUMMARY`` names the file.

    Raises:
        OSError: the file cannot be written.
    """
    path = environ.get("GITHUB_STEP_SUMMARY")
    if path and environ.get("GITHUB_ACTIONS") == "true":
        with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(dumps(verdict) + "\n")
