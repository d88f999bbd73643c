"""The body of an answer: unpacked piece by piece, to its end, and not a byte more than is allowed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKED = "gzip"
"""The only packing that is asked for: what comes in another is no answer to that."""
_PIECE = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_HEADERS_BEYOND = "Receive buffer too long"
"""What h11 says of headers over 100 KiB, which it does not read further."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of an answer is read; what is larger is no answer.

    Args:
        body: bytes of a body, unpacked.
        headers: bytes of all headers.
    """

    body: int = 10_000_000
    headers: int = 64 * 1024


class BodyError(httpx.RequestError):
    """An answer that is too large, or not whole; the message says it all."""


def read(response: httpx.Response, limits: Limits) -> bytes:
    """The whole body.

    Args:
        response: its headers have come.
        limits: how much is read.

    Raises:
        httpx.RequestError: it did not come to its end.
    """
    if sum(len(name) + len(value) for name, value in response.headers.raw) > limits.headers:
        raise too_long_headers(limits)
    chunks, size = [], 0
    for chunk in _unpacked(response):
        chunks.append(chunk)
        size += len(chunk)
        if size > limits.body:
            raise BodyError(f"too large: the body, unpacked, is longer than {_size(limits.body)}")
    return b"".join(chunks)


def too_long_headers(limits: Limits) -> BodyError:
    """Headers over their limit."""
    return BodyError(f"too large: the headers are longer than {_size(limits.headers)}")


def named(error: httpx.RequestError, limits: Limits) -> httpx.RequestError:
    """The error, headers that the parser gave up called what they are."""
    return too_long_headers(limits) if _HEADERS_BEYOND in str(error) else error


def _unpacked(response: httpx.Response) -> Iterable[bytes]:
    """The body in pieces, none larger than what was received or 64 KiB."""
    packing = response.headers.get("content-encoding", "").strip().lower()
    if packing in {"", "identity"}:
        return response.iter_bytes()
    if packing not in {PACKED, f"x-{PACKED}"}:
        raise BodyError(f"the body is packed as {packing[:40]!r}, though {PACKED} was asked for")
    return _gunzip(response.iter_raw())


def _gunzip(raw: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack one member after another (RFC 1952), each to its end: its checksum stands there."""
    member, begun = zlib.decompressobj(_GZIP), False
    try:
        for chunk in raw:
            rest, begun = chunk, begun or bool(chunk)
            while rest:
                if member.eof:
                    member = zlib.decompressobj(_GZIP)
                yield member.decompress(rest, _PIECE)
                rest = member.unconsumed_tail or member.unused_data
            while not member.eof and (piece := member.decompress(b"", _PIECE)):
                yield piece
    except zlib.error as error:
        raise BodyError(f"the packed body is damaged: {error}") from error
    if begun and not member.eof:
        raise BodyError("cut off: the packed body has no end")


def _size(count: int) -> str:
    """``10 MB``, ``64 KiB``."""
    for unit, name in ((1_000_000, "MB"), (1024 * 1024, "MiB"), (1024, "KiB"), (1000, "kB")):
        if count % unit == 0:
            return f"{count // unit} {name}"
    return f"{count:,} bytes"
