"""The databases that are backed up: which, how large, what collections with which indexes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.backups.content import Content, split
from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pymongo import MongoClient
    from pymongo.database import Database

    from rampgate.backups.progress import Progress

    Document = dict[str, Any]

BATCH = 500
"""Documents per batch; with documents of ordinary size some hundred kilobytes."""
_INTERNAL = {"admin", "local", "config"}


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection or view as its server describes it.

    Args:
        database, name, kind: which; ``collection`` or ``view``.
        options: it was made with.
        indexes: as listIndexes gives them, in its order.
        identity: of the collection's incarnation (a UUID), None where the server gives none.
    """

    database: str
    name: str
    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    indexes: tuple[dict[str, Any], ...] = ()
    identity: Any = None

    @property
    def full_name(self) -> str:
        """``database.collection``."""
        return f"{self.database}.{self.name}"


def databases(client: MongoClient[dict[str, Any]], wanted: Sequence[str], scratch_prefix: str) -> list[str]:
    """The names of the databases to back up.

    Args:
        client: of the server.
        wanted: by the settings; empty: the one that the URI names, else all.
        scratch_prefix: of databases that are ours, and no data.

    Raises:
        ProbeError: one that is wanted is not there, or there is none.
    """
    from pymongo.errors import ConfigurationError

    there = [
        name
        for name in sorted(client.list_database_names())
        if name not in _INTERNAL and not name.startswith(scratch_prefix)
    ]
    try:
        named = [client.get_default_database().name]
    except ConfigurationError:  # the address names none
        named = []
    names = list(wanted) or named or there
    if absent := [name for name in names if name not in there]:
        accepted = ", ".join(there) or "none"
        raise ProbeError(
            f"backups.databases: found {absent[0]!r}; accepted are those of the server: {accepted}"
        )
    if not names:
        raise ProbeError("there is no database to back up")
    return names


def described(database: Database[dict[str, Any]]) -> list[Collection]:
    """The collections of a database, without those that the server keeps for itself.

    Raises:
        ProbeError: there is a time series, which cannot be written back document by document.
    """
    found = []
    for listed in sorted(database.list_collections(), key=lambda listed: str(listed["name"])):
        name, kind = listed["name"], listed.get("type", "collection")
        if name.startswith("system."):
            continue
        if kind not in {"collection", "view"}:
            raise ProbeError(
                f"{database.name}.{name} is a {kind}, which cannot be proven to be restorable; "
                "leave its database out with backups.databases, and back it up by other means"
            )
        indexes = (
            tuple(dict(index) for index in database[name].list_indexes()) if kind == "collection" else ()
        )
        identity = listed.get("info", {}).get("uuid")
        found.append(
            Collection(database.name, name, kind, dict(listed.get("options", {})), indexes, identity)
        )
    return found


def size(client: MongoClient[dict[str, Any]], names: Sequence[str]) -> int:
    """Bytes of the documents of databases, uncompressed as a dump holds them."""
    return sum(int(client[name].command("dbStats").get("dataSize", 0)) for name in names)


def raw_batches(database: Database[dict[str, Any]], name: str) -> Iterator[bytes]:
    """All documents of a collection as batches of raw BSON."""
    with database[name].find_raw_batches({}, batch_size=BATCH) as cursor:
        yield from cursor


def content(database: Database[dict[str, Any]], name: str, progress: Progress) -> Content:
    """What a collection holds now."""
    found = Content()
    for batch in raw_batches(database, name):
        found.add(split(batch))
        progress.at(f"{database.name}.{name}: {found.documents:,} documents read")
    return found


def as_json(data: Any) -> Any:
    """BSON as JSON that keeps every type (canonical extended JSON)."""
    from bson import json_util

    return json.loads(json_util.dumps(data, json_options=json_util.CANONICAL_JSON_OPTIONS))
