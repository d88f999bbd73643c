"""The comparisons of cohorts of one watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rampgate.watch.cohorts import Comparison, comparisons
from rampgate.watch.rounds import cohorts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.checks.frame.source import MetricSettings
    from rampgate.model.metrics import Metric
    from rampgate.watch.metrics import MetricWatch
    from rampgate.watch.rounds import Round


class Compared(dict[str, Comparison]):
    """Name of a metric -> the comparison of its cohorts.

    Args:
        entries: of [[metrics]], by name.
        metrics: what their names mean.
        margin: points that those who have the feature may fail more.
        alpha: the chance that one test may ever fail without cause.
    """

    def __init__(
        self,
        entries: Mapping[str, MetricSettings],
        metrics: Mapping[str, Metric],
        margin: float,
        alpha: float,
    ) -> None:
        super().__init__(comparisons(entries, metrics, margin, alpha))
        self._mixed = {name for name in self if entries[name].own_traffic == "mixed"}
        self.rolled_back: set[str] = set()
        """By which a watch before has rolled back."""

    def read(self, watched: MetricWatch, name: str, found: Round, *, measuring: bool) -> None:
        """Compare what one metric has counted, but for our own load and across a change."""
        comparison = self.get(name)
        if comparison is None:
            return
        before = comparison.result
        if found.changed or (measuring and name in self._mixed):
            comparison.skip(found.at)
        elif watched.increments:
            comparison.add(found.at, cohorts(watched.increments))
        after = comparison.result
        if (before.finding, before.may_roll_back) != (after.finding, after.may_roll_back):
            found.compared[name] = after

    def changed(self, *, anew: bool) -> None:
        """What is watched has changed: with ``anew`` percentage or version, else it was restarted."""
        for comparison in self.values():
            comparison.changed(anew=anew)

    def skip(self, at: float) -> None:
        """Leave out what was counted until now: how long that took is not known."""
        for comparison in self.values():
            comparison.skip(at)

    def harm(self, *, latched: bool) -> bool:
        """Whether one of them rolls back, without ``latched`` one by which no watch before has."""
        found = {name for name, comparison in self.items() if comparison.result.may_roll_back}
        return bool(found if latched else found - self.rolled_back)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of what the next process needs."""
        tests = {name: comparison.to_json() for name, comparison in self.items()}
        return {"tests": tests, "rolled_back": sorted(self.rolled_back)}

    def resume(self, data: Mapping[str, Any]) -> None:
        """Go on from what to_json wrote."""
        for name, comparison in self.items():
            if name in data.get("tests", {}):
                comparison.resume(data["tests"][name])
        self.rolled_back = set(data.get("rolled_back", ()))

    def carry_over(self, data: Mapping[str, Any]) -> None:
        """Go on with what a watch before of the same release has shown."""
        self.resume(data)
        self.rolled_back = {name for name, comparison in self.items() if comparison.result.may_roll_back}
