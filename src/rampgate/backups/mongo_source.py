"""The databases that are backed up: which, how large, what collections with which indexes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.backups.documents import Content, split
from rampgate.backups.progress import StoreError
from rampgate.errors import ProbeError
from rampgate.probes.store_words import cut, missing, redactor_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pymongo import MongoClient
    from pymongo.database import Database

    from rampgate.backups.progress import Progress

    Document = dict[str, Any]

BATCH = 500
"""Documents per batch; with documents of ordinary size some hundred kilobytes."""
_INTERNAL = {"admin", "local", "config"}
_UNAUTHORIZED = {13, 18}
_LATER_MS = 250
"""A server is looked for a little longer than for connecting: else nobody knows yet why there is none."""


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


@contextmanager
def connected(uri: str, timeout_s: float, answer_s: float) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client of a server.

    Args:
        uri: where; account and TLS are in it.
        timeout_s: for finding the server and connecting.
        answer_s: for each answer.

    Raises:
        ProbeError: pymongo is missing, or the address is none.
        StoreError: whatever the server did not do, in the context too.
    """
    try:
        import pymongo
        from pymongo.errors import ConfigurationError, PyMongoError
    except ImportError as error:
        raise missing("pymongo") from error
    safe, ms = redactor_of(uri), max(1, round(timeout_s * 1000))
    try:
        client: MongoClient[dict[str, Any]] = pymongo.MongoClient(
            uri,
            appname="rampgate",
            serverSelectionTimeoutMS=ms + _LATER_MS,
            connectTimeoutMS=ms,
            socketTimeoutMS=max(1, round(answer_s * 1000)),
        )
    except (ConfigurationError, ValueError) as error:
        raise ProbeError(f"the MongoDB address cannot be used: {cut(safe, error)}") from None
    with client:
        try:
            client.admin.command("ping")
            yield client
        except PyMongoError as error:
            refused = getattr(error, "code", None) in _UNAUTHORIZED
            what = "refuses the account" if refused else "failed" if client.nodes else "does not answer"
            raise StoreError(f"MongoDB {what}: {cut(safe, error)}") from None


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
    told = ", ".join(there) or "none"
    if absent := [name for name in names if name not in there]:
        raise ProbeError(f"backups.databases: found {absent[0]!r}; accepted are those of the server: {told}")
    if not names:
        raise ProbeError("there is no database to back up")
    return names


def described(database: Database[dict[str, Any]]) -> list[Collection]:
    """The collections of a database, without those that the server keeps for itself.

    Raises:
        ProbeError: there is a time series, which cannot be written back document by document.
    """
    found = []
    for told in sorted(database.list_collections(), key=lambda told: str(told["name"])):
        name, kind = told["name"], told.get("type", "collection")
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
        identity = told.get("info", {}).get("uuid")
        found.append(Collection(database.name, name, kind, dict(told.get("options", {})), indexes, identity))
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
    seen = Content()
    for batch in raw_batches(database, name):
        seen.add(split(batch))
        progress.at(f"{database.name}.{name}: {seen.documents:,} documents read")
    return seen
