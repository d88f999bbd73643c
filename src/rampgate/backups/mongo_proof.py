"""The proof of a MongoDB backup: read from disk, restored into scratch databases, compared.

It is compared with what was read while it was dumped, as the manifest says: a deployment goes on writing.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.backups import files, mongo_source
from rampgate.backups.content import BrokenFileError, Content, batches, read, stem_of
from rampgate.backups.progress import Proof
from rampgate.io import stores
from rampgate.io.stores import cut, redactor_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pymongo import MongoClient
    from pymongo.database import Database

    from rampgate.backups.progress import Progress
    from rampgate.config.predeploy import BackupSettings
    from rampgate.config.subjects import MongoSettings
    from rampgate.io.guard import Guard

_BATCH_BYTES = 4 << 20


def prove(
    folder: Path, store: MongoSettings, settings: BackupSettings, guard: Guard, progress: Progress
) -> Proof:
    """Restore a backup into scratch databases, compare, and drop them, whatever happens.

    Args:
        folder: of the backup.
        store: [mongodb].
        settings: [backups], which may name another server to restore into.
        guard: of where may be written.
        progress: shows how far it is.

    Raises:
        ProbeError: it took too long.
        StoreError: the scratch server does not answer, refuses, or fails.
    """
    wrong, checked = files.damaged(folder)
    proof = Proof(checked, wrong)
    if wrong:
        return proof
    described, uri = _read_manifest(folder, proof), settings.scratch_mongodb or store.uri
    proof.held = sum(int(entry["documents"]) for entry in described)
    with stores.mongodb(uri, timeout_s=store.timeout, answer_s=progress.left_s, guard=guard) as client:
        _name_leftovers(client, settings.scratch_prefix, proof)
        for name in dict.fromkeys(entry["database"] for entry in described):
            with _scratch_database(client, settings.scratch_prefix) as database:
                for entry in (entry for entry in described if entry["database"] == name):
                    _Restored(folder, entry, database, proof, progress, redactor_of(uri)).compare()
    return proof


def _read_manifest(folder: Path, proof: Proof) -> list[dict[str, Any]]:
    from bson import json_util

    try:
        manifest = json_util.loads((folder / files.MANIFEST).read_text(encoding="utf-8"))
        collections: list[dict[str, Any]] = manifest["collections"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        proof.differences.append(f"{files.MANIFEST} cannot be read: {error}")
        return []
    return collections


def _name_leftovers(client: MongoClient[dict[str, Any]], prefix: str, proof: Proof) -> None:
    left = [name for name in client.list_database_names() if name.startswith(prefix)]
    if left:
        proof.notes.append(f"{left[0]} is there: another run's, perhaps one's that was killed")


@contextmanager
def _scratch_database(client: MongoClient[dict[str, Any]], prefix: str) -> Iterator[Database[dict[str, Any]]]:
    """A database that does not outlive the context."""
    name = prefix + secrets.token_hex(6)
    try:
        yield client[name]
    finally:
        client.drop_database(name)


@dataclass(frozen=True)
class _Restored:
    """One collection, restored and compared.

    Args:
        folder: of the backup.
        entry: of the collection in the manifest.
        database: to restore into.
        proof: takes what is found.
        progress: shows how far it is.
        safe: takes secrets out of errors.
    """

    folder: Path
    entry: Mapping[str, Any]
    database: Database[dict[str, Any]]
    proof: Proof
    progress: Progress
    safe: Any

    @property
    def _name(self) -> str:
        return f"{self.entry['database']}.{self.entry['name']}"

    def _differs(self, text: str) -> None:
        self.proof.differences.append(f"{self._name}: {text}")

    def compare(self) -> None:
        """Restore from the files, and hold the result against the manifest."""
        from bson import json_util
        from bson.errors import InvalidBSON
        from pymongo.errors import OperationFailure

        inside = self.folder / self.entry["database"]
        stem = inside / stem_of(inside, self.entry["name"])
        path = stem.with_name(f"{stem.name}.metadata.json")
        try:
            metadata = json_util.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            self._differs(f"{path.name} cannot be read: {error}")
            return
        try:
            self._create(metadata)
            if self.entry["kind"] == "collection":
                if self._insert(stem.with_name(f"{stem.name}.bson")):
                    restored = mongo_source.content(self.database, self.entry["name"], self.progress)
                    self._same(restored, "come out of the backup")
                self.proof.compared += int(self.entry["documents"])
                # Only now: an index may be one that lets documents expire.
                self._build(metadata.get("indexes", []))
                self._compare_indexes()
            self._compare_options()
        except (BrokenFileError, InvalidBSON) as error:
            self._differs(f"{stem.name}.bson {error}")
        except OperationFailure as error:
            self._differs(f"cannot be restored: {cut(self.safe, error)}")

    def _create(self, metadata: Mapping[str, Any]) -> None:
        options = {key: value for key, value in metadata.get("options", {}).items() if key != "uuid"}
        self.database.command({"create": self.entry["name"], **options})

    def _insert(self, path: Path) -> bool:
        """Restore the documents of a file; whether they are those that were dumped, and all were taken."""
        from bson.raw_bson import RawBSONDocument
        from pymongo.errors import BulkWriteError

        target, found = self.database[self.entry["name"]], Content()
        for batch in batches(read(path), mongo_source.BATCH, _BATCH_BYTES):
            found.add(batch)
            try:
                target.insert_many(
                    [RawBSONDocument(document) for document in batch],
                    ordered=False,
                    bypass_document_validation=True,
                )
            except BulkWriteError as error:
                first: dict[str, Any] = next(iter(error.details.get("writeErrors", [])), {})
                self._differs(f"not every document can be written: {first.get('errmsg', error)}")
                return False
            done, wanted = found.documents, self.entry["documents"]
            self.progress.at(f"{self._name}: {done:,} of {wanted:,} documents restored")
        # A server may mend what is wrong in a file, such as the numbering of a list: both are compared.
        return self._same(found, f"are in {path.name}")

    def _same(self, found: Content, where: str) -> bool:
        """Whether documents are those that were dumped."""
        dumped = int(self.entry["documents"])
        if found.documents != dumped:
            self._differs(f"{dumped:,} documents were dumped, {found.documents:,} {where}")
        elif found.fingerprint != self.entry["fingerprint"]:
            self._differs(f"{dumped:,} documents were dumped, and as many others {where}")
        return (found.documents, found.fingerprint) == (dumped, self.entry["fingerprint"])

    def _build(self, indexes: list[dict[str, Any]]) -> None:
        wanted = [
            {key: value for key, value in index.items() if key != "ns"}
            for index in indexes
            if index["name"] != "_id_"
        ]
        if wanted:
            self.database.command({"createIndexes": self.entry["name"], "indexes": wanted})

    def _compare_indexes(self) -> None:
        wanted = {index["name"]: _plain(index) for index in self.entry["indexes"]}
        there = {index["name"]: _plain(index) for index in self.database[self.entry["name"]].list_indexes()}
        self.proof.compared += len(wanted)
        for name in sorted(wanted.keys() | there.keys()):
            if name not in there:
                self._differs(f"the index {name} is missing")
            elif name not in wanted:
                self._differs(f"the index {name} is new")
            elif wanted[name] != there[name]:
                self._differs(f"the index {name} is defined otherwise")

    def _compare_options(self) -> None:
        cursor = self.database.list_collections(filter={"name": self.entry["name"]})
        there = next(iter(cursor), None)
        self.proof.compared += 1
        if there is None:
            self._differs("is missing")
        elif dict(there.get("options", {})) != dict(self.entry["options"]):
            self._differs("its options (validator, collation, cap ...) are others")


def _plain(index: Mapping[str, Any]) -> dict[str, Any]:
    """An index's definition, comparable: only its key has an order."""
    kept = {key: value for key, value in index.items() if key not in {"ns", "v"}}
    return {**kept, "key": list(dict(kept["key"]).items())}
