"""The one way to run a child process: it ends with us, and with it everything that it has started.

Each runs under ``subreaper.py``, in a session of its own: Ctrl-C is ours to handle.
"""

from __future__ import annotations

import errno
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rampgate.io import subreaper
from rampgate.io.subreaper import KILL_WITHIN_S, PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TICK_S = 0.5
_DRAIN_S = 5.0
_WAITING_LINES = 10_000
"""Whoever writes faster than is read here has to wait, so that our memory stays small."""
_LONGEST_LINE = 64 * 1024


def _ignore(_: str) -> None:
    """For whoever does not wait for lines."""


def run(
    command: Sequence[str],
    *,
    timeout_s: float,
    env: Mapping[str, str],
    text: str = "",
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, and keep what it writes.

    Args:
        command: the program and its arguments.
        timeout_s: seconds until it is ended with all that it has started.
        env: its whole environment.
        text: what it reads from standard input.
        folder: where it runs; None: here.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it was ended; with what it had written until then.
    """
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with _started(command, env, 0.0, cwd=folder, **pipes) as process:
        try:
            out, err = process.communicate(text, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _end(process, 0.0)
            out, err = process.communicate()
            raise subprocess.TimeoutExpired(list(command), timeout_s, out, err) from None
        except BaseException:
            _end(process, 0.0)
            raise
        return subprocess.CompletedProcess(list(command), process.returncode, out, err)


class Process:
    """A running process whose lines, or whose end, somebody waits for.

    Args:
        command: the program and its arguments.
        environ: its whole environment, None for ours.
        folder: where it runs; None: here.
        output: takes what it writes, None: wait_for passes its lines on.
        private: whether the files that it makes are readable by their owner only.
        patience_s: how long it may take to end in order, once it is asked or we have died.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
        *,
        output: IO[bytes] | None = None,
        private: bool = False,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._patience_s = patience_s
        self._process = _started(
            command,
            os.environ if environ is None else environ,
            patience_s,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            umask=0o077 if private else -1,
        )
        self._lines: queue.Queue[str] = queue.Queue(_WAITING_LINES)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def interrupt(self) -> None:
        """Send SIGINT to the program, unless it has ended."""
        if not self._over():
            os.kill(self._process.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kill its group at once; whoever has left the group lives on."""
        _kill(self._process)

    def wait_for(self, seconds: float, on_line: Callable[[str], object] = _ignore) -> bool:
        """Whether it ends within so many seconds.

        Args:
            seconds: to wait.
            on_line: takes each line that it writes, and "" about twice a second when it writes none.
        """
        deadline = time.monotonic() + seconds
        while not self._over() and (left := deadline - time.monotonic()) > 0:
            self._pass_on(on_line, min(_TICK_S, left))
        return self._over()

    def end(self, on_line: Callable[[str], object] = _ignore) -> int:
        """End it with all that it has started, pass on its last lines, and return its exit code.

        The code is negative when a signal ended it. A second call does no harm.
        """
        if self._process.returncode is None:
            try:
                if not self._over():
                    os.kill(self._process.pid, signal.SIGTERM)
                    self.wait_for(_ends_within(self._patience_s), on_line)
            finally:
                _kill(self._process)
                self._process.wait()
        deadline = time.monotonic() + _DRAIN_S
        while self._reader.is_alive() and time.monotonic() < deadline:
            self._pass_on(on_line, _TICK_S)
        self._pass_on(on_line)
        return self._process.returncode

    def _over(self) -> bool:
        """Whether it has ended; it stays a zombie, so that its group's number remains its own."""
        if self._process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def _read(self) -> None:
        if self._process.stdout is None:
            return
        with self._process.stdout as stream:
            while line := stream.readline(_LONGEST_LINE):
                self._lines.put(line.rstrip())

    def _pass_on(self, on_line: Callable[[str], object], wait: float = 0.0) -> None:
        """Pass on the lines that are there, and wait for the first. Whoever never stops writing is let be."""
        try:
            on_line(self._lines.get(timeout=wait) if wait else self._lines.get_nowait())
            for _ in range(_WAITING_LINES):
                on_line(self._lines.get_nowait())
        except queue.Empty:
            on_line("")


def _started(
    command: Sequence[str], environ: Mapping[str, str], patience_s: float, **options: Any
) -> subprocess.Popen[str]:
    """The subreaper with a command.

    Raises:
        OSError: there is no such program, or it may not be run.
    """
    program = shutil.which(command[0], path=environ.get("PATH"))
    if program is None:
        number = errno.EACCES if Path(command[0]).exists() else errno.ENOENT
        raise OSError(number, os.strerror(number), command[0])
    ours = [sys.executable, "-I", "-S", str(Path(subreaper.__file__)), str(os.getpid()), str(patience_s)]
    return subprocess.Popen(
        [*ours, program, *command[1:]],
        env=dict(environ),
        text=True,
        errors="replace",
        start_new_session=True,
        **options,
    )


def _ends_within(patience_s: float) -> float:
    """Seconds in which a subreaper that was asked ends at the latest."""
    return patience_s + PATIENCE_S + KILL_WITHIN_S + 1.0


def _end(process: subprocess.Popen[str], patience_s: float) -> None:
    """End the subreaper in order; whoever interrupts the waiting, or waits too long, kills its group."""
    try:
        process.terminate()
        process.wait(_ends_within(patience_s))
    except subprocess.TimeoutExpired:
        pass
    finally:
        _kill(process)


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill the group, while its number is surely its own."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
