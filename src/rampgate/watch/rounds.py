"""What a round of a watch is about, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.watch.metrics import labels_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.judging.episodes import Episode
    from rampgate.model.measurement import Block
    from rampgate.watch.cohorts import Result
    from rampgate.watch.rules import RuleWatch


class Position(NamedTuple):
    """What is watched.

    Args:
        percentage: in force, None where it is not known.
        versions: that answer, in order.
        instances: that answer.
        trouble: why something of it is not known, "" where it is.
    """

    percentage: float | None = None
    versions: tuple[str, ...] = ()
    instances: frozenset[str] = frozenset()
    trouble: str = ""

    def release(self, environment: str) -> dict[str, Any]:
        """The release that it is, as a header says it; of several versions none is known."""
        version = self.versions[0] if len(self.versions) == 1 else None
        return {"environment": environment, "version": version, "percentage": self.percentage}

    def differs(self, before: Position) -> str:
        """What has changed since, in words; "" where nothing has, as far as both are known."""
        if None not in {self.percentage, before.percentage} and self.percentage != before.percentage:
            return f"the percentage went from {before.percentage:g} to {self.percentage:g}"
        if self.versions and before.versions and self.versions != before.versions:
            return f"the version went from {', '.join(before.versions)} to {', '.join(self.versions)}"
        return ""


class Transition(NamedTuple):
    """A rule that came into another state.

    Args:
        watched: the rule.
        before: where it stood.
        at: when, seconds since the epoch.
    """

    watched: RuleWatch
    before: Episode
    at: float


@dataclass
class Round:
    """What one round came to.

    Args:
        at: when it was, seconds since the epoch.
        read: names of the metrics that were due.
        transitions: rules that came into another state.
        unread: names of metrics that have not been read for too long, and of those that can be read again.
        changed: what of the position has changed, "" where nothing has.
        moved: whether that makes it another release.
        restarted: names of metrics whose store was restarted, and not the deployment.
        counted: name of a metric -> labels -> what was counted since the round before.
        compared: name of a metric -> what the comparison of its cohorts has come to, where that is new.
        observed: seconds since the round before, where they count as watched; else 0.
    """

    at: float
    read: list[str] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    changed: str = ""
    moved: bool = False
    restarted: list[str] = field(default_factory=list)
    counted: dict[str, dict[str, Block]] = field(default_factory=dict)
    compared: dict[str, Result] = field(default_factory=dict)
    observed: float = 0.0


def cohorts(counted: Mapping[str, Block]) -> list[tuple[str, str, Block]]:
    """Endpoint, cohort and counts of what one metric has counted by labels."""
    found = ((labels_of(key), block) for key, block in counted.items())
    return [(labels.get("endpoint", ""), labels.get("cohort", ""), block) for labels, block in found]
