import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from pharmapilot import programs
from pharmapilot.errors import DeploymentError
from pharmapilot.processes import Child, Start, spawn
from pharmapilot.programs import Program, start_program

LISTENER = """
import signal, socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
signal.pause()
"""


def program(code: str) -> Program:
    """A store made of a line of Python, which is given its port."""
    return Program(
        "store", "The store", lambda port, _: [sys.executable, "-c", code, str(port)], "store://{port}"
    )


def test_store_that_does_not_come_up_is_told_with_its_last_words(tmp_path: Path) -> None:
    """The reader learns why, and where the rest of the output is."""
    broken = program("raise SystemExit('the disk is full')")
    with pytest.raises(DeploymentError, match="The store does not start: the disk is full") as caught:
        start_program(broken, tmp_path, os.environ, threading.Event())
    assert str(tmp_path / "store.log") in str(caught.value)


def test_stop_during_the_start_ends_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is heard before everything is up, and the half-started store does not stay."""
    started: list[Child] = []

    def watched(name: str, start: Start, log: Path) -> Child:
        started.append(spawn(name, start, log))
        return started[-1]

    monkeypatch.setattr(programs, "spawn", watched)
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(DeploymentError):
        start_program(program("import signal; signal.pause()"), tmp_path, os.environ, stopping)
    assert [child.process.returncode for child in started] == [-signal.SIGKILL]


def test_store_is_ready_once_it_accepts(tmp_path: Path) -> None:
    """The address is given out only when somebody answers there."""
    store = start_program(program(LISTENER), tmp_path, os.environ, threading.Event())
    assert store.child
    assert store.child.is_alive()
    assert store.uri.startswith("store://")
    store.child.process.kill()
    store.child.process.wait()
