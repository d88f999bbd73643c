"""A dump of MongoDB in mongodump's layout, with a manifest of what was in it when it was read.

The manifest's counts and fingerprints are taken from the documents as they pass by, so that what is written
to the collections meanwhile is no difference. A dump by pymongo is no snapshot of one moment, and says so.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rampgate.backups import files, mongo_source
from rampgate.backups.content import Content
from rampgate.backups.mongo_source import as_json
from rampgate.backups.mongo_writers import writer_for
from rampgate.backups.progress import Taken
from rampgate.io import stores
from rampgate.io.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pymongo import MongoClient

    from rampgate.backups.mongo_source import Collection
    from rampgate.backups.progress import Progress
    from rampgate.config.predeploy import BackupSettings
    from rampgate.config.subjects import MongoSettings

SCHEMA = 1
NO_SNAPSHOT = (
    "each collection as it was while it was read, one after another: no snapshot of one moment "
    "(mongodump --oplog on a replica set makes one)"
)


def take(
    store: MongoSettings,
    settings: BackupSettings,
    target: Path,
    progress: Progress,
    guard: Guard | None = None,
) -> Taken:
    """Write a backup.

    Args:
        store: [mongodb]; its password stays out of every text.
        settings: [backups], which name the databases.
        target: its folder, which must not exist.
        progress: shows how far it is.
        guard: of where may be connected to; None: to this machine.

    Raises:
        RefusedError: the guard refuses the server.
        ProbeError: it cannot be written, or not in time; nothing of it stays.
        StoreError: MongoDB does not answer, refuses, or fails; likewise.
    """
    begun, guard, answer_s = progress.clock.now(), guard or Guard(), progress.answer_s
    by, dump = writer_for(store.uri, guard)
    with stores.mongodb(store.uri, timeout_s=store.timeout, answer_s=answer_s, guard=guard) as client:
        names = mongo_source.databases(client, settings.databases, settings.scratch_prefix)
        listed = [found for name in names for found in mongo_source.described(client[name])]
        with files.new_folder(target, mongo_source.size(client, names)) as folder:
            dumped = dump(client, listed, folder, progress)
            sums, notes = dumped.sums, dumped.notes + _drift(client, listed, dumped.contents)
            about = {"taken_at": begun, "by": by, "server": _server(client), "notes": notes}
            sums[files.MANIFEST] = _write_manifest(folder, about, listed, dumped.contents)
            files.write_sums(folder, sums)
        details = {"by": by, "databases": names, "collections": len(listed), "files": len(sums) + 1}
        return Taken(progress.seconds, notes, details)


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
