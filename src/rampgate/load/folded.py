"""Floor 6. Beyond a set size a run's requests are folded: exact counts and a histogram instead of every time.

A soak of many hours would need more memory to judge than a machine has. From RAW_ROWS on, requests are kept
as measurements of their stage, endpoint and cohort: how many, how many failed, how many lay above each edge
(all exact, and judged as ever), and a histogram of half a percent a bucket for display. Measurements merge,
so that a file of them is as good as one.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from rampgate.errors import EvidenceError
from rampgate.load.cells import measure
from rampgate.model.measurement import Measurement, merge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rampgate.judging.threshold import Threshold
    from rampgate.load.cells import Cell
    from rampgate.load.table import Table
    from rampgate.model.ramp import Ramp

RAW_ROWS = 2_000_000
"""Requests of a run that are kept one by one: nine times the sixteen-minute profile, about 13 MB."""
WRITE_EVERY = 20_000
"""Requests after which a fold is written; a kill loses that many at most."""

Pair = tuple[Measurement, Measurement]


class Key(NamedTuple):
    """What the requests of a fold have in common."""

    stage: int
    endpoint: int
    cohort: int


class Folded:
    """Folds requests, and keeps the folds in a file of JSON lines.

    Args:
        path: of the file; it is made with the first fold.
        thresholds: whose edges are counted.
        ramp: tells the stages.
    """

    def __init__(self, path: Path, thresholds: Iterable[Threshold], ramp: Ramp) -> None:
        self._path = path
        self._thresholds = tuple(thresholds)
        self._ramp = ramp
        self._pending: dict[Key, Pair] = {}
        self._rows = 0

    def add(self, table: Table) -> None:
        """Fold these requests.

        Raises:
            EvidenceError: they cannot be written.
        """
        import numpy as np

        keys = np.stack([table.stages(self._ramp), table.endpoint, table.cohort])
        for values in np.unique(keys, axis=1).T.tolist():
            key = Key(*values)
            mine = table.where((values == keys.T).all(axis=1))
            failed, duration = measure(mine, self._thresholds, labels={}, span=(0.0, 0.0))
            _merge(self._pending, key, (_bare(failed), _bare(duration)))
        self._rows += len(table)
        if self._rows >= WRITE_EVERY:
            self._write()

    def close(self) -> dict[Key, Pair]:
        """Write what is left, and read all of it back.

        Raises:
            EvidenceError: the file cannot be written or read.
        """
        self._write()
        found: dict[Key, Pair] = {}
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
            for line in lines:
                told = json.loads(line)
                failed, duration = (Measurement.from_json(each) for each in told["seen"])
                _merge(found, Key(*told["key"]), (failed, duration))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EvidenceError(f"{self._path}: cannot be read: {error}") from None
        return found

    def _write(self) -> None:
        lines = [
            json.dumps({"key": key, "seen": [each.to_json() for each in pair]})
            for key, pair in self._pending.items()
        ]
        if not lines:
            return
        data = ("\n".join(lines) + "\n").encode()
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                size = os.fstat(file).st_size
                if os.write(file, data) != len(data):
                    os.ftruncate(file, size)
                    raise EvidenceError(f"{self._path.name}: could not be written whole: no space left")
            finally:
                os.close(file)
        except OSError as error:
            raise EvidenceError(f"{self._path.name}: cannot be written: {error.strerror}") from None
        self._pending, self._rows = {}, 0


def with_folds(seen: Sequence[Measurement], cell: Cell, folds: dict[Key, Pair]) -> list[Measurement]:
    """The measurements of a cell's single requests, and of those that were folded, as one."""
    failed, duration = seen
    begin, end = failed.start, failed.end
    for key, pair in folds.items():
        if cell.takes(*key):
            failed, duration = merge(_bare(failed), pair[0]), merge(_bare(duration), pair[1])
    return [replace(each, start=begin, end=end) for each in (failed, duration)]


def _merge(into: dict[Key, Pair], key: Key, pair: Pair) -> None:
    known = into.get(key)
    into[key] = (merge(known[0], pair[0]), merge(known[1], pair[1])) if known else pair


def _bare(seen: Measurement) -> Measurement:
    """Without details: they tell of single requests and do not add up."""
    return replace(seen, details={})
