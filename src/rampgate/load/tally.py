"""Floor 6. What the generating processes tell while a run measures, added up for whoever watches it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from rampgate.load.cells import DURATION, measure
from rampgate.load.generator import STARVED
from rampgate.load.table import Table
from rampgate.model.measurement import Measurement, merge
from rampgate.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.load.generator import Sample
    from rampgate.load.times import Block
    from rampgate.model.ramp import Ramp
    from rampgate.runs.session import Setup


class Generator(NamedTuple):
    """How a generating process fares: shares of wall time, visits begun, and visits due by a rate (or 0)."""

    process: str
    wait: float | None
    cpu: float
    iterations: int
    offered: int
    starved: bool


class Tally:
    """Adds up what the generating processes tell, per endpoint, on the plateau and off it.

    Args:
        setup: names the thresholds, whose edges are counted.
        ramp: has the plateau.
    """

    def __init__(self, setup: Setup, ramp: Ramp) -> None:
        import scipy.special  # noqa: F401  # loaded now: the first look under load must not wait for it

        self._thresholds = setup.policy.of(DURATION)
        self._ramp = ramp
        self._cells: dict[tuple[int, bool], list[Measurement]] = {}
        self._samples: dict[str, tuple[Sample, Sample]] = {}

    def feed(self, process: str, block: Block) -> None:
        """Count one block."""
        table, plateau = block.table, self._ramp.plateau()
        first, _ = self._samples.get(process, (block.sample, block.sample))
        begins = self._ramp.bounds(plateau)[0] if plateau is not None else 0.0
        if first.second < begins <= block.sample.second:
            first = block.sample
        self._samples[process] = first, block.sample
        steady = table.stages(self._ramp) == plateau
        for endpoint in set(table.endpoint.tolist()):
            mine = table.endpoint == endpoint
            for on_plateau, cell in (
                (True, table.where(mine & steady)),
                (False, table.where(mine & ~steady)),
            ):
                if len(cell):
                    self._add((endpoint, on_plateau), self._measure(cell))

    def counted(self, endpoint: int | None, *, plateau: bool, labels: Mapping[str, str]) -> list[Measurement]:
        """Failures and times so far.

        Args:
            endpoint: its index, None for all requests, sign-ins included.
            plateau: of the plateau alone.
            labels: put on the measurements.
        """
        cells = [
            seen
            for (index, on_plateau), seen in self._cells.items()
            if endpoint in {None, index} and (on_plateau or not plateau)
        ]
        merged = [reduce(merge, same) for same in zip(*(cells or [self._measure(Table.of(()))]), strict=True)]
        return [replace(each, labels=dict(labels)) for each in merged]

    def generators(self) -> list[Generator]:
        """How each generating process fares, over the plateau once that has begun."""
        return [_fares(process, *samples) for process, samples in sorted(self._samples.items())]

    def _measure(self, table: Table) -> list[Measurement]:
        # Details tell of one block alone; merged, they would tell of the last.
        seen = measure(table, self._thresholds, labels={}, span=(0.0, 0.0))
        return [replace(each, details={}) for each in seen]

    def _add(self, key: tuple[int, bool], seen: list[Measurement]) -> None:
        known = self._cells.get(key)
        self._cells[key] = [merge(*pair) for pair in zip(known, seen, strict=True)] if known else seen


def _fares(process: str, first: Sample, last: Sample) -> Generator:
    over = last.second - first.second
    wait = (last.wait_s - first.wait_s) / over if over > 0 else math.nan
    cpu = (last.cpu_s - first.cpu_s) / over if over > 0 else 0.0
    told = None if math.isnan(wait) else round(wait, 4)
    starved = told is not None and told > STARVED
    return Generator(clean(process, 100), told, round(cpu, 4), last.iterations, last.offered, starved)
