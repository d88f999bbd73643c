"""One metric of a watch: its readings, from counters or values to what is known over its window. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

from rampgate.model.increments import Counters, Window, added, counters_of, increment
from rampgate.model.measurement import Block
from rampgate.watch.values import Reading, canonical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rampgate.model.measurement import Measurement
    from rampgate.model.metrics import Metric


@dataclass
class MetricWatch:
    """What is known of one metric.

    Args:
        metric: what is read.
        unit: in which its source gives values.
        window_s: over which counters make a value.
        counters: labels as text -> what its counters said last.
        windows: labels as text -> what they have counted lately.
        last: when it was read last, seconds since the epoch; None: not since the last change.
        reading: what is known now, None where nothing is.
        trouble: why nothing is, "" where something is.
        since: since when nothing is, seconds since the epoch.
        blind: whether nothing has been for too long.
        increments: what the newest reading has added, by labels.
        restarted: whether the newest reading shows that the deployment was restarted.
    """

    metric: Metric
    unit: str
    window_s: float
    counters: dict[str, Counters] = field(default_factory=dict)
    windows: dict[str, Window] = field(default_factory=dict)
    last: float | None = None
    reading: Reading | None = None
    trouble: str = "not read yet"
    since: float = 0.0
    blind: bool = False
    increments: dict[str, Block] = field(default_factory=dict)
    restarted: bool = False

    def read(self, measurements: Sequence[Measurement], at: float) -> None:
        """Take what the source gave.

        Args:
            measurements: of a value one; of counters one for each cohort and endpoint.
            at: when they were read, seconds since the epoch.
        """
        self.increments, self.restarted = {}, False
        sampled = min((each.end for each in measurements if each.end), default=at)
        counted = [each for each in measurements if counters_of(each) is not None]
        if counted:
            self._count(counted, sampled)
        elif measurements and measurements[0].value is not None:
            value = canonical(measurements[0].value, self.unit, self.metric)
            self._known(Reading(sampled, value, n=measurements[0].details.get("responses")), at)
        else:
            self.missed("the source gave nothing", at)
        self.last = at

    def missed(self, why: str, at: float) -> None:
        """Nothing could be read."""
        if self.reading is not None or not self.since:
            self.since = at
        self.reading, self.trouble = None, why
        self.increments, self.restarted = {}, False

    def changed(self) -> None:
        """What is watched has changed: no window straddles that. Counters go on from where they are."""
        for window in self.windows.values():
            window.clear()
        self.reading, self.trouble, self.last = None, "not read since the change", None

    def _known(self, reading: Reading, at: float) -> None:
        self.reading, self.trouble, self.since = reading, "", at

    def _count(self, measurements: Sequence[Measurement], at: float) -> None:
        start, restarts = self.last, []
        for each in measurements:
            key, now = key_of(each.labels), counters_of(each) or {}
            # A cohort that is new began at 0, unless nothing was read before at all.
            before = self.counters.get(key) or ({} if self.counters else None)
            found = increment(before, now)
            restarts.append(found.restarted)
            if found.block is not None and start is not None:
                self.increments[key] = found.block
        self.counters = {key_of(each.labels): counters_of(each) or {} for each in measurements}
        self.restarted = bool(restarts) and all(restarts)
        if start is None:
            self.missed("counters say something from their second reading on", at)
            return
        for key, block in self.increments.items():
            self.windows.setdefault(key, Window(self.window_s)).add(start, at, block)
        self._known(Reading(at, counted=self.counted()), at)

    def counted(self) -> Block:
        """All that the window holds, of all cohorts and endpoints."""
        return reduce(added, (window.counted for window in self.windows.values()), Block(0))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of what the next process needs."""
        return {
            "counters": self.counters,
            "windows": {key: window.to_json() for key, window in self.windows.items()},
            "last": self.last,
            "trouble": self.trouble,
            "since": self.since,
            "blind": self.blind,
        }

    def resume(self, data: Mapping[str, Any]) -> None:
        """Go on from what to_json wrote."""
        self.counters = data["counters"]
        self.windows = {
            key: Window.from_json(self.window_s, window) for key, window in data["windows"].items()
        }
        self.last, self.trouble = data["last"], data["trouble"]
        self.since, self.blind = data["since"], data["blind"]


def key_of(labels: Mapping[str, str]) -> str:
    """Labels as a text to keep counts by."""
    return json.dumps(dict(sorted(labels.items())))


def labels_of(key: str) -> dict[str, str]:
    """The labels that key_of wrote."""
    return dict(json.loads(key))
