"""A dump of MongoDB in mongodump's layout, with a manifest of what was in it when it was read.

The manifest's counts and fingerprints are taken from the documents as they pass by, so that what is written
to the collections meanwhile is no difference. A dump by pymongo is no snapshot of one moment, and says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.backups import files, mongo_source
from rampgate.backups.content import Content
from rampgate.backups.mongo_source import as_json
from rampgate.backups.mongo_writers import writer_for
from rampgate.backups.progress import Taken
from rampgate.io import stores

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


@dataclass(frozen=True)
class MongoSource:
    """What is backed up.

    Args:
        uri: of the server; its password stays out of every text.
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
        progress: shows how far it is.

    Raises:
        ProbeError: it cannot be written, or not in time; nothing of it stays.
        StoreError: MongoDB does not answer, refuses, or fails; likewise.
    """
    begun, writer = progress.clock.now(), writer_for(source.uri)
    with stores.mongodb(source.uri, timeout_s=source.timeout_s, answer_s=progress.answer_s) as client:
        names = mongo_source.databases(client, source.databases, source.scratch_prefix)
        listed = [found for name in names for found in mongo_source.described(client[name])]
        with files.new_folder(target, mongo_source.size(client, names)) as folder:
            dumped = writer.dump(client, listed, folder, progress)
            sums, notes = dumped.sums, dumped.notes + _drift(client, listed, dumped.contents)
            about = {"taken_at": begun, "by": writer.name, "server": _server(client), "notes": notes}
            sums[files.MANIFEST] = _write_manifest(folder, about, listed, dumped.contents)
            files.write_sums(folder, sums)
        return Taken(
            target,
            files.size_of(target),
            progress.seconds,
            sum(content.documents for content in dumped.contents.values()),
            tuple(notes),
            {"by": about["by"], "databases": names, "collections": len(listed), "files": len(sums) + 1},
        )


def _server(client: MongoClient[dict[str, Any]]) -> str:
    host, port = next(iter(sorted((node[0], node[1]) for node in client.nodes)), ("unknown", None))
    return f"{host}:{port}"


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
    collections = []
    for found in listed:
        content = contents.get(found.full_name, Content())
        collections.append(
            {
                "database": found.database,
                "name": found.name,
                "kind": found.kind,
                "options": as_json(found.options),
                "indexes": as_json(list(found.indexes)),
                "documents": content.documents,
                "bytes": content.size,
                "fingerprint": content.fingerprint,
            }
        )
    manifest = {
        "schema": SCHEMA,
        "store": "mongodb",
        **about,
        "point_in_time": False,
        "consistency": NO_SNAPSHOT,
        "fingerprint": "sum of the SHA-256 of each document's BSON, modulo 2^256",
        "collections": collections,
    }
    with files.NewFile(folder / files.MANIFEST) as file:
        file.write(json.dumps(manifest, indent=1).encode())
    return file.sha256
