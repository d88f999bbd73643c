"""Child processes that never outlive the supervisor."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HOST = "127.0.0.1"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


@dataclass
class Child:
    """A started process."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process id, also the id of its process group."""
        return self.process.pid

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def last_words(self) -> str:
        """The last line that it wrote and that says something."""
        lines = self.log.read_text(errors="replace").splitlines()
        telling = [line for line in lines if line.strip() and "startup failed" not in line]
        return telling[-1] if telling else "it wrote nothing"

    def signal(self, number: signal.Signals) -> None:
        """Signal the whole group, unless the process has ended."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)


@dataclass(frozen=True)
class Start:
    """How a child is started: what it may read from standard input, which sockets it inherits."""

    command: Sequence[str]
    environ: Mapping[str, str]
    stdin: str = ""
    pass_fds: tuple[int, ...] = ()


def _die_with(parent: int) -> None:
    """Runs in the child: the kernel kills it when the supervisor is gone, however that went."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # gone before the line above
        os._exit(1)


def spawn(name: str, start: Start, log: Path) -> Child:
    """Start a process in a group of its own, its output in a file."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            start.command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(start.environ),
            pass_fds=start.pass_fds,
            start_new_session=True,
            preexec_fn=partial(_die_with, os.getpid()),  # noqa: PLW1509 - the supervisor has no second thread
        )
    if process.stdin is None:
        raise RuntimeError("a child without standard input")
    with suppress(BrokenPipeError), process.stdin:
        process.stdin.write(start.stdin.encode())
    return Child(name, process, log)


def stop(children: Sequence[Child], patience_seconds: float) -> None:
    """SIGTERM, and SIGKILL for those that still run after the patience."""
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + patience_seconds
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(max(0.0, deadline - time.monotonic()))
        child.signal(signal.SIGKILL)
        child.process.wait()


def bound_socket(port: int) -> socket.socket:
    """A socket bound to the loopback address; port 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port))
    except OSError:
        bound.close()
        raise
    return bound


def free_port() -> int:
    """A port that was free a moment ago."""
    with bound_socket(0) as bound:
        port: int = bound.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether somebody listens."""
    try:
        with socket.create_connection((HOST, port), 0.2):
            return True
    except OSError:
        return False
