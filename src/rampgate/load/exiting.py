"""How a process of Locust's leaves: a start that came to nothing is recorded, and 0 is a PROMOTE.

It imports little: Locust replaces the sockets of the standard library before anything has them.
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import ClassVar

from rampgate.errors import ExitCode
from rampgate.io.output import endure_readers_leaving

_PRINTS = {"-h", "--help", "-V", "--version", "-l", "--list", "--show-task-ratio", "--show-task-ratio-json"}


class Start:
    """How far Locust has come, in which process."""

    pid = 0
    begun = False
    why = "Locust did not start; its own message says why"
    code: ClassVar[ExitCode] = ExitCode.HOLD
    """Of the last verdict, once it has begun."""
    left_with: ClassVar[int | None] = None
    """The code that Locust then left with."""


def watch() -> None:
    """Record a start of Locust that comes to nothing, and keep the exit code of one that does not."""
    Start.pid = os.getpid()
    endure_readers_leaving()
    atexit.register(_at_exit)


def _at_exit() -> None:
    """It has only printed something, could not read what was typed, or leaves, with whatever code."""
    if not _measures():
        return
    if not Start.begun and _PRINTS.isdisjoint(sys.argv):
        from rampgate.load import unread

        unread.record(sys.argv[1:], "--rampgate-config", Start.why)
    if Start.begun and Start.code not in {ExitCode.PROMOTE, Start.left_with}:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(Start.code)


def _measures() -> bool:
    """Whether this process is to come to a verdict: it is no worker."""
    return Start.pid == os.getpid() and "--worker" not in sys.argv


def exit_code(code: int) -> int:
    """Ours for Locust's, which of a failure are its own; 0 needs a verdict."""
    if Start.begun and _measures():
        return Start.code or (ExitCode.HOLD if code else ExitCode.PROMOTE)
    if code == ExitCode.PROMOTE and _measures() and _PRINTS.isdisjoint(sys.argv):
        return ExitCode.HOLD
    return code if code in set(ExitCode) else ExitCode.USAGE
