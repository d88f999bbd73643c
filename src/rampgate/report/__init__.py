"""A run's junit.xml, summary.md, metrics.txt and report.html: they render a verdict, and decide nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rampgate.evidence.verdicts import write_whole
from rampgate.model.text import clean
from rampgate.report import github, html, junit, markdown, openmetrics, table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rampgate.judging.results import Verdict

__all__ = ["github", "html", "junit", "markdown", "table", "write_all"]

_WRITERS = {"junit.xml": junit, "summary.md": markdown, "metrics.txt": openmetrics, "report.html": html}


def write_all(verdict: Verdict, folder: Path, *, warn: Callable[[str], None] | None = None) -> None:
    """Write every report of a verdict into the run's folder, each whole or not at all.

    A report that cannot be made costs neither the verdict nor the other reports: an older one of its name is
    taken away, so that no verdict that was overtaken is read.

    Args:
        verdict: of the run.
        folder: the run's folder.
        warn: takes a line about each report that could not be made; standard error when None.
    """
    for name, writer in _WRITERS.items():
        try:
            write_whole(folder / name, writer.dumps(verdict))
        except Exception as error:  # noqa: BLE001 - whatever a report dies of, the verdict stands
            (folder / name).unlink(missing_ok=True)
            (warn or _to_stderr)(f"{name} could not be made: {type(error).__name__}: {error}")


def _to_stderr(message: str) -> None:
    sys.stderr.write(f"rampgate: {clean(message)}\n")
