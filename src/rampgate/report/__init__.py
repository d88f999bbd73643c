"""Floor 5. The reports of a run (verdict.json, junit.xml, summary.md, report.html), all from its journal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rampgate.errors import EvidenceError
from rampgate.evidence import journal
from rampgate.judging import verdict
from rampgate.report import html, junit, markdown, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["html", "junit", "markdown", "table", "write_all"]


def write_all(folder: Path, *, say: Callable[[str], None] | None = None) -> verdict.Verdict:
    """Judge a run by its journal and write every report into its folder, each whole or not at all.

    A report that cannot be made costs neither the verdict nor the other reports: it is told, and an older
    one of its name is taken away, so that nobody reads a verdict that was overtaken.

    Args:
        folder: the run's folder.
        say: is told which report could not be made; standard error when None.

    Returns:
        The verdict.

    Raises:
        EvidenceError: there is no readable journal, or verdict.json cannot be written.
    """
    records, dropped = journal.read(folder)
    decided = verdict.decide(records, dropped)
    try:
        _replace(folder / "verdict.json", verdict.dumps(decided))
    except OSError as error:
        raise EvidenceError(f"{folder / 'verdict.json'}: cannot be written: {error.strerror}") from None
    for name, make in _writers().items():
        try:
            _replace(folder / name, make(decided, records))
        except Exception as error:  # noqa: BLE001 - whatever a report dies of, the verdict stands
            (folder / name).unlink(missing_ok=True)
            (say or _to_stderr)(f"{name} could not be made: {type(error).__name__}: {error}")
    return decided


def _writers() -> Mapping[str, Callable[[verdict.Verdict, list[verdict.Record]], str]]:
    return {
        "junit.xml": lambda decided, _: junit.dumps(decided),
        "summary.md": lambda decided, _: markdown.dumps(decided),
        "report.html": html.dumps,
    }


def _replace(path: Path, text: str) -> None:
    """Write the file whole: a reader sees the old one or the new one."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        # A lone surrogate, which JSON can carry and UTF-8 cannot, becomes its own JSON escape.
        fresh.write_bytes(text.encode("utf-8", "backslashreplace"))
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _to_stderr(message: str) -> None:
    sys.stderr.write(f"rampgate: {message}\n")
