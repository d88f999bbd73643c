"""A run's verdict, from the journal in its folder, and the file that keeps it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rampgate.checks.frame.discovery import checks
from rampgate.errors import EvidenceError
from rampgate.evidence import journal
from rampgate.judging.verdict import decide, dumps

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.evidence.journal import Journal
    from rampgate.judging.results import Verdict

FILE_NAME = "verdict.json"
CONCLUSIONS = (FILE_NAME, "junit.xml", "summary.md", "metrics.txt", "report.html")
"""What a run comes to, in files that are read without its journal."""


def judge(folder: Path) -> Verdict:
    """Judge a run by its journal alone.

    Raises:
        EvidenceError: there is no readable journal.
        ConfigurationError: the file of a check cannot be imported.
    """
    checks()  # what they measure can be judged only where it is known
    return decide(*journal.read(folder))


def conclude(folder: Path) -> Verdict:
    """Judge a run, and write verdict.json into its folder, whole or not at all.

    Raises:
        EvidenceError: there is no readable journal, or verdict.json cannot be written.
    """
    verdict = judge(folder)
    try:
        write_whole(folder / FILE_NAME, dumps(verdict))
    except OSError as error:
        raise EvidenceError(f"{folder / FILE_NAME}: cannot be written: {error.strerror}") from None
    return verdict


def finish(end: Journal, **fields: Any) -> tuple[Verdict, str]:
    """Write the end of a run, judge it, and write verdict.json; the journal is closed.

    Where one of the files cannot be written, the run has no end: it holds, and so it does for whoever judges
    its journal later.

    Args:
        end: the journal that ends the run.
        fields: of its last record.

    Returns:
        The verdict, and what could not be written, "" when all is.

    Raises:
        EvidenceError: there is no readable journal.
        ConfigurationError: the file of a check cannot be imported.
    """
    size = end.size
    try:
        end.write("end", **fields)
        return conclude(end.folder), ""
    except EvidenceError as error:
        end.cut(size)
        return judge(end.folder), str(error)
    except BaseException:
        end.cut(size)
        raise
    finally:
        end.close()


def withdraw(folder: Path) -> None:
    """Take away what a run came to, because more of it begins.

    Raises:
        EvidenceError: it cannot be taken away.
    """
    try:
        for name in CONCLUSIONS:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise EvidenceError(f"{folder}: cannot be written: {error.strerror}") from None


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        # A lone surrogate, which JSON can carry and UTF-8 cannot, becomes its own JSON escape.
        fresh.touch(mode=0o600)
        fresh.write_bytes(text.encode("utf-8", "backslashreplace"))
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
