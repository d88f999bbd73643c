"""Programs that write a backup: run to their end, watched, and told of only without secrets."""

from __future__ import annotations

import errno
import os
import signal
from collections import deque
from typing import TYPE_CHECKING

from rampgate.backups.files import MEGABYTE, size_of
from rampgate.errors import ProbeError
from rampgate.io.process import Process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rampgate.backups.progress import Progress
    from rampgate.model.redact import Redactor

_POLL_S = 0.2
_KEPT_LINES = 50
_SHOWN_CHARS = 300


class Output:
    """The last lines that a program wrote."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)

    def add(self, line: str) -> None:
        """Keep a line that is not empty."""
        if line.strip():
            self.lines.append(line.strip())

    @property
    def last(self) -> str:
        """The last of them."""
        return self.lines[-1][:_SHOWN_CHARS] if self.lines else "it wrote nothing"


def start(command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> Process:
    """Start a program whose files are private.

    Raises:
        ProbeError: it cannot be started.
    """
    try:
        return Process(command, environ, folder, private=True)
    except OSError as error:
        raise ProbeError(f"{command[0]} cannot be started: {error.strerror}") from None


def run(
    command: Sequence[str],
    safe: Redactor,
    progress: Progress,
    folder: Path,
    environ: Mapping[str, str] | None = None,
) -> list[str]:
    """Run a program to its end, showing how many bytes it has written.

    Args:
        command: without secrets: everybody can read it.
        safe: takes secrets out of its last line.
        progress: ends it when the time is over.
        folder: where it works, and writes.
        environ: its environment, None for ours.

    Returns:
        The last lines that it wrote.

    Raises:
        OSError: a file became larger than is allowed.
        ProbeError: it did not end with 0; with its last line.
    """
    output = Output()
    process = start(command, folder, environ)
    try:
        while not process.wait_for(min(_POLL_S, progress.left_s), output.add):
            progress.at(f"{size_of(folder) / MEGABYTE:,.1f} MB written")
    finally:
        code = process.end(output.add)
    if code == -signal.SIGXFSZ:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    if code != 0:
        ended = f"ended with {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
        raise ProbeError(f"{command[0]} {ended}: {safe.text(output.last)}")
    return list(output.lines)
