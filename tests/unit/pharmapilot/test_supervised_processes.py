import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pharmapilot.processes import Start, accepts, bound_socket, free_port, spawn, stop

STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
signal.pause()
"""
PARENT = """
import os, sys
from pathlib import Path
from pharmapilot.processes import Start, spawn
child = spawn("sleeper", Start(["sleep", "60"], os.environ), Path(sys.argv[1]))
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_child_reads_its_input_and_ends_on_sigterm(tmp_path: Path) -> None:
    """A child gets its settings by standard input, and its output lands in its log."""
    code = "import sys; print(sys.stdin.read().upper())"
    child = spawn("shout", Start([sys.executable, "-c", code], os.environ, "hello"), tmp_path / "log")
    assert child.process.wait(10) == 0
    assert child.last_words() == "HELLO"
    assert not child.is_alive()


def test_stubborn_child_is_killed(tmp_path: Path) -> None:
    """Nothing is left running, even where SIGTERM is ignored."""
    child = spawn("stubborn", Start([sys.executable, "-c", STUBBORN], os.environ), tmp_path / "log")
    while "up" not in child.log.read_text():
        assert child.is_alive()
    stop([child], 0.05)
    assert child.process.returncode == -signal.SIGKILL


def test_killed_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    """SIGKILL of the parent, which it cannot handle, still ends the child."""
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        watch = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        parent.wait()
    with os.fdopen(watch) as handle:
        readable, _, _ = select.select([handle], [], [], 5)
    assert readable, "the child outlived its parent by 5 s"


def test_taken_port_cannot_be_bound() -> None:
    """A port that somebody listens on is refused, and free again afterwards."""
    with bound_socket(free_port()) as taken:
        port = taken.getsockname()[1]
        assert not accepts(port)
        taken.listen()
        assert accepts(port)
        with pytest.raises(OSError, match="in use"):
            bound_socket(port)
    assert not accepts(port)
