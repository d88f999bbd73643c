"""An application that others wrote, how it is installed, started and described."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rampgate-foreign"
"""Where applications are installed: outside the repository."""


@dataclass(frozen=True)
class Case:
    """What is broken, and what the gate must say.

    Args:
        name: what a reader calls it.
        verdict: the decision.
        nginx: directives of the server in front of the application: answers in its place.
        environment: variables of the gate in place of the application's.
        stopped: whether the application is stopped before the gate begins.
        delay_s: seconds that each request waits; of 2 s no ten at once keep the pace, and the wait grows.
        change: done to the running application, given its own address.
    """

    name: str
    verdict: str
    nginx: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    stopped: bool = False
    delay_s: float = 0.0
    change: Callable[[str], None] = lambda _: None


@dataclass(frozen=True)
class App:
    """One application.

    Args:
        name: of the application, and of its folder.
        packages: what is installed, with versions.
        install: installs it into an empty folder.
        serve: runs it from there on a port, with an empty folder for its data, until the context ends.
        settings: rampgate.toml, with ``{url}`` for its address.
        environment: variables that the settings take their secrets from.
        cases: what is broken; the healthy one is everybody's.
        http: directives of nginx that belong to the application, outside of the server.
        server: directives of nginx that belong to it, inside.
    """

    name: str
    packages: Sequence[str]
    install: Callable[[Path, Sequence[str]], None]
    serve: Callable[[Path, Path, int], AbstractContextManager[subprocess.Popen[bytes]]]
    settings: str
    environment: Mapping[str, str]
    cases: Sequence[Case]
    http: str = ""
    server: str = ""


def from_pypi(folder: Path, packages: Sequence[str]) -> None:
    """Packages in a virtual environment of their own."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *packages], check=True)


def from_npm(folder: Path, packages: Sequence[str]) -> None:
    """Packages in a node_modules of their own; none may run a script of its own."""
    folder.mkdir(parents=True)
    (folder / "package.json").write_text("{}", encoding="utf-8")
    subprocess.run(["npm", "install", "--silent", "--ignore-scripts", *packages], cwd=folder, check=True)


def installed(app: App) -> Path:
    """The folder of an application that is installed, which it is once for each set of versions."""
    folder = CACHE / "-".join([app.name, *app.packages]).replace("/", "_")
    done = folder / ".installed"
    if not done.is_file():
        app.install(folder, app.packages)
        done.touch()
    return folder


@contextmanager
def running(command: Sequence[str | Path], log: Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A program, ended with the context; what it prints goes to a file."""
    with log.open("ab") as out, subprocess.Popen(command, stdout=out, stderr=out, **more) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 60.0) -> None:
    """Until an address answers 2xx.

    Raises:
        RuntimeError: it does not in time, or the program has ended.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310  # loopback
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"{url}: no answer, and the program's exit code is {process.poll()}")
