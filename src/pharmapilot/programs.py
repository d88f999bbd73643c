"""Programs that the deployment starts for itself, each on a free port of the loopback address."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pharmapilot.errors import DeploymentError
from pharmapilot.processes import Child, Start, accepts, free_port, spawn

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Command = Callable[[int, Path], list[str]]

START_SECONDS = 15.0
_ATTEMPTS = 3


@dataclass(frozen=True)
class Service:
    """A service that answers: its address, what it is in plain words, its process where we started one."""

    uri: str
    label: str
    child: Child | None = None


@dataclass(frozen=True)
class Program:
    """A program that we can start: its command for a port and a folder, and the address with {port}."""

    name: str
    label: str
    command: Command
    uri: str


def start_program(
    program: Program, state: Path, environ: Mapping[str, str], stopping: threading.Event
) -> Service:
    """Start a program on a free port; another port is tried where somebody was quicker.

    Raises:
        DeploymentError: it does not come up, or somebody stops the deployment meanwhile.
    """
    folder = state / program.name
    folder.mkdir(exist_ok=True)
    log = state / f"{program.name}.log"
    for _ in range(_ATTEMPTS):
        port = free_port()
        child = spawn(program.name, Start(program.command(port, folder), environ), log)
        deadline = time.monotonic() + START_SECONDS
        while child.is_alive() and time.monotonic() < deadline and not stopping.wait(0.02):
            # Whose answer is it? Somebody was quicker where ours ends at once.
            if accepts(port) and not stopping.wait(0.05) and child.is_alive():
                return Service(program.uri.format(port=port), program.label, child)
        if child.is_alive():
            child.process.kill()
            child.process.wait()
            break
    raise DeploymentError(f"{program.label} does not start: {child.last_words()} (all of it: {log})")


def version_of(binary: str) -> str:
    """The version that a program tells of itself."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False, timeout=5)
    found = re.search(r"v(?:ersion)?[ =]?(\d+\.\d+\.\d+)", said.stdout + said.stderr)
    return found[1] if found else "of unknown version"
