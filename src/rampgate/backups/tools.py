"""Programs that a backup uses: run with their secrets out of sight, watched, never left behind."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rampgate.backups.progress import Progress
    from rampgate.model.redact import Redactor

_POLL_S = 0.2
_STOP_S = 10.0
_LAST_CHARS = 4000


@contextmanager
def process(
    command: Sequence[str], output: IO[bytes], folder: Path, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program for as long as the context lasts; its files are private, and it ends when we are killed.

    Raises:
        ProbeError: it cannot be started.
    """
    # A function to be run after the fork is not safe beside the threads of a database client.
    guard = [setpriv, "--pdeathsig", "TERM"] if (setpriv := shutil.which("setpriv")) else []
    try:
        started = subprocess.Popen(
            [*guard, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environ,
            umask=0o077,
        )
    except OSError as error:
        raise ProbeError(f"{command[0]} cannot be started: {error.strerror}") from None
    try:
        yield started
    finally:
        if started.poll() is None:
            started.terminate()
            try:
                started.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


def run(
    command: Sequence[str],
    safe: Redactor,
    progress: Progress,
    folder: Path,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Run a program to its end, telling how many bytes it has written.

    Args:
        command: without secrets: everybody can read it.
        safe: takes secrets out of its last words.
        progress: ends it when the time is over.
        folder: where it works, and writes.
        environ: its environment, None for ours.

    Raises:
        ProbeError: it did not end with 0; with its last words.
    """
    from rampgate.backups.files import MEGABYTE, size_of

    with tempfile.TemporaryFile() as output, process(command, output, folder, environ) as started:
        while True:
            try:
                code = started.wait(min(_POLL_S, progress.left_s))
                break
            except subprocess.TimeoutExpired:
                progress.at(f"{size_of(folder) / MEGABYTE:,.1f} MB written")
        if code != 0:
            raise ProbeError(f"{command[0]} {_ended(code)}: {safe.text(last_words(output))}")


def _ended(code: int) -> str:
    return f"ended with {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"


def last_words(output: IO[bytes]) -> str:
    """The last line that a program wrote."""
    output.seek(max(0, output.seek(0, 2) - _LAST_CHARS))
    lines = output.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"
