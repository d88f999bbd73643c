"""Runs one command, and ends with it everything that it has started.

A script, which needs nothing but Python: ``python subreaper.py PARENT PATIENCE COMMAND...``. It ends as the
command ends; on SIGTERM, and when the process PARENT dies, it asks the command to end, which has PATIENCE
seconds for that, and ends it. SIGINT goes on to the command. On Linux nothing gets away, for it is the
subreaper of all that the command starts, daemons too; elsewhere the group must do.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE_S = 0.9
"""How long a command, and then what it leaves behind, may take to end in order: under two seconds in all."""
KILL_WITHIN_S = 5.0
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_NOT_STARTED = 126  # as a shell says it
_POLL_S = 0.02


class StoppedError(BaseException):
    """We were asked to stop."""


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code, or ends by the signal that ended it."""
    parent, patience_s, command = int(arguments[0]), float(arguments[1]), arguments[2:]
    code, started = -signal.SIGTERM, set[int]()
    try:
        signal.signal(signal.SIGTERM, _stopped)
        if sys.platform == "linux":
            system = ctypes.CDLL(None)
            system.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            system.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        if os.getppid() == parent:
            child = subprocess.Popen(command)
            started.add(child.pid)
            signal.signal(signal.SIGINT, lambda number, _: child.send_signal(number))
            code = child.wait()
    except OSError as error:
        sys.stdout.write(f"{command[0]}: cannot be started: {error.strerror}\n")
        code = _NOT_STARTED
    except (StoppedError, KeyboardInterrupt):
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end_family(started, patience_s)
    sys.stdout.flush()
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command may have dumped one: ours is of no use
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _end_family(command: set[int], patience_s: float) -> None:
    """End all descendants: the command is asked first, then the others, then all are killed."""
    asked: set[int] = set()
    steps = ((signal.SIGTERM, patience_s), (signal.SIGTERM, PATIENCE_S), (signal.SIGKILL, KILL_WITHIN_S))
    for step, (number, seconds) in enumerate(steps):
        deadline = time.monotonic() + seconds
        while (living := _living() & command if step == 0 else _living()) and time.monotonic() < deadline:
            for pid in living if number == signal.SIGKILL else living - asked:
                with contextlib.suppress(OSError):
                    os.kill(pid, number)
            asked |= living
            time.sleep(_POLL_S)


def _living() -> set[int]:
    """Our descendants, after burying those that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The program's name, in brackets, may hold anything; state and parent come after it.
            state, parent = path.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(path.parent.name))
    found: set[int] = set()
    waiting = children.get(os.getpid(), [])
    while waiting:
        found |= set(waiting)
        waiting = [child for pid in waiting for child in children.get(pid, [])]
    return found


def _stopped(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise StoppedError


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
