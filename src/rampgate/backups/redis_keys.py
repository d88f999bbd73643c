"""What Redis holds before and after its backup, and in the copy: an even sample of its keys.

A cache changes all the time. What was the same before and after must be the same in the copy; what was not
proves nothing. Of more than SAMPLE keys one in so many is compared, chosen by a hash of its name, so that
each reading chooses the same ones, and memory stays flat: digests are kept.
"""

from __future__ import annotations

import hashlib
import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from rampgate.backups import redis_info, redis_values
from rampgate.io import stores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.backups.progress import Progress
    from rampgate.io.guard import Guard

SAMPLE = 20_000
"""Keys whose values are compared, about; all where there are no more."""
BEFORE, AFTER, COPY = "before", "after", "copy"
_BATCH = 500
_SHOWN = 3
_SHOWN_CHARS = 60
SKEW_MS = 60_000
"""Clocks may differ by this much: a key that expires within it may be gone in the copy."""
_SECRET = re.compile(r"[0-9A-Za-z_-]{16,}|\d+")

Key = tuple[int, bytes]
"""Number of the database, name."""


class Keys:
    """Three readings, each of the same sample."""

    def __init__(self) -> None:
        self.step = 1
        self.counts: dict[str, dict[int, tuple[int, int]]] = {}
        self._values: dict[str, dict[Key, tuple[bytes, int | None]]] = {}

    def read(
        self, name: str, url: str, timeout_s: float, progress: Progress, guard: Guard | None = None
    ) -> None:
        """Read all keys of a server, or the sample.

        Args:
            name: of the reading: BEFORE, AFTER or COPY.
            url: of the server.
            timeout_s: for connecting.
            progress: shows how far it is.
            guard: of where may be connected to; None: to this machine.

        Raises:
            RefusedError: the guard refuses the server.
            StoreError: the server does not answer, refuses, or fails.
            ProbeError: it took too long.
        """
        redis = partial(
            stores.redis, url, timeout_s=timeout_s, answer_s=progress.answer_s, raw=True, guard=guard
        )
        with redis() as client:
            self.counts[name] = redis_info.keyspace(redis_info.info(client))
        total = sum(keys for keys, _ in self.counts[name].values())
        if name == BEFORE:
            self.step = max(1, math.ceil(total / SAMPLE))
        values = self._values[name] = {}
        for database in self.counts[name]:
            with redis(database=database) as client:
                for keys in self._batches(client, progress):
                    now_ms = round(progress.clock.now() * 1000)
                    for key, digest, life_ms in redis_values.read(client, keys):
                        values[database, key] = (digest, now_ms + life_ms if life_ms >= 0 else None)
                    progress.at(f"{name}: {len(values):,} of about {total // self.step:,} keys read")

    def _batches(self, client: Any, progress: Progress) -> Iterator[list[bytes]]:
        """The keys of a database that belong to the sample; that a scan may name one twice is harmless."""
        cursor = 0
        kept: list[bytes] = []
        while True:
            answer, keys = client.execute_command("SCAN", cursor, "COUNT", _BATCH)
            kept += [key for key in keys if self._is_sampled(key)]
            cursor = int(answer)
            progress.at("keys are listed")
            while len(kept) >= _BATCH or (kept and not cursor):
                yield kept[:_BATCH]
                kept = kept[_BATCH:]
            if not cursor:
                return

    def _is_sampled(self, key: bytes) -> bool:
        return (
            self.step == 1
            or int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % self.step == 0
        )

    @property
    def _unchanged(self) -> dict[Key, tuple[bytes, int | None]]:
        """Those that were the same before and after."""
        before, after = self._values[BEFORE], self._values[AFTER]
        return {key: value for key, value in before.items() if key in after and after[key][0] == value[0]}

    @property
    def compared(self) -> int:
        """How many keys did not change and are in the copy."""
        return len(self._unchanged.keys() & self._values[COPY].keys())

    @property
    def changed(self) -> int:
        """How many keys were written, made or removed between the first reading and the second."""
        return len(self._values[BEFORE].keys() | self._values[AFTER].keys()) - len(self._unchanged)

    def differences(self, now_ms: int) -> list[str]:
        """What the copy lacks, has otherwise, or has and should not, one sentence each.

        Args:
            now_ms: when the copy was read; keys that expire by then, or soon after, may be gone.
        """
        unchanged, copy = self._unchanged, self._values[COPY]
        lasts = now_ms + SKEW_MS
        missing = [
            key
            for key, (_, gone_at) in unchanged.items()
            if key not in copy and (gone_at or lasts + 1) > lasts
        ]
        other = [key for key, (digest, _) in unchanged.items() if key in copy and copy[key][0] != digest]
        found = _sentence("missing in the copy", missing) + _sentence("with other content in the copy", other)
        if not self.changed:
            found += _sentence("in the copy, and never in Redis", list(copy.keys() - unchanged.keys()))
            found += self._other_counts()
        return found

    def _other_counts(self) -> list[str]:
        """Databases with another number of keys, where none expires and none changed."""
        before, after, copy = (self.counts.get(name, {}) for name in (BEFORE, AFTER, COPY))
        found = []
        for database in sorted(before.keys() | copy.keys()):
            (keys, expiring), there = before.get(database, (0, 0)), copy.get(database, (0, 0))[0]
            if not expiring and after.get(database, (0, 0)) == (keys, 0) and there != keys:
                found.append(f"db{database} has {counted(keys)}, its copy {there:,}")
        return found


def _sentence(what: str, keys: list[Key]) -> list[str]:
    if not keys:
        return []
    names = ", ".join(f"db{database} {shown(key)}" for database, key in sorted(keys)[:_SHOWN])
    return [f"{counted(len(keys))} {what} ({names}{', ...' if len(keys) > _SHOWN else ''})"]


def counted(number: int) -> str:
    """So many keys."""
    return f"{number:,} key{'' if number == 1 else 's'}"


def shown(key: bytes) -> str:
    """A key's name without what may be a secret: numbers and long words are left out."""
    return repr(_SECRET.sub("*", key.decode(errors="replace"))[:_SHOWN_CHARS])
