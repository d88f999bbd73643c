"""The raw times of a load run: every request, in columns, appended a block a second.

    file   = block { block }
    block  = header body
    header = magic, CRC of the rest of the header, CRC and length of the body, rows, health of the process
    body   = zlib of the columns and, as JSON, of what else there is to report; each column is
             byte-transposed, for the high bytes of small numbers are all alike

A block stands for itself: it may be read, merged or lost without its neighbours. It is appended by one
os.write, so that a kill tears the last one at most. Times are whole nanoseconds, starts whole microseconds;
both are as fine as the clocks, so that an edge is counted on what was measured.
"""

from __future__ import annotations

import json
import struct
import zlib
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.errors import EvidenceError
from rampgate.load.generator import CpuStats, Sample, own_stats
from rampgate.load.table import UNREAD, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from rampgate.clock import Clock
    from rampgate.load.table import Column

FLUSH_EVERY_S = 1.0
_MAGIC, _WITHOUT_BODIES = b"RGT2", b"RGT1"
_HEADER = struct.Struct("<4sIIIIdddQQd")
_HEADER_CRC_FROM = 8
_WIDTH = 7


class Block(NamedTuple):
    """What one process measured within about a second, its state then, and its facts since the last block."""

    sample: Sample
    table: Table
    facts: Mapping[str, Mapping[str, Any]]


