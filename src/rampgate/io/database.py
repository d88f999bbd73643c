"""A file of SQLite that survives a kill at any moment, and is put back when somebody removes it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Self

from rampgate.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def looked_up(path: Path, statement: str, *values: Any) -> list[Any]:
    """The rows that a statement finds in a file that is only looked at: nothing is made or written.

    Raises:
        EvidenceError: it is not there, or cannot be read.
    """
    try:
        where = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(where, uri=True, timeout=30.0)) as database:
            return database.execute(statement, values).fetchall()
    except sqlite3.Error as error:
        raise EvidenceError(f"{path}: cannot be read: {error}") from None


class Database:
    """One file. A context manager.

    Args:
        path: the file.
        schema: the statements that make its tables.
        version: of the schema.
        damaged: what is said beside the news that it is damaged: what to do then.
        new: whether it is made when it is not there.

    Raises:
        EvidenceError: it cannot be read or made, or is of a newer version of rampgate.
    """

    def __init__(self, path: Path, schema: str, version: int, damaged: str, *, new: bool = True) -> None:
        self.path = path
        self._schema, self._version, self._damaged = schema, version, damaged
        self._open(new=new)

    def _open(self, *, new: bool) -> None:
        path = self.path
        try:
            if new:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | (new and os.O_CREAT), 0o600))
            self.connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = FULL")
            with self.transaction():
                (version,) = self.connection.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    for statement in filter(str.strip, self._schema.split(";")):
                        self.connection.execute(statement)
                    self.connection.execute(f"PRAGMA user_version = {self._version}")
            self._opened = self._there()
        except (OSError, sqlite3.Error) as error:
            damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(
                error, sqlite3.OperationalError
            )
            hint = self._damaged if damaged else ""
            raise EvidenceError(f"{path}: cannot be read or written: {error}{hint}") from None
        if version > self._version:
            self.close()
            raise EvidenceError(f"{path}: is of a newer rampgate (version {version}, here {self._version})")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def _there(self) -> list[tuple[int, int]]:
        """Which files have our names now."""
        files = [path for path in (self.path, self._beside("-wal")) if path.exists()]
        return [(found.st_dev, found.st_ino) for found in map(os.stat, files)]

    def _beside(self, end: str) -> Path:
        return self.path.with_name(self.path.name + end)

    def put_back(self) -> bool:
        """Write the file anew where somebody has removed or replaced it; whether that was so.

        Raises:
            EvidenceError: it cannot be written.
        """
        fresh = self._beside(f"-{os.getpid()}")
        try:
            if self._there() == self._opened:
                return False
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            self.connection.execute("VACUUM INTO ?", (str(fresh),))
            fresh.chmod(0o600)
            for end in ("-wal", "-shm"):
                self._beside(end).unlink(missing_ok=True)
            fresh.replace(self.path)
        except (OSError, sqlite3.Error) as error:
            raise EvidenceError(
                f"{self.path}: was removed or replaced, and cannot be written: {error}"
            ) from None
        self.close()
        self._open(new=False)
        return True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written meanwhile is written together, or not at all.

        Raises:
            EvidenceError: it cannot be written: a full disk, another writer for half a minute.
        """
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise EvidenceError(f"{self.path}: cannot be written: {error}") from None

    def read(self, statement: str, *values: Any) -> list[Any]:
        """The rows that a statement finds.

        Raises:
            EvidenceError: they cannot be read: damaged pages.
        """
        try:
            with closing(self.connection.execute(statement, values)) as found:
                return found.fetchall()
        except sqlite3.Error as error:
            raise EvidenceError(f"{self.path}: cannot be read: {error}{self._damaged}") from None
