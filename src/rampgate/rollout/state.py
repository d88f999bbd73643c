"""What a rollout remembers, in one file that survives a kill at any moment.

Each change is a *step*: written before anything is touched, and once more with its effect. Whoever acts
holds the *lease*, whose token grows with each holder: it is compared just before each call of an actuator,
and stands beside it, so that a holder who was overtaken changes nothing more.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rampgate.errors import EvidenceError, ExitCode, RampgateError
from rampgate.io.database import Database
from rampgate.rollout.records import Holder, Rollout, Step, StepStatus

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
DAMAGED = " (what users have is what the flag service says; restore the file from a copy)"
_SCHEMA = """
CREATE TABLE rollouts (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
CREATE TABLE steps (
  id INTEGER PRIMARY KEY AUTOINCREMENT, rollout INTEGER NOT NULL, status TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE lease (
  one INTEGER PRIMARY KEY CHECK (one = 1), token INTEGER NOT NULL, holder TEXT NOT NULL DEFAULT '');
INSERT INTO lease VALUES (1, 0, '');
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class OvertakenError(RampgateError):
    """Somebody else has the lease now; nothing more may be changed."""

    exit_code = ExitCode.HOLD


class HeldError(RampgateError):
    """Somebody else is changing this rollout."""

    exit_code = ExitCode.HOLD


class RolloutState(Database):
    """The file of the rollouts of one target and environment; see ``Database``.

    Args:
        path: the file.
        new: whether it is made when it is not there.
    """

    def __init__(self, path: Path, *, new: bool = True) -> None:
        super().__init__(path, _SCHEMA, VERSION, DAMAGED, new=new)

    def current(self) -> Rollout | None:
        """The newest rollout, None where there was none."""
        rows = self.read("SELECT id, body FROM rollouts ORDER BY id DESC LIMIT 1")
        try:
            return Rollout.from_json(json.loads(rows[0][1]), rows[0][0]) if rows else None
        except (ValueError, TypeError, KeyError) as error:
            raise EvidenceError(f"{self.path}: is damaged: {error}{DAMAGED}") from None

    def steps(self) -> list[Step]:
        """Every step, in its order."""
        return [
            Step.from_json(json.loads(body), number)
            for number, body in self.read("SELECT id, body FROM steps ORDER BY id")
        ]

    def unfinished(self) -> Step | None:
        """The newest step that has come to no end, None where there is none."""
        statement = "SELECT id, body FROM steps WHERE status IN (?, ?) ORDER BY id DESC LIMIT 1"
        rows = self.read(statement, StepStatus.BEGUN.value, StepStatus.ACTED.value)
        return Step.from_json(json.loads(rows[0][1]), rows[0][0]) if rows else None

    def remove(self, rollout: Rollout) -> None:
        """Forget a rollout that never began, within a transaction; its steps stay."""
        self.connection.execute("DELETE FROM rollouts WHERE id = ?", (rollout.id,))

    def write(self, rollout: Rollout) -> Rollout:
        """Write a rollout as it is now, within a transaction; a new one gets its number."""
        values = (rollout.id or None, json.dumps(rollout.to_json()))
        found = self.connection.execute("INSERT OR REPLACE INTO rollouts VALUES (?, ?)", values)
        return replace(rollout, id=rollout.id or int(found.lastrowid or 0))

    def note(self, step: Step) -> Step:
        """Write how far a step has come, within a transaction; a new one gets its number."""
        values = (step.id or None, step.rollout, step.status.value, json.dumps(step.to_json()))
        found = self.connection.execute("INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?)", values)
        return replace(step, id=step.id or int(found.lastrowid or 0))

    def holder(self) -> Holder | None:
        """Who holds the lease, None where it is free."""
        ((text,),) = self.read("SELECT holder FROM lease")
        return Holder(*json.loads(text)) if text else None

    def take(self, holder: Holder, *, pre_empts: bool = False) -> tuple[int, Holder | None]:
        """Take the lease.

        Args:
            holder: this process, with what it does.
            pre_empts: whether a living holder is overtaken, as an emergency does.

        Returns:
            The token, and the living holder who was overtaken, None where there was none.

        Raises:
            HeldError: somebody holds it, and is named.
        """
        with self.transaction():
            before = self.holder()
            if before is not None and not before.alive(holder.at):
                before = None
            if before is not None and not pre_empts:
                raise HeldError(f"another command is at work: {before.described(holder.at)}")
            self.connection.execute("UPDATE lease SET token = token + 1, holder = ?", (json.dumps(holder),))
            ((token,),) = self.read("SELECT token FROM lease")
        return token, before

    def check(self, token: int) -> None:
        """Refuse whoever was overtaken.

        Raises:
            OvertakenError: another holder has the lease.
        """
        ((now, text),) = self.read("SELECT token, holder FROM lease")
        if now != token:
            by = f" by {Holder(*json.loads(text)).what}" if text else ""
            raise OvertakenError(f"overtaken{by}: nothing more is changed here")

    def renew(self, token: int, holder: Holder) -> None:
        """Note a sign of life.

        Raises:
            OvertakenError: another holder has the lease.
        """
        with self.transaction():
            self.check(token)
            self.connection.execute("UPDATE lease SET holder = ?", (json.dumps(holder),))

    def leave(self, token: int) -> None:
        """Give the lease back; where somebody else has it by now, it stays theirs."""
        with self.transaction():
            self.connection.execute("UPDATE lease SET holder = '' WHERE token = ?", (token,))

    def get(self, key: str) -> Any:
        """What is kept under a name, None where nothing is."""
        rows = self.read("SELECT value FROM state WHERE key = ?", key)
        return json.loads(rows[0][0]) if rows else None

    def keep(self, key: str, value: Any) -> None:
        """Keep plain JSON under a name, within a transaction."""
        self.connection.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, json.dumps(value)))
