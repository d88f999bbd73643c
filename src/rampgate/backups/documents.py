"""BSON documents as bytes: counted, hashed whatever their order, and read from mongodump's files."""

from __future__ import annotations

import hashlib
import json
import struct
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SIZE = struct.Struct("<i")
_SMALLEST = 5
_LARGEST = 64 << 20
_MODULUS = 1 << 256
_LONGEST_NAME = 208


class BrokenFileError(Exception):
    """A file of documents that ends in the middle of one, or holds something else."""


@dataclass(slots=True)
class Content:
    """What a collection holds, whatever the order: how many documents, and the sum of their SHA-256.

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
    """The documents of a batch of raw BSON.

    Raises:
        BrokenFileError: a length that cannot be.
    """
    at = 0
    while at < len(batch):
        size = _size(batch[at : at + _SIZE.size], at)
        if at + size > len(batch):
            raise BrokenFileError(f"ends in the middle of a document, at byte {at:,}")
        yield batch[at : at + size]
        at += size


def read(path: Path) -> Iterator[bytes]:
    """The documents of a file, one at a time.

    Raises:
        BrokenFileError: it is truncated, or holds something else.
        OSError: it cannot be read.
    """
    at = 0
    with path.open("rb") as file:
        while head := file.read(_SIZE.size):
            size = _size(head, at)
            document = head + file.read(size - _SIZE.size)
            if len(document) < size:
                raise BrokenFileError(f"ends in the middle of a document, at byte {at:,}")
            if document[-1]:
                raise BrokenFileError(f"holds no document at byte {at:,}")
            yield document
            at += size


def _size(head: bytes, at: int) -> int:
    if len(head) < _SIZE.size:
        raise BrokenFileError(f"ends in the middle of a document, at byte {at:,}")
    size: int = _SIZE.unpack(head)[0]
    if not _SMALLEST <= size <= _LARGEST:
        raise BrokenFileError(f"holds no document at byte {at:,}")
    return size


def batches(documents: Iterable[bytes], count: int, size: int) -> Iterator[list[bytes]]:
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
