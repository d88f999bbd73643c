"""The verdict on a terminal or in a CI log: what was measured first, the decision last.

Whoever reads a log reads its end, so the decision, its reason and what to type next are the last lines.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rampgate.clock import SystemClock
from rampgate.judging.guides import guide
from rampgate.judging.next_steps import next_command
from rampgate.judging.standing import standing
from rampgate.model.text import clean, without_commands
from rampgate.outcome import Decision, Outcome
from rampgate.report import findings, groups, sentences
from rampgate.report.overruled import lines as overruled_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TextIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from rampgate.judging.results import Verdict

LOG_WIDTH = 120
"""Columns where there is no terminal. CI log viewers show about this many without a scroll bar; at 80
thresholds break over two lines, and beyond 120 the viewer wraps in the middle of a word."""
_ROOMY = 100

_STYLES = {
    "passed": "green",
    "skipped": "yellow",
    "undecided": "yellow",
    "error": "magenta",
    "failed": "bold red",
    sentences.NEVER_RAN: "yellow",
}
_DECISIONS = {
    Decision.PROMOTE: "bold white on green",
    Decision.HOLD: "bold black on yellow",
    Decision.ROLLBACK: "bold white on red",
}
_OVERRULED = "bold red"
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
    """Print what is not passed, a line for each group that is, why not, and the decision.

    Args:
        verdict: what to show.
        console: where to; colours appear only on a terminal.
        folder: the run's folder, named as the place of the report; None when nothing was written.
    """
    if verdict.checks:
        console.print(_table(verdict, console))
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
    names = sentences.short_names(verdict.checks)
    unmet = [each.result for each in findings.unmet(verdict) if each.result]
    rows = [row for result in unmet for row in groups.rows(result, names[result.check])]
    rows += [[group.name, group.summary, "", "", Outcome.PASSED.value] for group in groups.passed(verdict)]
    for name, measured, limit, n, outcome in rows:
        numbers = ["\n".join(filter(None, (measured, limit)))] if stacked else [measured, limit]
        table.add_row(*(_text(console, cell) for cell in (name, *numbers, n)), _outcome(console, outcome))
    return table


def _outcome(console: Console, outcome: str) -> Text:
    """Readable without colour: what holds the deployment is in capitals."""
    word, _, severity = outcome.partition(" ") if outcome != sentences.NEVER_RAN else (outcome, "", "")
    shown = word if word in _QUIET else word.upper()
    return _text(console, f"{shown}\n{severity}" if severity else shown, _STYLES.get(word, ""))


def _why(verdict: Verdict, console: Console) -> None:
    """Every finding with its sentences and what followed from it, wrapped and never cut."""
    names = sentences.short_names(verdict.checks)
    for unmet in findings.unmet(verdict):
        console.print()
        if unmet.result is None:
            console.print(_text(console, "HOLD", _STYLES[sentences.NEVER_RAN]))
        else:
            word = sentences.outcome_of(unmet.result)
            weight = f" ({remark})" if (remark := sentences.remark(unmet.result)) else ""
            heading = _text(console, word.upper(), _STYLES[word])
            heading.append(_encodable(console, f"{weight}  {names[unmet.result.check]}"))
            console.print(heading)
        followed = [findings.consequence(*each) for each in unmet.consequences]
        _indented(console, [*(each for each in unmet.sentences if each != sentences.NEVER_RAN), *followed])


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
    line.append(_encodable(console, f"  {sentences.line(verdict)}  \N{EM DASH} {sentences.reason(verdict)}"))
    # A log is searched by line: only a terminal may break the decision over several.
    console.print(line, soft_wrap=not console.is_terminal)
    for overruled in overruled_lines(verdict):
        console.print(_text(console, overruled, _OVERRULED), soft_wrap=not console.is_terminal)
    for title, text in (
        ("next", clean(next_command(verdict))),
        *((name, clean(text)) for name, text in guide(verdict).named.items()),
        ("report", clean(folder / "report.html") if folder else ""),
        ("chance", sentences.chance(verdict)),
    ):
        if text:
            unbroken = title != "chance" and not console.is_terminal
            console.print(_text(console, f"{title}: {text}"), soft_wrap=unbroken)
    if counts := standing(verdict, SystemClock().now()).sentence:
        line = _text(console, f"counts now: {clean(counts)}", _OVERRULED)
        console.print(line, soft_wrap=not console.is_terminal)


def _text(console: Console, text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(_encodable(console, text), style=style)


def _encodable(console: Console, text: str) -> str:
    """What the stream can take: a log in ASCII must not lose the verdict to one foreign letter.

    What is a line now may be a command of the CI server's, which the whole was not.
    """
    return without_commands(text).encode(console.encoding, "backslashreplace").decode(console.encoding)
