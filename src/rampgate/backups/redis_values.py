"""Digests of Redis values by type, the same on every server and for every inner encoding."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_BYTES = 1 << 16
_ELEMENTS = 1000
_SCANS = {"set": "SSCAN", "hash": "HSCAN", "zset": "ZSCAN"}
ORDERED = ("string", "list", "stream")
TYPES = (*ORDERED, *_SCANS)
"""The types that can be compared; those of modules are only counted."""


def _hash(data: Any) -> bytes:
    """Of bytes, or of lists of them however deep, each with its length so that no two are alike."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(data, bytes):
        digest.update(b"b" + data)
    else:
        digest.update(b"l")
        for part in data:
            digest.update(_hash(part))
    return digest.digest()


@dataclass(slots=True)
class Value:
    """A value while it is read, piece by piece, so that no large one is held or blocks its server.

    Args:
        key: its key.
        kind: one of TYPES.
        expires: whether it has a time to live.
    """

    key: bytes
    kind: str
    expires: bool
    done: bool = False
    _at: Any = 0
    _ordered: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16))
    _elements: set[bytes] = field(default_factory=set)

    @property
    def command(self) -> tuple[Any, ...]:
        """What gives the next piece."""
        if self.kind == "string":
            return ("GETRANGE", self.key, self._at, self._at + _BYTES - 1)
        if self.kind == "list":
            return ("LRANGE", self.key, self._at, self._at + _ELEMENTS - 1)
        if self.kind == "stream":
            return ("XRANGE", self.key, b"(" + self._at if self._at else b"-", b"+", "COUNT", _ELEMENTS)
        return (_SCANS[self.kind], self.key, self._at, "COUNT", _ELEMENTS)

    def take(self, answer: Any) -> None:
        """The piece that came."""
        if self.kind not in ORDERED:
            self._at, elements = answer
            # A scan may name an element twice.
            self._elements.update(map(_hash, elements if self.kind == "set" else _pairs(elements)))
            self.done = int(self._at) == 0
            return
        full = _BYTES if self.kind == "string" else _ELEMENTS
        self._ordered.update(answer if self.kind == "string" else b"".join(map(_hash, answer)))
        self.done = len(answer) < full
        if not self.done:
            self._at = answer[-1][0] if self.kind == "stream" else self._at + full

    @property
    def digest(self) -> bytes:
        """Of type, content, and whether it expires."""
        content = self._ordered.digest() if self.kind in ORDERED else _hash(sorted(self._elements))
        return _hash([self.kind.encode(), b"expires" if self.expires else b"stays", content])


def _pairs(flat: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def read(client: Any, keys: Sequence[bytes]) -> list[tuple[bytes, bytes, int]]:
    """Key, digest and time to live in ms (-1: none) of those keys that are there and can be compared."""
    asking = client.pipeline(transaction=False)
    for key in keys:
        asking.execute_command("TYPE", key)
        asking.execute_command("PTTL", key)
    answers = asking.execute(raise_on_error=False)
    lives, values = {}, []
    for key, kind, life in zip(keys, answers[::2], answers[1::2], strict=True):
        if isinstance(kind, bytes) and kind.decode() in TYPES and isinstance(life, int):
            lives[key] = life
            values.append(Value(key, kind.decode(), life >= 0))
    waiting = list(values)
    while waiting:
        asking = client.pipeline(transaction=False)
        for value in waiting:
            asking.execute_command(*value.command)
        answers = asking.execute(raise_on_error=False)
        for value, answer in zip(waiting, answers, strict=True):
            if isinstance(answer, Exception):  # another type by now
                values.remove(value)
                value.done = True
            else:
                value.take(answer)
        waiting = [value for value in waiting if not value.done]
    return [(value.key, value.digest, lives[value.key]) for value in values]
