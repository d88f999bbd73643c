"""A backup of Redis: the snapshot (RDB) that a replica would get, by redis-cli or by ourselves."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.backups import files, redis_source, redis_wire, tools
from rampgate.backups.progress import StoreError, Taken
from rampgate.errors import ProbeError
from rampgate.probes.store_words import cut, redactor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.backups.progress import Progress

SCHEMA = 1
SNAPSHOT = "dump.rdb"
_CLIENTS = ("valkey-cli", "redis-cli")
_OVER_DISK = "Redis wrote the snapshot to its own disk first (repl-diskless-sync no), as its dbfilename"


@dataclass(frozen=True)
class RedisSource:
    """What is backed up.

    Args:
        url: of the server; its password is seen by nobody.
        timeout_s: for connecting.
    """

    url: str = field(repr=False)
    timeout_s: float = 3.0


def take(source: RedisSource, target: Path, progress: Progress) -> Taken:
    """Write a backup.

    Args:
        source: what.
        target: its folder, which must not exist.
        progress: tells how far it is.

    Raises:
        ProbeError: it cannot be written, or not in time; nothing of it stays.
        StoreError: Redis does not answer, refuses, or breaks off; likewise.
    """
    begun, place, waited = progress.clock.now(), redis_source.place_of(source.url), progress.seconds
    with redis_source.connected(source.url, source.timeout_s, redis_source.answer_s(progress)) as client:
        about = redis_source.info(client)
    if about.get("redis_mode") == "cluster":
        raise ProbeError("redis.url is a node of a cluster: a backup of it holds only a part of the data")
    memory = int(about.get("used_memory", 0))
    with files.new_folder(target, memory) as folder:
        program = next(filter(None, map(shutil.which, _CLIENTS)), None)
        notes: list[str] = []
        if program:
            digest = _by_client(program, source.url, place, folder, progress)
        else:
            digest, notes = _by_protocol(source, place, folder, progress)
        by = Path(program).name + " --rdb" if program else "the replication protocol"
        keys = {f"db{number}": keys for number, (keys, _) in redis_source.keyspace(about).items()}
        manifest = {
            "schema": SCHEMA,
            "store": "redis",
            "taken_at": begun,
            "by": by,
            "server": redis_source.name_of(about),
            "used_memory": memory,
            "keys_just_before": keys,
            "point_in_time": True,
            "consistency": "a snapshot of one moment after taken_at",
        }
        with files.NewFile(folder / files.MANIFEST) as file:
            file.write(json.dumps(manifest, indent=1).encode())
        files.write_sums(folder, {SNAPSHOT: digest, files.MANIFEST: file.sha256})
    details = {"by": by, "server": manifest["server"], "keys_just_before": keys}
    seconds = progress.seconds - waited
    return Taken(target, files.size_of(target), seconds, sum(keys.values()), tuple(notes), details)


def _by_client(program: str, url: str, place: Mapping[str, Any], folder: Path, progress: Progress) -> str:
    """Let redis-cli write the snapshot; its hash."""
    command = [program, "--rdb", str(folder.resolve() / SNAPSHOT), *_options(place)]
    secret = place.get("password", "")
    environ = {**os.environ, "REDISCLI_AUTH": secret, "VALKEYCLI_AUTH": secret} if secret else None
    tools.run(command, redactor_of(url), progress, folder, environ)
    with (folder / SNAPSHOT).open("rb") as file:
        files.settle(file.fileno())
    return files.sha256_of(folder / SNAPSHOT)


def _options(place: Mapping[str, Any]) -> list[str]:
    """Where redis-cli connects to, without the password."""
    if "path" in place:
        options = ["-s", place["path"]]
    else:
        options = ["-h", place.get("host", "localhost"), "-p", str(place.get("port", 6379))]
    if place.get("username"):
        options += ["--user", place["username"]]
    if place["tls"]:
        options += ["--tls", "--sni", place.get("host", "localhost")]
        names = {"ssl_ca_certs": "--cacert", "ssl_ca_path": "--cacertdir"}
        names |= {"ssl_certfile": "--cert", "ssl_keyfile": "--key"}
        options += [part for key, name in names.items() if key in place for part in (name, place[key])]
        if place.get("ssl_cert_reqs") == "none":
            options.append("--insecure")
    return options


def _by_protocol(
    source: RedisSource, place: Mapping[str, Any], folder: Path, progress: Progress
) -> tuple[str, list[str]]:
    """Ask for the snapshot as a replica does, and write it; its hash, and notes."""
    with (
        redis_wire.connected(place, source.timeout_s, redis_source.answer_s(progress)) as wire,
        files.NewFile(folder / SNAPSHOT) as file,
    ):
        try:
            over_disk = wire.snapshot(
                file.write, lambda done: progress.at(f"{done / files.MEGABYTE:,.1f} MB received")
            )
        except StoreError as error:
            raise StoreError(f"Redis hands out no snapshot: {cut(redactor_of(source.url), error)}") from None
    return file.sha256, [_OVER_DISK] if over_disk else []
