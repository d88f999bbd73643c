"""``rampgate serve`` as a process of its own."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "rampgate", "serve", "--api"]


@contextmanager
def started(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process, and the port that it says."""
    command = [*COMMAND, "--port", "0", "--reports", "reports", *options]
    with subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            found = re.search(r":(\d+)/api/verdict", line)
            assert found, line + process.stdout.read()
            yield process, int(found[1])
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_until_it_is_ended_and_says_no_more(tmp_path: Path, number: signal.Signals) -> None:
    """Also while a client is in the middle of its request: exit 0, and not a line of a traceback."""
    with started(tmp_path) as (process, port):
        with urlopen(f"http://localhost:{port}/api/verdict", timeout=60) as answer:
            assert json.load(answer)["result"] == "hold"
        with closing(socket.create_connection(("127.0.0.1", port))) as half:
            half.sendall(b"POST /gate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
            process.send_signal(number)
            said, _ = process.communicate(timeout=60)
        assert (process.returncode, said) == (0, "")


def test_it_starts_where_there_is_no_folder_yet_and_makes_none(tmp_path: Path) -> None:
    """It only reads: what is asked for leaves nothing behind."""
    with started(tmp_path, "--release", "current", "--require", "immediate") as (_, port):
        for path in ("api/verdict", "metrics"):
            with urlopen(f"http://localhost:{port}/{path}", timeout=60) as answer:
                assert answer.status == 200
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """One line, and the exit code of usage."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--port", port], cwd=tmp_path, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"rampgate: --host 127.0.0.1 --port {port}: cannot listen there: Address already in use\n"
    )
