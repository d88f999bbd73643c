"""Where a rollout and its watch stand, for the page of metrics alone: nothing is decided by it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rampgate.config.in_force import ROLLOUT, state_file
from rampgate.errors import RampgateError
from rampgate.io.database import looked_up
from rampgate.rollout.records import Rollout
from rampgate.rollout.soak import observed
from rampgate.watch import state as watch_state

if TYPE_CHECKING:
    from rampgate.config.settings import Settings

KEPT_S = 15.0
"""So long what was read is shown: a soak is counted from every round of its watches."""


@dataclass(frozen=True, slots=True)
class Stands:
    """Where they stand.

    Args:
        rollout: the newest, None where there is none.
        observed: seconds at its percentage.
        needed: as observed; what its soak is to be.
        heartbeat: when the watch ended its newest round, seconds since the epoch; None where none did.
        unread: what could not be read, ``rollout`` or ``watch``.
    """

    rollout: Rollout | None = None
    observed: float = 0.0
    needed: float = 0.0
    heartbeat: float | None = None
    unread: frozenset[str] = frozenset()


class StandsReader:
    """Reads them, at most every KEPT_S seconds.

    Args:
        settings: name the reports, the plan of the rollout and the target.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rollout = state_file(settings, ROLLOUT)  # once: it looks a name up
        self._watch = watch_state.file_of(settings)
        self._kept, self._until = Stands(), 0.0

    def read(self) -> Stands:
        """Where they stand now, or stood a few seconds ago."""
        if time.monotonic() >= self._until:
            self._kept = self._read()
            self._until = time.monotonic() + KEPT_S
        return self._kept

    def _read(self) -> Stands:
        unread, rollout, seen, needed, heartbeat = set[str](), None, 0.0, 0.0, None
        try:
            rollout = self._newest()
            if rollout and rollout.is_open:
                needed = self._settings.rollout.soak_at(rollout.percentage)
                seen = observed(self._settings, rollout)
        except (RampgateError, OSError, ValueError, TypeError, KeyError):
            unread.add("rollout")
        try:
            heartbeat = self._heartbeat()
        except (RampgateError, ValueError, TypeError):
            unread.add("watch")
        return Stands(rollout, seen, needed, heartbeat, frozenset(unread))

    def _newest(self) -> Rollout | None:
        if not self._rollout.is_file():
            return None
        rows = looked_up(self._rollout, "SELECT id, body FROM rollouts ORDER BY id DESC LIMIT 1")
        return Rollout.from_json(json.loads(rows[0][1]), rows[0][0]) if rows else None

    def _heartbeat(self) -> float | None:
        if not self._watch.is_file():
            return None
        rows = looked_up(self._watch, "SELECT value FROM state WHERE key = ?", "heartbeat")
        return float(json.loads(rows[0][0])) if rows else None
