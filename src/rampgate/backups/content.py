"""What a collection holds, whatever the order of its documents, and the names of its files."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_MODULUS = 1 << 256
_LONGEST_NAME = 208


class BrokenFileError(Exception):
    """A file of documents that ends in the middle of one, or holds something else."""


@dataclass(slots=True)
class Content:
    """How many documents a collection holds, and the sum of their SHA-256.

    The sum modulo 2^256 is an additive multiset hash: no two sets of documents that differ by an accident
    share it, and it takes the same memory for any number of them.
    """

    documents: int = 0
    size: int = 0
    _sum: int = 0

    def add(self, documents: Iterable[bytes]) -> None:
        """Count and hash documents."""
        for document in documents:
            self.documents += 1
            self.size += len(document)
            self._sum += int.from_bytes(hashlib.sha256(document).digest(), "big")
        self._sum %= _MODULUS

    @property
    def fingerprint(self) -> str:
        """The sum, in hexadecimal."""
        return f"{self._sum:064x}"


def split(batch: bytes) -> Iterator[bytes]:
    """The documents of a batch of raw BSON, as they are.

    Raises:
        bson.errors.InvalidBSON: it is none.
    """
    from bson import decode_iter
    from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS

    return (bytes(document.raw) for document in decode_iter(batch, DEFAULT_RAW_BSON_OPTIONS))


def read(path: Path) -> Iterator[bytes]:
    """The documents of a file as they are, one at a time.

    Raises:
        BrokenFileError: it is truncated, or holds something else.
        OSError: it cannot be read.
    """
    from bson import decode_file_iter
    from bson.errors import InvalidBSON
    from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS

    whole = 0
    with path.open("rb") as file:
        try:
            for document in decode_file_iter(file, DEFAULT_RAW_BSON_OPTIONS):
                yield bytes(document.raw)
                whole += 1
        except InvalidBSON as error:
            raise BrokenFileError(f"is broken after {whole:,} documents: {error}") from None


def batches(documents: Iterable[bytes], count: int, size: int) -> Iterator[list[Any]]:
    """Documents in lists of at most ``count`` and about ``size`` bytes."""
    batch, held = [], 0
    for document in documents:
        batch.append(document)
        held += len(document)
        if len(batch) >= count or held >= size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def file_name(collection: str) -> str:
    """The name of a collection's files without suffix, as mongodump writes it."""
    name = quote(collection, safe="$&+=:@")
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha1(collection.encode(), usedforsecurity=False).digest()
    return name[:_LONGEST_NAME] + "%24" + urlsafe_b64encode(digest).decode().rstrip("=")


def stem_of(folder: Path, collection: str) -> str:
    """The name of a collection's files in a database's folder: the usual one, else that of who wrote them.

    Args:
        folder: of the database.
        collection: its name.
    """
    usual = file_name(collection)
    suffix = ".metadata.json"
    if not (folder / f"{usual}{suffix}").is_file():
        for path in sorted(folder.glob(f"*{suffix}")):
            if json.loads(path.read_text(encoding="utf-8")).get("collectionName") == collection:
                return path.name.removesuffix(suffix)
    return usual
