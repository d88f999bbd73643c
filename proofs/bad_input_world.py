"""Where bad inputs are tried: the reference deployment on stores that ask for a password, and eyes on it."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import urlsplit

from tests.unit.backups import opened
from tests.unit.fakes import received, send, send_json, serving
from tests.unit.stores_fixture import secantus, silent, valkey

from rampgate import demo
from rampgate.config.settings import DemoSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.server import BaseHTTPRequestHandler

SECRETS = ("canary-mongodb-right", "canary-redis-right", "canary-wrong", "canary-channel")
"""No file of a run, and nothing that it prints, may hold one of these."""
MARK = "BAD_INPUT_MARK"
KEYS = 3000
_INTERNAL = {"admin", "local", "config"}


@dataclass
class World:
    """The deployment, and the channels that alert no one.

    Args:
        web, api: of the deployment.
        mongodb, redis: its stores, with the passwords that they ask for.
        channels: host and port of a server whose paths are the status that they answer.
        silent: host and port of one that takes connections and never says a word.
        followed: what was sent where a redirect leads to.
    """

    web: str
    api: str
    mongodb: str
    redis: str
    channels: str
    silent: str
    followed: list[str]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Bring everything up on loopback, and take it down.

    Args:
        folder: for the stores.
    """
    with ExitStack() as stack:
        mongodb, redis = stack.enter_context(_stores(folder))
        command = [sys.executable, "-m", "pharmapilot", "--free-ports", "--scene", "start"]
        settings = DemoSettings(command=[*command, "--ready-file", "{ready}"])
        with patch.dict(os.environ, PHARMAPILOT_MONGODB_URI=mongodb, PHARMAPILOT_REDIS_URL=redis):
            ready = stack.enter_context(demo.deployment(settings))
        _fill(redis)
        followed: list[str] = []
        address = stack.enter_context(serving(lambda handler: _answer(handler, followed)))
        door = stack.enter_context(silent())
        yield World(ready["web"], ready["api"], mongodb, redis, urlsplit(address).netloc, door, followed)


@contextmanager
def _stores(folder: Path) -> Iterator[tuple[str, str]]:
    """MongoDB with an account, Redis with a password."""
    (folder / "cache").mkdir()
    with secantus(folder) as uri, opened(uri) as client:
        client.admin.command("createUser", "app", pwd=SECRETS[0], roles=["root"])
    options = ("--requirepass", SECRETS[1], "--repl-diskless-sync-delay", "0")
    with secantus(folder, "--auth") as uri, valkey(folder / "cache", *options) as url:
        yield (
            f"{uri.replace('//', f'//app:{SECRETS[0]}@')}/?authSource=admin",
            url.replace("//", f"//:{SECRETS[1]}@"),
        )


def _fill(redis: str) -> None:
    """Something that a backup can lose."""
    from redis import Redis

    with Redis.from_url(redis) as cache:
        cache.mset({f"patient:{number}": secrets.token_bytes(400) for number in range(KEYS)})


def _answer(handler: BaseHTTPRequestHandler, followed: list[str]) -> None:
    """The status that the path begins with; where a redirect leads to, everything is fine."""
    received(handler)
    code = handler.path.split("/")[1]
    if code == "elsewhere":
        followed.append(handler.command)
        send_json(handler, HTTPStatus.OK, {})
        return
    send(handler, int(code), "", {"Location": "/elsewhere"})


def contents(world: World) -> Mapping[str, str]:
    """What the real stores hold: each collection and Redis database with its count and a digest."""
    from redis import Redis

    found: dict[str, str] = {}
    with opened(world.mongodb) as client:
        for name in client.list_database_names():
            for collection in [] if name in _INTERNAL else client[name].list_collection_names():
                raw = client[name][collection].find_raw_batches({}, batch_size=500)
                found[f"{name}.{collection}"] = _digest([b"".join(raw)], client[name][collection])
    with Redis.from_url(world.redis) as cache:
        keys = sorted(cache.scan_iter(count=1000))
        found["redis"] = f"{len(keys)} keys " + _hash([key + (cache.dump(key) or b"") for key in keys])
    return found


def _digest(data: list[bytes], collection: Any) -> str:
    indexes = sorted(index["name"] for index in collection.list_indexes())
    return f"{collection.count_documents({})} documents {_hash(data)} {' '.join(indexes)}"


def _hash(data: list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in data:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


def marked(mark: str, folder: Path) -> list[str]:
    """The processes that descend from a run, whoever their parent is by now.

    Their environment says so, or, where a server has written its title over that, the folder they work in.
    """
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            works_in = (path / "cwd").readlink()
            has_mark = f"{MARK}={mark}\0".encode() in (path / "environ").read_bytes()
            if has_mark or works_in.is_relative_to(folder):
                words = (path / "cmdline").read_bytes().split(b"\0")
                found.append(f"process {path.name} ({b' '.join(words).decode()[:60].strip()})")
        except OSError:  # it has ended
            continue
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    """Path -> content of everything below a folder; that of a folder is empty."""
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in paths}


@contextmanager
def small_disk(at: Path, size: str) -> Iterator[None]:
    """A file system of so many bytes, in memory; only root may have it."""
    at.mkdir(parents=True, exist_ok=True)
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "rampgate-proof", str(at)]
    subprocess.run(mounted, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)
