"""Floor 3. A process that is followed: its lines are passed on as they come, and nothing of it is left."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_TICK_S = 0.5
_DRAIN_S = 5.0
_WAITING_LINES = 10_000
"""Whoever writes faster than is read here has to wait, so that our memory stays small."""
_LONGEST_LINE = 64 * 1024


class Followed:
    """A running process, the leader of a session of its own: Ctrl-C is ours to handle.

    Args:
        command: the program and its arguments.
        environ: its whole environment.
        folder: where it runs; None: here.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], folder: Path | None = None
    ) -> None:
        self._process = subprocess.Popen(
            command,
            env=dict(environ),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._lines: queue.Queue[str] = queue.Queue(_WAITING_LINES)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ask(self, number: int) -> None:
        """Send it a signal, unless it has been ended."""
        if self._process.returncode is None:
            os.kill(self._process.pid, number)

    def wait_for(self, seconds: float, say: Callable[[str], None]) -> bool:
        """Whether it ends within so many seconds.

        Args:
            seconds: to wait.
            say: takes each line that it writes, and "" about twice a second when it writes none.
        """
        deadline = time.monotonic() + seconds
        while not self._over() and time.monotonic() < deadline:
            self._pass_on(say, _TICK_S)
        return self._over()

    def end(self, say: Callable[[str], None]) -> int:
        """Kill what is left of its group, pass on its last lines, and return its exit code.

        The code is negative when a signal ended it. A second call does no harm.
        """
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        deadline = time.monotonic() + _DRAIN_S
        while self._reader.is_alive() and time.monotonic() < deadline:
            self._pass_on(say, _TICK_S)
        self._pass_on(say)
        return self._process.returncode

    def _over(self) -> bool:
        """Whether it has ended; it stays a zombie, so that its group's number remains its own."""
        if self._process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def _read(self) -> None:
        assert self._process.stdout  # noqa: S101  # it was asked for
        with self._process.stdout as stream:
            while line := stream.readline(_LONGEST_LINE):
                self._lines.put(line.rstrip())

    def _pass_on(self, say: Callable[[str], None], wait: float = 0.0) -> None:
        """Pass on the lines that are there, and wait for the first. Whoever never stops writing is let be."""
        try:
            say(self._lines.get(timeout=wait) if wait else self._lines.get_nowait())
            for _ in range(_WAITING_LINES):
                say(self._lines.get_nowait())
        except queue.Empty:
            say("")
