"""The verdict on a terminal or in a CI log: what was measured first, the decision last.

Whoever reads a log reads its end, so the decision, its reason and what to type next are the last lines.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rampgate.judging.next_steps import next_command
from rampgate.outcome import Decision, Outcome
from rampgate.report import words
from rampgate.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TextIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from rampgate.judging.judge import Judgement
    from rampgate.judging.results import CheckResult, Verdict

LOG_WIDTH = 120
"""Columns where nobody has any to measure. CI log viewers show about this many without a scroll bar; at 80
thresholds break over two lines, and beyond 120 the viewer wraps in the middle of a word."""
_ROOMY = 100

_STYLES = {
    "passed": "green",
    "skipped": "yellow",
    "undecided": "yellow",
    "error": "magenta",
    "failed": "bold red",
    words.NEVER_RAN: "yellow",
}
_DECISIONS = {
    Decision.PROMOTE: "bold white on green",
    Decision.HOLD: "bold black on yellow",
    Decision.ROLLBACK: "bold white on red",
}
_QUIET = {"passed", "skipped"}


def console(file: TextIO | None = None) -> Console:
    """A console for a stream: a terminal's own width, what COLUMNS says, else LOG_WIDTH.

    Args:
        file: where to write; standard output when None.
    """
    from rich.console import Console

    made = Console(file=file, highlight=False)
    if not made.is_terminal and not os.environ.get("COLUMNS"):
        made = Console(file=file, highlight=False, width=LOG_WIDTH)
    return made


def render(verdict: Verdict, console: Console, *, folder: Path | None) -> None:
    """Print the table of judgements, what is not passed and why, and the decision.

    Args:
        verdict: what to show.
        console: where to; colours appear only on a terminal.
        folder: the run's folder, named as the place of the report; None when nothing was written.
    """
    if verdict.checks:
        table = _table(verdict, console)
        console.print(table)
        if any("(+" in str(cell) for column in table.columns for cell in column.cells):
            console.print(_text(console, "(+1): one further limit of the same measurement, met too", "dim"))
    _why(verdict, console)
    _remarks(verdict, console)
    _decision(verdict, console, folder)


def _table(verdict: Verdict, console: Console) -> Table:
    from rich import box
    from rich.table import Table

    # Thresholds are long words: where there is no room beside what was measured, they stand below it.
    stacked = console.width < _ROOMY
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    table.add_column("check", overflow="fold")
    table.add_column("measured, limit" if stacked else "measured", overflow="fold")
    if not stacked:
        table.add_column("limit", overflow="fold")
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    names = words.short_names(verdict.checks)
    for result in verdict.checks:
        for (name, measured, limit, n, outcome), style in _rows(result, names[result.check]):
            numbers = ["\n".join(filter(None, (measured, limit)))] if stacked else [measured, limit]
            cells = [_text(console, cell) for cell in (name, *numbers, n)]
            table.add_row(*cells, _outcome(console, outcome), style=style)
    return table


def _rows(result: CheckResult, name: str) -> list[tuple[list[str], str]]:
    """The rows of one check, named in the first of them, each with its style."""
    rows = [(row, "") for row in _judged(result)]
    # What the check came to by itself, where no judgement says the same; why it did stands below the table.
    if result.outcome not in {judgement.outcome for judgement in result.judgements}:
        rows.insert(0, (["", "", "", "", words.outcome_of(result)], ""))
    for seen in result.shown:
        about = words.about(dict(seen.labels), result.check)
        rows.append(([about, words.shown(seen), "", f"{seen.n:,}" if seen.n else "", "shown"], "dim"))
    # A label stands once, above all that is about it.
    for (row, _), (above, _) in reversed(list(zip(rows[1:], rows, strict=False))):
        row[0] = "" if row[0] == above[0] else row[0]
    first = rows[0][0]
    first[0] = f"{name} ({first[0]})" if first[0] else name
    return [(row if row is first else [f"  {row[0]}", *row[1:]], style) for row, style in rows]


def _judged(result: CheckResult) -> list[list[str]]:
    """A row for each judgement; those that passed are told together where they say the same.

    Of several limits that one measurement keeps the nearest stands for all, for the others are kept the more;
    of several things with the same measured value the first stands with the count of the others.
    """
    limits: dict[tuple[object, ...], list[Judgement]] = {}
    for number, judgement in enumerate(result.judgements):
        own = () if judgement.outcome is Outcome.PASSED else (number,)
        labels = tuple(sorted(judgement.labels.items()))
        key = (*own, judgement.metric, labels, words.measured(judgement), judgement.n)
        limits.setdefault(key, []).append(judgement)
    alike: dict[tuple[object, ...], tuple[list[str], list[str]]] = {}
    for number, group in enumerate(limits.values()):
        nearest = min(group, key=lambda j: abs(j.limit - (j.measured or 0.0)))
        row = _row(nearest, result.check, len(group) - 1)
        own = () if nearest.outcome is Outcome.PASSED else (number,)
        alike.setdefault((*own, *row[1:]), (row, []))[1].append(row[0])
    for row, names in alike.values():
        others = len(set(names)) - 1
        row[0] += f" and {others} more" if others > 0 else ""
    return [row for row, _ in alike.values()]


def _row(judgement: Judgement, check: str, more: int) -> list[str]:
    outcome = judgement.outcome.value
    if judgement.outcome is Outcome.FAILED:
        outcome += f" {judgement.severity.value}"
    return [
        words.about(dict(judgement.labels), check),
        words.measured(judgement),
        words.limit(judgement) + (f" (+{more})" if more else ""),
        f"{judgement.n:,}" if judgement.n else "",
        outcome,
    ]


def _outcome(console: Console, outcome: str) -> Text:
    """Readable without colour: what holds the deployment is in capitals."""
    word, _, severity = outcome.partition(" ") if outcome != words.NEVER_RAN else (outcome, "", "")
    shown = word if word in _QUIET or word == "shown" else word.upper()
    return _text(console, f"{shown}\n{severity}" if severity else shown, _STYLES.get(word, ""))


def _why(verdict: Verdict, console: Console) -> None:
    """Every check that is not passed, with its sentences, wrapped and never cut."""
    names = words.short_names(verdict.checks)
    for alike in words.unmet_alike(verdict):
        first = alike.results[0]
        word = words.outcome_of(first)
        weight = f" ({remark})" if (remark := words.remark(first)) else ""
        console.print()
        heading = _text(console, word.upper(), _STYLES[word])
        named = ", ".join(names[result.check] for result in alike.results)
        heading.append(_encodable(console, f"{weight}  {named}"))
        console.print(heading)
        _indented(console, [sentence for sentence in alike.sentences if sentence != word])


def _remarks(verdict: Verdict, console: Console) -> None:
    parts = {
        "not configured, not counted": [", ".join(clean(each, 200) for each in verdict.not_configured)],
        "notes": [clean(note) for note in verdict.notes],
    }
    for title, lines in parts.items():
        if any(lines):
            console.print()
            console.print(_text(console, f"{title}:", "bold"))
            _indented(console, lines)


def _indented(console: Console, sentences: Sequence[str]) -> None:
    for sentence in sentences:
        for line in _text(console, sentence).wrap(console, console.width - 2, overflow="fold"):
            console.print(_text(console, f"  {line.plain.rstrip()}"))


def _decision(verdict: Verdict, console: Console, folder: Path | None) -> None:
    console.print()
    line = _text(console, verdict.decision.name, _DECISIONS[verdict.decision])
    line.append(_encodable(console, f"  {words.subject(verdict)}  \N{EM DASH} {words.reason(verdict)}"))
    # A log is searched by line: only a terminal may break the decision over several.
    console.print(line, soft_wrap=not console.is_terminal)
    for title, text in (
        ("next", clean(next_command(verdict))),
        ("report", clean(folder / "report.html") if folder else ""),
        ("chance", words.chance(verdict)),
    ):
        if text:
            unbroken = title != "chance" and not console.is_terminal
            console.print(_text(console, f"{title}: {text}"), soft_wrap=unbroken)


def _text(console: Console, text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(_encodable(console, text), style=style)


def _encodable(console: Console, text: str) -> str:
    """What the stream can take: a log in ASCII must not lose the verdict to one foreign letter.

    Nor may a target's answer command the CI server that reads the log: GitHub obeys lines that begin with
    ``::``, and ``##[`` anywhere.
    """
    text = text.replace("##[", "##\\[")
    if text.lstrip().startswith("::"):
        text = text.replace("::", "\\::", 1)
    return text.encode(console.encoding, "backslashreplace").decode(console.encoding)