class Recorder:
    """Keeps the requests of one generating process and hands them on, a block a second.

    Args:
        sink: takes a block: a file's, or the way to the process that writes it.
        clock: the clock that ``begun`` is read from.
        stats: reads what this process has used of its machine.

    Attributes:
        zero: when the ramp began, on the clock's monotonic scale.
        iterations: journeys that were begun; whoever runs them counts here.
        offered: journeys that were due by a rate.
    """

    def __init__(
        self, sink: Callable[[bytes], None], clock: Clock, stats: Callable[[], CpuStats] = own_stats
    ) -> None:
        import numpy  # noqa: F401, ICN001  # loaded now: a first flush under load must not wait for it

        self._sink = sink
        self._now = clock.monotonic
        self._stats = stats
        self.begin(self._now())

    def begin(self, zero: float) -> None:
        """The ramp began at this moment of the clock's monotonic scale; what came before is forgotten."""
        self.zero = zero
        self.iterations = self.offered = 0
        self._rows = array("d")
        self._facts: dict[str, dict[str, Any]] = {}
        self._base = self._stats()
        now = self._now()
        self._since = now - zero
        self._due = now + FLUSH_EVERY_S

    def fact(self, kind: str, name: str, value: Any) -> None:
        """Something else to report, as plain JSON; a later value of the same name replaces this one."""
        self._facts.setdefault(kind, {})[name] = value

    def add(  # noqa: PLR0913  # a column each
        self,
        endpoint: int,
        cohort: int,
        begun: float,
        duration_ms: float,
        connect_ms: float,
        status: int,
        *,
        body: int = UNREAD,
    ) -> None:
        """One request has ended, well or not.

        Args:
            endpoint: its index, or SIGN_IN.
            cohort: of its account.
            begun: when it was sent, on the clock's monotonic scale.
            duration_ms: to the last byte or the failure, without connecting.
            connect_ms: what connecting took.
            status: the HTTP status, 0 when no whole answer came, CUT when it was not waited for.
            body: UNREAD, GOOD or BAD.
        """
        self._rows.extend((begun, duration_ms, connect_ms, endpoint, cohort, status, body))
        if self._now() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Hand on what was kept, even nothing: a block also says that its process lives.

        Raises:
            EvidenceError: a time that is no number.
        """
        now = self._now()
        self._due = now + FLUSH_EVERY_S
        rows, self._rows = self._rows, array("d")
        facts, self._facts = self._facts, {}
        wait_s, cpu_s = (used - base for used, base in zip(self._stats(), self._base, strict=True))
        sample = Sample(now - self.zero, wait_s, cpu_s, self.iterations, self.offered, self._since)
        self._sink(_encode(sample, rows, facts, self.zero))


def _encode(sample: Sample, rows: array[float], facts: Mapping[str, Mapping[str, Any]], zero: float) -> bytes:
    import numpy as np

    begun, duration, connect, endpoint, cohort, status, checked = np.frombuffer(rows).reshape(-1, _WIDTH).T
    if not np.isfinite(rows).all():
        raise EvidenceError("a request's time is no number")
    start = np.floor((begun - zero) * 1e6).astype("<i8")
    step = np.diff(start, prepend=0)
    body = zlib.compress(
        b"".join(
            [
                _transposed((step << 1) ^ (step >> 63), "<i8"),  # small whatever its sign
                *(_transposed(np.rint(np.maximum(ms, 0) * 1e6), "<i8") for ms in (duration, connect)),
                *(_transposed(column, "<i2") for column in (endpoint, cohort, status)),
                _transposed(checked, "<i1"),
                json.dumps(facts).encode() if facts else b"",
            ]
        )
    )
    values = (zlib.crc32(body), len(body), len(begun), *sample)
    rest = _HEADER.pack(_MAGIC, 0, *values)[_HEADER_CRC_FROM:]
    return _MAGIC + struct.pack("<I", zlib.crc32(rest)) + rest + body


def _transposed(column: Column, kind: str) -> bytes:
    """All lowest bytes, then all second ones, ..."""
    import numpy as np

    return column.astype(kind).view(np.uint8).reshape(len(column), np.dtype(kind).itemsize).T.tobytes()


def decode(data: bytes) -> Block:
    """Read one whole block.

    Raises:
        ValueError: it is broken.
    """
    blocks = list(_blocks(data))
    if len(blocks) != 1 or isinstance(blocks[0], int):
        raise ValueError("not one whole block")
    return blocks[0]


def read(path: Path) -> tuple[Table, list[str]]:
    """All requests of a file, and one sentence for a torn last block, which is dropped.

    Raises:
        EvidenceError: the file cannot be read, or a block other than a torn last one is broken.
    """
    tables, dropped = [], []
    try:
        for block in _blocks(path.read_bytes()):
            if isinstance(block, int):
                dropped.append(f"{path.name}: its last block is torn and was dropped")
            else:
                tables.append(block.table)
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise EvidenceError(f"{path}: {error}") from None
    return Table.merged(tables), dropped


def _blocks(data: bytes) -> Iterator[Block | int]:
    """The blocks, and the number of left-over bytes when the last one is torn."""
    at, number = 0, 0
    while at < len(data):
        number += 1
        body_at = at + _HEADER.size
        if body_at > len(data):
            yield len(data) - at
            return
        magic, crc, body_crc, length, n, *sample = _HEADER.unpack_from(data, at)
        if magic not in {_MAGIC, _WITHOUT_BODIES} or crc != zlib.crc32(data[at + _HEADER_CRC_FROM : body_at]):
            raise ValueError(f"block {number} is not one of requests")
        body = data[body_at : body_at + length]
        if len(body) < length:
            yield len(data) - at
            return
        if zlib.crc32(body) != body_crc:
            raise ValueError(f"block {number} is broken")
        table, rest = _columns(zlib.decompress(body), n, bodies=magic == _MAGIC)
        yield Block(Sample(*sample), table, json.loads(rest) if rest else {})
        at = body_at + length


def _columns(data: bytes, n: int, *, bodies: bool) -> tuple[Table, bytes]:
    """The table, and what comes after its columns."""
    import numpy as np

    at, found = 0, []
    for kind in ("<i8", "<i8", "<i8", "<i2", "<i2", "<i2", *(["<i1"] if bodies else [])):
        width = np.dtype(kind).itemsize
        part = np.frombuffer(data, np.uint8, n * width, at).reshape(width, n)
        found.append(np.ascontiguousarray(part.T).view(kind).reshape(n))
        at += n * width
    step, duration, connect, endpoint, cohort, status = found[:6]
    checked = found[6] if bodies else np.zeros(n, np.int8)
    start = np.cumsum((step >> 1) ^ -(step & 1))
    times = duration / 1e6, connect / 1e6
    return Table(start / 1e6, endpoint, cohort.astype(np.int8), status, *times, checked), data[at:]
