"""Flag stores to try things in: they decide as the real one does, and the real flags are not touched."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pharmapilot.errors import BadRequestError
from pharmapilot.flag_store import decide
from pharmapilot.flags import Flag, HashKind, Rules, Semantics, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pharmapilot.faults import Faults

PREFIX = "rampgate-scratch-"
LIFETIME_SECONDS = 600.0
MAX_STORES = 100
MAX_FLAGS = 100
_LONGEST_NAME = 100


@dataclass(frozen=True)
class ScratchStore:
    """Flags by name, how they are decided, and when they are forgotten."""

    flags: Mapping[str, Flag]
    rules: Rules
    expires: float


class ScratchStores:
    """Scratch stores of this process, in memory; each is forgotten ten minutes after it was written."""

    def __init__(self, faults: Faults, rules: Rules, now: Callable[[], float] = time.monotonic) -> None:
        self._faults = faults
        self._rules = rules
        self._now = now
        self._stores: dict[str, ScratchStore] = {}

    def put(self, name: str, body: Any) -> ScratchStore:
        """Create a store or replace it.

        Raises:
            BadRequestError: a name without the prefix, wrong flags or rules, or too many stores.
        """
        if not name.startswith(PREFIX) or not len(PREFIX) < len(name) <= _LONGEST_NAME:
            raise BadRequestError(f"the store is {name!r}; accepted: a name that begins with {PREFIX}")
        flags, rules = _flags(body), _rules(body, self._rules)
        self._forget()
        if len(self._stores) >= MAX_STORES and name not in self._stores:
            raise BadRequestError(f"there are {MAX_STORES} scratch stores already; delete one")
        store = ScratchStore(flags, rules, self._now() + LIFETIME_SECONDS)
        self._stores[name] = store
        return store

    def find(self, name: str) -> ScratchStore:
        """A store that is there.

        Raises:
            KeyError: there is none of this name, or it is forgotten.
        """
        self._forget()
        return self._stores[name]

    def remove(self, name: str) -> None:
        """Forget a store; one that is not there is no error, so that cleaning up can be repeated."""
        self._stores.pop(name, None)

    def evaluate(self, store: ScratchStore, flag: str, user_id: str, workspace_id: str) -> bool:
        """Whether a flag of the store is on for a user; faults of the flag service strike here as well."""
        return decide(store.flags[flag], user_id, workspace_id, store.rules, self._faults)

    def _forget(self) -> None:
        now = self._now()
        self._stores = {name: store for name, store in self._stores.items() if store.expires > now}


def _flags(body: Any) -> dict[str, Flag]:
    entries = body.get("flags") if isinstance(body, dict) else None
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_FLAGS:
        raise BadRequestError('accepted: {"flags": [1 to 100 flags], "semantics"?, "hash"?}')
    flags = [_flag(entry) for entry in entries]
    if len({flag.name for flag in flags}) < len(flags):
        raise BadRequestError("two flags have the same name")
    return {flag.name: flag for flag in flags}


def _flag(entry: Any) -> Flag:
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise BadRequestError(f"a flag is {entry!r}; accepted: an object with a name of 1 to 100 characters")
    rest = {key: value for key, value in entry.items() if key != "name"}
    try:
        return changed(Flag(name), rest) if rest else Flag(name)
    except BadRequestError as error:
        raise BadRequestError(f"flag {name}: {error}") from error


def _rules(body: dict[str, Any], default: Rules) -> Rules:
    unknown = sorted(body.keys() - {"flags", "semantics", "hash"})
    if unknown:
        raise BadRequestError(f"unknown key {unknown[0]!r}; accepted: flags, semantics, hash")
    semantics, hash_kind = body.get("semantics", default.semantics), body.get("hash", default.hash_kind)
    for key, value, kind in (("semantics", semantics, Semantics), ("hash", hash_kind, HashKind)):
        if value not in list(kind):
            raise BadRequestError(f"{key} is {value!r}; accepted: {', '.join(kind)}")
    return Rules(Semantics(semantics), HashKind(hash_kind), default.unit)
