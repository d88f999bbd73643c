"""What Redis holds before and after its backup and in the copy, key by key, in a file of our own.

A cache changes all the time. What was the same before and after must be the same in the copy; what was not
proves nothing. Memory stays flat: the digests are in SQLite, in a folder that only we can read.
"""

from __future__ import annotations

import math
import re
import sqlite3
import tempfile
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rampgate.backups import redis_source, redis_values
from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from rampgate.backups.progress import Progress

SAMPLE = 100_000
"""Keys whose values are compared; of more than that, an even sample by their names."""
BEFORE, AFTER, COPY = "before", "after", "copy"
_BATCH = 500
_SHOWN = 3
_SHOWN_CHARS = 60
SKEW_MS = 60_000
"""Clocks may differ by this much: a key that expires within it may be gone in the copy."""
_TELLING = re.compile(r"[0-9A-Za-z_-]{16,}|\d+")

_TABLE = """CREATE TABLE seen (pass TEXT, db INTEGER, key BLOB, digest BLOB, gone_at INTEGER,
            PRIMARY KEY (pass, db, key)) WITHOUT ROWID"""
_STEADY = """FROM seen b
             JOIN seen a ON a.pass = 'after' AND a.db = b.db AND a.key = b.key AND a.digest = b.digest
             LEFT JOIN seen c ON c.pass = 'copy' AND c.db = b.db AND c.key = b.key WHERE b.pass = 'before'"""
_CHANGED = """SELECT count(*) FROM (SELECT 1 FROM seen WHERE pass IN ('before', 'after')
              GROUP BY db, key HAVING count(*) = 1 OR count(DISTINCT digest) = 2)"""
_EXTRA = """FROM seen c WHERE c.pass = 'copy' AND NOT EXISTS (SELECT 1 FROM seen o
            WHERE o.pass IN ('before', 'after') AND o.db = c.db AND o.key = c.key)"""


class Keys:
    """The digests of three readings.

    As a context it raises ProbeError where they cannot be kept: the disk of temporary files is full.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.step = 1
        self.counts: dict[str, dict[int, tuple[int, int]]] = {}

    def __enter__(self) -> Self:
        try:
            with self._stack:
                folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="rampgate-"))
                self._table = sqlite3.connect(Path(folder) / "keys.sqlite", isolation_level=None)
                self._stack.callback(self._table.close)
                self._table.execute("PRAGMA synchronous = OFF")
                self._table.execute(_TABLE)
                self._stack = self._stack.pop_all()
        except (OSError, sqlite3.Error) as error:
            raise _not_kept(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if isinstance(error, sqlite3.Error):
            raise _not_kept(error) from None

    def read(self, name: str, url: str, timeout_s: float, progress: Progress) -> None:
        """Read all keys of a server, or the sample.

        Args:
            name: of the reading: BEFORE, AFTER or COPY.
            url: of the server.
            timeout_s: for connecting.
            progress: tells how far it is.

        Raises:
            StoreError: the server does not answer, refuses, or fails.
            ProbeError: it took too long.
        """
        with redis_source.connected(url, timeout_s, redis_source.answer_s(progress)) as client:
            self.counts[name] = redis_source.keyspace(redis_source.info(client))
        total = sum(keys for keys, _ in self.counts[name].values())
        if name == BEFORE:
            self.step = max(1, math.ceil(total / SAMPLE))
        done = 0
        for database in self.counts[name]:
            with redis_source.connected(url, timeout_s, redis_source.answer_s(progress), database) as client:
                for keys in self._batches(client):
                    now_ms = round(progress.clock.now() * 1000)
                    self._keep(name, database, redis_values.read(client, keys), now_ms)
                    done += len(keys)
                    progress.at(f"{name}: {done:,} of about {total // self.step:,} keys read")

    def _batches(self, client: Any) -> Iterator[list[bytes]]:
        """The keys of a database that belong to the sample; that a scan may name one twice is harmless."""
        cursor = 0
        kept: list[bytes] = []
        while True:
            answer, keys = client.execute_command("SCAN", cursor, "COUNT", _BATCH)
            kept += [key for key in keys if zlib.crc32(key) % self.step == 0]
            cursor = int(answer)
            while len(kept) >= _BATCH or (kept and not cursor):
                yield kept[:_BATCH]
                kept = kept[_BATCH:]
            if not cursor:
                return

    def _keep(self, name: str, database: int, read: list[tuple[bytes, bytes, int]], now_ms: int) -> None:
        rows = [
            (name, database, key, digest, now_ms + life if life >= 0 else None) for key, digest, life in read
        ]
        self._table.execute("BEGIN")
        self._table.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)", rows)
        self._table.execute("COMMIT")

    def _count(self, query: str, *values: object) -> int:
        return int(self._table.execute(query, values).fetchone()[0])

    @property
    def compared(self) -> int:
        """How many keys did not change and are in the copy."""
        return self._count(f"SELECT count(c.key) {_STEADY}")

    @property
    def changed(self) -> int:
        """How many keys were written, made or removed between the first reading and the second."""
        return self._count(_CHANGED)

    def differences(self, now_ms: int) -> list[str]:
        """What the copy lacks, has otherwise, or has and should not, one sentence each.

        Args:
            now_ms: when the copy was read; keys that expire by then, or soon after, may be gone.
        """
        gone = f"{_STEADY} AND c.key IS NULL AND (b.gone_at IS NULL OR b.gone_at > ?)"
        other = f"{_STEADY} AND c.digest != b.digest"
        told = self._told("missing in the copy", "b", gone, now_ms + SKEW_MS)
        told += self._told("with other content in the copy", "b", other)
        if not self.changed:
            told += self._told("in the copy, and never in Redis", "c", _EXTRA)
            told += self._counted_otherwise()
        return told

    def _told(self, what: str, table: str, query: str, *values: object) -> list[str]:
        if not (count := self._count(f"SELECT count(*) {query}", *values)):
            return []
        rows = self._table.execute(
            f"SELECT {table}.db, {table}.key {query} LIMIT {_SHOWN}",
            values,
        )
        names = ", ".join(f"db{database} {shown(key)}" for database, key in rows)
        return [f"{counted(count)} {what} ({names}{', ...' if count > _SHOWN else ''})"]

    def _counted_otherwise(self) -> list[str]:
        """Databases with another number of keys, where none expires and none changed."""
        before, after, copy = (self.counts.get(name, {}) for name in (BEFORE, AFTER, COPY))
        told = []
        for database in sorted(before.keys() | copy.keys()):
            (keys, expiring), found = before.get(database, (0, 0)), copy.get(database, (0, 0))[0]
            if not expiring and after.get(database, (0, 0)) == (keys, 0) and found != keys:
                told.append(f"db{database} has {counted(keys)}, its copy {found:,}")
        return told


def _not_kept(error: Exception) -> ProbeError:
    why = getattr(error, "strerror", None) or error
    return ProbeError(
        f"what Redis holds cannot be noted down: {why}; it needs some room for temporary files, "
        f"in {tempfile.gettempdir()} (or where TMPDIR says)"
    )


def counted(number: int) -> str:
    """So many keys."""
    return f"{number:,} key{'' if number == 1 else 's'}"


def shown(key: bytes) -> str:
    """A key's name without what may be a secret: numbers and long words are left out."""
    return repr(_TELLING.sub("*", key.decode(errors="replace"))[:_SHOWN_CHARS])
