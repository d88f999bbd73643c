"""What a watch remembers, in one file that survives a kill at any moment.

A round is one transaction: what was read, where each threshold stands, and what must be said about it. What
must be said lies in an outbox until it is: a line of the journal has its number from the beginning, so that
it is written once; an alert is sent by a process that notes by itself whether it was.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.config.in_force import state_file
from rampgate.io.database import Database

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rampgate.config.settings import Settings

VERSION = 1
DAMAGED = " (move it away, and the watch begins anew)"
_SCHEMA = """
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE blocks (
  test TEXT NOT NULL, number INTEGER NOT NULL, block TEXT NOT NULL, PRIMARY KEY (test, number));
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'pending', process INTEGER, why TEXT NOT NULL DEFAULT '');
"""
RECORD, ALERT = "record", "alert"
PENDING, SENDING, DONE, FAILED = "pending", "sending", "done", "failed"


def file_of(settings: Settings) -> Path:
    """The file in which a watch of this target and environment remembers."""
    return state_file(settings, "watch")


class Entry(NamedTuple):
    """Something that must be said.

    Args:
        id: its number.
        kind: RECORD of the journal, or ALERT.
        body: plain JSON.
        status: PENDING, SENDING, DONE or FAILED.
        process: who sends it, None where nobody does.
    """

    id: int
    kind: str
    body: dict[str, Any]
    status: str
    process: int | None


class WatchState(Database):
    """The file of one watch; see ``Database``.

    Args:
        path: the file.
        new: whether it is made when it is not there.
    """

    def __init__(self, path: Path, *, new: bool = True) -> None:
        super().__init__(path, _SCHEMA, VERSION, DAMAGED, new=new)

    def get(self, key: str) -> Any:
        """What is kept under a name, None where nothing is."""
        rows = self.read("SELECT value FROM state WHERE key = ?", key)
        return json.loads(rows[0][0]) if rows else None

    def put(self, key: str, value: Any) -> None:
        """Keep plain JSON under a name."""
        self.connection.execute(
            "INSERT INTO state VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, json.dumps(value)),
        )

    def forget(self, kept: str) -> None:
        """Begin anew: nothing is remembered but what is still to be sent, and what lies under this key."""
        self.connection.execute("DELETE FROM state WHERE key != ?", (kept,))
        self.connection.execute("DELETE FROM blocks")
        self.connection.execute("DELETE FROM outbox WHERE status IN (?, ?)", (DONE, FAILED))

    def add_block(self, test: str, block: list[Any]) -> None:
        """Keep what one more round has counted for a test."""
        self.connection.execute(
            "INSERT INTO blocks SELECT ?, COALESCE(MAX(number), -1) + 1, ? FROM blocks WHERE test = ?",
            (test, json.dumps(block), test),
        )

    def blocks(self, test: str) -> list[list[Any]]:
        """All that was counted for a test, in its order."""
        found = self.read("SELECT block FROM blocks WHERE test = ? ORDER BY number", test)
        return [json.loads(row[0]) for row in found]

    def say(self, kind: str, body: Mapping[str, Any]) -> None:
        """Put something into the outbox."""
        self.connection.execute("INSERT INTO outbox (kind, body) VALUES (?, ?)", (kind, json.dumps(body)))

    def unsaid(self, kind: str) -> list[Entry]:
        """What of a kind is still in the outbox, in its order."""
        found = self.read(
            "SELECT id, kind, body, status, process FROM outbox "
            "WHERE kind = ? AND status IN (?, ?) ORDER BY id",
            *(kind, PENDING, SENDING),
        )
        return [Entry(number, what, json.loads(body), *rest) for number, what, body, *rest in found]

    def mark(self, number: int, status: str, process: int | None = None, why: str = "") -> None:
        """Note what became of something in the outbox; of a record that is written nothing is kept."""
        self.connection.execute(
            "UPDATE outbox SET status = ?, process = ?, why = ? WHERE id = ?", (status, process, why, number)
        )
        self.connection.execute("DELETE FROM outbox WHERE status = ? AND kind = ?", (DONE, RECORD))

    def starts(self, entry: Entry) -> bool:
        """Mark a message as one that is sent now; False where its state is not what it was."""
        found = self.connection.execute(
            "UPDATE outbox SET status = ?, process = NULL WHERE id = ? AND status = ? AND process IS ?",
            (SENDING, entry.id, entry.status, entry.process),
        )
        return found.rowcount == 1

    def claim(self, number: int, process: int) -> bool:
        """Whether a process is the first that sends a message."""
        found = self.connection.execute(
            "UPDATE outbox SET process = ? WHERE id = ? AND status = ? AND process IS NULL",
            (process, number, SENDING),
        )
        return found.rowcount == 1

    def failed(self) -> list[tuple[str, str]]:
        """Of each message that was not delivered its channel, and why."""
        found = self.read("SELECT body, why FROM outbox WHERE status = ? ORDER BY id", FAILED)
        return [(json.loads(body)["channel"], why) for body, why in found]
