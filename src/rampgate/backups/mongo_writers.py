"""Who writes a dump of MongoDB: mongodump where it is installed, else pymongo; both alike to use.

mongodump says nothing of what it read. So each collection is hashed before and after: what did not change
meanwhile must be in its files exactly.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from rampgate.backups import files, mongo_source, tools
from rampgate.backups.content import BrokenFileError, Content, file_name, read, split, stem_of
from rampgate.errors import ProbeError
from rampgate.io.guard import bracketed
from rampgate.io.process import run
from rampgate.io.stores import redactor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymongo import MongoClient

    from rampgate.backups.mongo_source import Collection
    from rampgate.backups.progress import Progress
    from rampgate.io.guard import Guard

    Client: TypeAlias = MongoClient[dict[str, Any]]
    Writer: TypeAlias = Callable[[Client, Sequence[Collection], Path, Progress], "Dumped"]

_VERSION_S = 10.0
_NAMED = re.compile(r"^mongodb\+srv:|[?&](?:tls|ssl)(?:=true|\w)", re.IGNORECASE)
_PORT = 27017
_MEMBERS = re.compile(r"&?(?:replicaSet|directConnection|loadBalanced)=[^&]*", re.IGNORECASE)
"""What says how to find further members of a set."""


@dataclass(slots=True)
class Dumped:
    """What was written.

    Args:
        sums: relative path of a file -> its sha256.
        contents: ``database.collection`` -> what is in its file.
        notes: sentences for the reader.
    """

    sums: dict[str, str] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def writer_for(uri: str, guard: Guard) -> tuple[str, Writer]:
    """Who writes the dump of a server on this machine: what it is, with its version where it has one.

    The writer takes a client of the server, its collections, the folder to write into, and progress.
    mongodump would look names up by itself, members of a set too. So it is given the one address that the
    client uses, and nothing where a name is needed: for TLS, or for SRV records.

    Raises:
        ProbeError: by the writer: it failed, or what it wrote is not what the server holds.
    """
    program = None if _NAMED.search(uri) else shutil.which("mongodump")
    return (
        (_version(program), partial(_mongodump, program, (uri, guard))) if program else ("pymongo", _pymongo)
    )


def _pymongo(client: Client, listed: Sequence[Collection], folder: Path, progress: Progress) -> Dumped:
    """Read each collection once, and hash its documents as they pass by."""
    dumped = Dumped()
    for found in listed:
        (folder / found.database).mkdir(mode=0o700, exist_ok=True)
        stem = f"{found.database}/{file_name(found.name)}"
        if found.kind == "collection":
            database = client[found.database]
            expected, content = database[found.name].estimated_document_count(), Content()
            with files.NewFile(folder / f"{stem}.bson") as file:
                for batch in mongo_source.raw_batches(database, found.name):
                    file.write(batch)
                    content.add(split(batch))
                    progress.at(f"{found.full_name}: {content.documents:,} of about {expected:,} documents")
            dumped.sums[f"{stem}.bson"], dumped.contents[found.full_name] = file.sha256, content
        with files.NewFile(folder / f"{stem}.metadata.json") as file:
            file.write(_metadata(found).encode())
        dumped.sums[f"{stem}.metadata.json"] = file.sha256
    return dumped


def _metadata(found: Collection) -> str:
    """What mongorestore wants to know of a collection."""
    identity = {} if found.identity is None else {"uuid": bytes(found.identity).hex()}
    return json.dumps(
        {
            "options": mongo_source.as_json(found.options),
            "indexes": mongo_source.as_json(list(found.indexes)),
            "collectionName": found.name,
            "type": found.kind,
            **identity,
        }
    )


def _version(program: str) -> str:
    """The first line of what mongodump says of itself."""
    try:
        done = run([program, "--version"], timeout_s=_VERSION_S, env=os.environ)
    except (OSError, subprocess.TimeoutExpired):
        return "mongodump"
    return (done.stdout.splitlines() or ["mongodump"])[0].strip()


def _mongodump(
    program: str,
    reach: tuple[str, Guard],
    client: Client,
    listed: Sequence[Collection],
    folder: Path,
    progress: Progress,
) -> Dumped:
    """Let mongodump write, which gets the address in a private file."""
    uri, guard = reach
    before, (host, port) = _contents(client, listed, progress), _server(client)
    address = direct(uri, guard.resolve(host)[0], port or _PORT)
    with tempfile.TemporaryDirectory(prefix="rampgate-") as private:
        config = Path(private) / "mongodump.yaml"
        with files.NewFile(config) as file:
            file.write(f"uri: {json.dumps(address)}\n".encode())
        for name in dict.fromkeys(found.database for found in listed):
            command = [program, f"--config={config}", f"--db={name}", f"--out={folder}"]
            tools.run(command, redactor_of(uri), progress, folder)
    dumped = Dumped(_flushed(folder), _read_back(listed, folder))
    after = _contents(client, listed, progress)
    for full_name, content in dumped.contents.items():
        if before[full_name] != after[full_name]:
            dumped.notes.append(f"{full_name} was written to meanwhile: not compared with the server")
        elif content != before[full_name]:
            raise ProbeError(
                f"{program}: {full_name} holds {before[full_name].documents:,} documents that did "
                f"not change meanwhile, and what was dumped is different: {content.documents:,}"
            )
    return dumped


def _server(client: Client) -> tuple[str, int | None]:
    """The server that the client uses; of several routers, one of them."""
    from pymongo.errors import InvalidOperation

    try:
        return client.address or min(client.nodes)
    except InvalidOperation:
        return min(client.nodes)


def direct(uri: str, address: str, port: int) -> str:
    """The URI of this one server, whatever members its set has.

    Without its database, which may not stand beside --db; the account's database stays.
    """
    parts = urlsplit(uri)
    account, _, _ = parts.netloc.rpartition("@")
    database, query = parts.path.lstrip("/"), _MEMBERS.sub("", parts.query).lstrip("&")
    if database and "@" in parts.netloc and "authsource=" not in query.lower():
        query = f"{query}&authSource={database}".lstrip("&")
    server = f"{bracketed(address)}:{port}"
    netloc = f"{account}@{server}" if account else server
    return urlunsplit((parts.scheme, netloc, "/", f"{query}&directConnection=true".lstrip("&"), ""))


def _contents(client: Client, listed: Sequence[Collection], progress: Progress) -> dict[str, Content]:
    return {
        found.full_name: mongo_source.content(client[found.database], found.name, progress)
        for found in listed
        if found.kind == "collection"
    }


def _read_back(listed: Sequence[Collection], folder: Path) -> dict[str, Content]:
    """What the files hold."""
    contents = {}
    for found in listed:
        if found.kind == "collection":
            inside = folder / found.database
            path = inside / f"{stem_of(inside, found.name)}.bson"
            contents[found.full_name] = content = Content()
            try:
                content.add(read(path))
            except FileNotFoundError:
                raise ProbeError(f"mongodump wrote no {path.name} for {found.full_name}") from None
            except BrokenFileError as error:
                raise ProbeError(f"mongodump wrote {path.name}, which {error}") from None
    return contents


def _flushed(folder: Path) -> dict[str, str]:
    """Flush every file, and its hash."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): files.flushed(path) for path in paths}
