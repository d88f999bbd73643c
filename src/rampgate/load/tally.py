"""Floor 6. What the generating processes tell while a run measures, added up for whoever watches it."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

from rampgate.load.cells import DURATION, measure
from rampgate.load.table import Table
from rampgate.model.measurement import Measurement, merge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.evidence.session import Setup
    from rampgate.load.generator import Health
    from rampgate.model.ramp import Ramp


class Tally:
    """Adds up what the generating processes tell, per endpoint, on the plateau and off it.

    Args:
        setup: names the thresholds, whose edges are counted.
        ramp: has the plateau.
        health: of the generating processes, told by whoever hears of it.
    """

    def __init__(self, setup: Setup, ramp: Ramp, health: Health) -> None:
        import scipy.special  # noqa: F401  # loaded now: the first look under load must not wait for it

        self._thresholds = setup.policy.of(DURATION)
        self._ramp = ramp
        self._cells: dict[tuple[int, bool], list[Measurement]] = {}
        self.health = health

    def feed(self, table: Table) -> None:
        """Count these requests."""
        steady = table.stages(self._ramp) == self._ramp.plateau()
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

    def _measure(self, table: Table) -> list[Measurement]:
        # Details tell of one block alone; merged, they would tell of the last.
        seen = measure(table, self._thresholds, labels={}, span=(0.0, 0.0))
        return [replace(each, details={}) for each in seen]

    def _add(self, key: tuple[int, bool], seen: list[Measurement]) -> None:
        known = self._cells.get(key)
        self._cells[key] = [merge(*pair) for pair in zip(known, seen, strict=True)] if known else seen
