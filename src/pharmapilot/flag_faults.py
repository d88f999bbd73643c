"""Flag services that lie about a change: another flag moves, or none, or late, or not on every replica.

What is stored is right all the while, but for a change that is ignored or made to another flag.
"""

from __future__ import annotations

import hashlib
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pharmapilot.faults import Faults
    from pharmapilot.flags import Flag

CONNECTION: ContextVar[str] = ContextVar("connection", default="")
"""Of the request that is answered: the address and port from which it comes."""
_PLACES = 1000


class FlagFaults:
    """What a broken flag service makes of changes, and with which flags it answers.

    Args:
        faults: those that are on.
        now: seconds that never go back.
    """

    def __init__(self, faults: Faults, now: Callable[[], float] = time.monotonic) -> None:
        self._faults = faults
        self._now = now
        self._late: dict[str, tuple[dict[str, Any], Flag, float]] = {}
        self._stale: dict[str, tuple[dict[str, Any], Flag]] = {}

    def moved(self, name: str) -> str | None:
        """The flag that a change of this one is made to, None where it is made to none."""
        if self._faults.is_on("flag_change_ignored"):
            return None
        another = self._faults.parameters("flag_change_another")
        return another["flag"] if another else name

    def changes(self, old: Flag) -> None:
        """Note a flag as it was, just before another value of it is stored."""
        late, stale = map(self._faults.parameters, ("flag_change_late", "flag_replica_stale"))
        if late is not None:
            self._late[old.name] = late, self._in_time(old), self._now() + late["s"]
        if stale is not None and self._kept(old.name) is None:
            self._stale[old.name] = stale, old

    def served(self, flag: Flag) -> Flag:
        """The flag with which the connection of this request is answered."""
        stale = self._faults.parameters("flag_replica_stale")
        kept = self._kept(flag.name)
        if stale is not None and kept is not None and _place(CONNECTION.get()) < stale["share"]:
            return kept
        return self._in_time(flag)

    def _in_time(self, flag: Flag) -> Flag:
        """The flag as it was, as long as its change is on its way."""
        on = self._faults.parameters("flag_change_late")
        switched, old, due = self._late.get(flag.name, (None, flag, 0.0))
        return old if on is not None and switched is on and self._now() < due else flag

    def _kept(self, name: str) -> Flag | None:
        """The flag as it was when replicas went stale; None where it has not changed since."""
        switched, old = self._stale.get(name, (None, None))
        return (
            old
            if switched is not None and switched is self._faults.parameters("flag_replica_stale")
            else None
        )


def _place(connection: str) -> float:
    """Where a connection stands, 0 up to 1: the same for all of its requests."""
    digest = hashlib.sha256(connection.encode()).digest()
    return int.from_bytes(digest[:4]) % _PLACES / _PLACES
