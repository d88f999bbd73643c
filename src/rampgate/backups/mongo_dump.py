"""A dump of MongoDB in mongodump's layout, with a manifest of what was in it when it was read.

The manifest's counts and fingerprints are taken from the documents as they pass by, so that what is written
to the collections meanwhile is no difference. A dump by pymongo is no snapshot of one moment, and says so.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.backups import files, mongo_source, mongo_tool
from rampgate.backups.documents import Content, file_name, split
from rampgate.backups.progress import Taken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pymongo import MongoClient

    from rampgate.backups.mongo_source import Collection
    from rampgate.backups.progress import Progress

SCHEMA = 1
NO_SNAPSHOT = (
    "each collection as it was while it was read, one after another: no snapshot of one moment "
    "(mongodump --oplog on a replica set makes one)"
)
_ANSWER_S = 60.0


@dataclass(frozen=True)
class MongoSource:
    """What is backed up.

    Args:
        uri: of the server; its password is seen by nobody.
        databases: by name; empty: the one that the URI names, else all.
        scratch_prefix: of databases that are ours, and no data.
        timeout_s: for finding the server and connecting.
    """

    uri: str = field(repr=False)
    databases: Sequence[str] = ()
    scratch_prefix: str = "rampgate_scratch_"
    timeout_s: float = 3.0


def take(source: MongoSource, target: Path, progress: Progress) -> Taken:
    """Write a backup.

    Args:
        source: what.
        target: its folder, which must not exist.
        progress: tells how far it is.

    Raises:
        ProbeError: it cannot be written, or not in time; nothing of it stays.
        StoreError: MongoDB does not answer, refuses, or fails; likewise.
    """
    begun = progress.clock.now()
    answer_s = min(_ANSWER_S, progress.left_s)
    with mongo_source.connected(source.uri, source.timeout_s, answer_s) as client:
        names = mongo_source.databases(client, source.databases, source.scratch_prefix)
        listed = [found for name in names for found in mongo_source.described(client[name])]
        with files.new_folder(target, mongo_source.size(client, names)) as folder:
            if tool := shutil.which("mongodump"):
                by = mongo_tool.version(tool)
                sums, contents, notes = mongo_tool.dump(tool, source.uri, client, listed, folder, progress)
            else:
                by, notes = "pymongo", []
                sums, contents = _dump(client, listed, folder, progress)
            notes += _drift(client, listed, contents)
            about = {"taken_at": begun, "by": by, "server": _server(client), "notes": notes}
            sums[files.MANIFEST] = _write_manifest(folder, about, listed, contents)
            files.write_sums(folder, sums)
        return Taken(
            target,
            files.size_of(target),
            progress.seconds,
            sum(content.documents for content in contents.values()),
            tuple(notes),
            {"by": by, "databases": names, "collections": len(listed), "files": len(sums) + 1},
        )


def _server(client: MongoClient[dict[str, Any]]) -> str:
    host, port = next(iter(sorted((node[0], node[1]) for node in client.nodes)), ("unknown", None))
    return f"{host}:{port}"


def _dump(
    client: MongoClient[dict[str, Any]], listed: Sequence[Collection], folder: Path, progress: Progress
) -> tuple[dict[str, str], dict[str, Content]]:
    """Write each collection's documents and description; the hashes of the files, what was in them."""
    sums: dict[str, str] = {}
    contents: dict[str, Content] = {}
    for found in listed:
        (folder / found.database).mkdir(mode=0o700, exist_ok=True)
        stem = f"{found.database}/{file_name(found.name)}"
        if found.kind == "collection":
            database = client[found.database]
            expected, seen = database[found.name].estimated_document_count(), Content()
            with files.NewFile(folder / f"{stem}.bson") as file:
                for batch in mongo_source.raw_batches(database, found.name):
                    file.write(batch)
                    seen.add(split(batch))
                    progress.at(f"{found.full_name}: {seen.documents:,} of about {expected:,} documents")
            sums[f"{stem}.bson"], contents[found.full_name] = file.sha256, seen
        with files.NewFile(folder / f"{stem}.metadata.json") as file:
            file.write(_metadata(found).encode())
        sums[f"{stem}.metadata.json"] = file.sha256
    return sums, contents


def _metadata(found: Collection) -> str:
    """What mongorestore wants to know of a collection."""
    told = {
        "options": _plain(found.options),
        "indexes": _plain(list(found.indexes)),
        "collectionName": found.name,
        "type": found.kind,
    }
    identity = {} if found.identity is None else {"uuid": bytes(found.identity).hex()}
    return json.dumps({**told, **identity})


def _plain(data: Any) -> Any:
    """BSON as JSON that keeps every type (canonical extended JSON)."""
    from bson import json_util

    return json.loads(json_util.dumps(data, json_options=json_util.CANONICAL_JSON_OPTIONS))


def _drift(
    client: MongoClient[dict[str, Any]], listed: Sequence[Collection], contents: Mapping[str, Content]
) -> list[str]:
    """Collections whose number of documents is another at the end of the dump: written to, not damaged."""
    notes = []
    for found in listed:
        if found.kind == "collection":
            dumped = contents[found.full_name].documents
            now = client[found.database][found.name].estimated_document_count()
            if now != dumped:
                notes.append(
                    f"{found.full_name} was written to meanwhile: {dumped:,} documents dumped, {now:,} now"
                )
    return notes


def _write_manifest(
    folder: Path, about: Mapping[str, Any], listed: Sequence[Collection], contents: Mapping[str, Content]
) -> str:
    """Write what the dump is and holds; the hash of the file."""

    def told(found: Collection) -> dict[str, Any]:
        seen = contents.get(found.full_name, Content())
        return {
            "database": found.database,
            "name": found.name,
            "kind": found.kind,
            "options": _plain(found.options),
            "indexes": _plain(list(found.indexes)),
            "documents": seen.documents,
            "bytes": seen.size,
            "fingerprint": seen.fingerprint,
        }

    manifest = {
        "schema": SCHEMA,
        "store": "mongodb",
        **about,
        "point_in_time": False,
        "consistency": NO_SNAPSHOT,
        "fingerprint": "sum of the SHA-256 of each document's BSON, modulo 2^256",
        "collections": [told(found) for found in listed],
    }
    with files.NewFile(folder / files.MANIFEST) as file:
        file.write(json.dumps(manifest, indent=1).encode())
    return file.sha256
