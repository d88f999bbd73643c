"""One metric of a watch: its readings, from counters or values to what is known over its window. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import reduce
from statistics import median
from typing import TYPE_CHECKING, Any

from rampgate.errors import ConfigurationError
from rampgate.model import formats
from rampgate.model.increments import (
    Counters,
    Window,
    added,
    counters_of,
    edges_of,
    increment,
    remembered,
)
from rampgate.model.measurement import DOUBT, Block
from rampgate.model.metrics import Kind
from rampgate.watch.values import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rampgate.model.measurement import Measurement
    from rampgate.model.metrics import Metric

_MOST_LABELS = 1000
"""So many cohorts and endpoints are remembered; of more, those that are still there."""
_WORST = 3
"""So many endpoints are named."""
_STRETCH = 1.5
"""Counts over more than so many windows say nothing of one."""
_NOT_READ = "not read yet"
_SECOND = "counters say something from their second reading on"
_NONE = "nothing was counted yet"
FIRST = frozenset({_NOT_READ, _SECOND, _NONE})
"""Why there is no reading as long as the first one is to come."""
CHANGED = "not read since the change"
"""The same after a change of what is watched."""


@dataclass
class MetricWatch:
    """What is known of one metric.

    Args:
        metric: what is read.
        window_s: over which counters make a value.
        edges: of a histogram, in ms: those that thresholds need.
        counters: labels as text -> what its counters said last.
        windows: labels as text -> what they have counted lately.
        last: when its newest sample was taken, seconds since the epoch; None: none since the last change.
        reading: what is known now, None where nothing is.
        trouble: why nothing is, "" where something is.
        since: since when nothing is, seconds since the epoch.
        blind: whether nothing has been for too long.
        increments: what the newest reading has added, by labels.
        restarted: whether the newest reading shows that the deployment was restarted.
        confirmed: whether further readings have confirmed the newest one, which is their median.
        misfit: why its very first counters can never be held against its thresholds, "" where they can.
    """

    metric: Metric
    window_s: float
    edges: frozenset[float] = frozenset()
    counters: dict[str, Counters] = field(default_factory=dict)
    windows: dict[str, Window] = field(default_factory=dict)
    last: float | None = None
    reading: Reading | None = None
    trouble: str = _NOT_READ
    since: float = 0.0
    blind: bool = False
    increments: dict[str, Block] = field(default_factory=dict)
    restarted: bool = False
    confirmed: bool = False
    misfit: str = ""

    def take(self, results: Sequence[Sequence[Measurement] | str], at: float) -> None:
        """Take a reading, and further ones that confirm it: what is known then is the median of all.

        Args:
            results: of each what the source gave, or why it gave nothing.
            at: when they were read, seconds since the epoch.
        """
        values, doubts = [], list[str]()
        for result in results:
            if isinstance(result, str):
                self.missed(result, at)
                return
            self.read(result, at)
            values += [self.reading.value] if self.reading and self.reading.value is not None else []
            doubts += [self.reading.doubt] if self.reading and self.reading.doubt else []
        if self.reading and len(values) == len(results) > 1:
            found = replace(self.reading, value=median(values), n=len(values), doubt=next(iter(doubts), ""))
            self.reading, self.confirmed = found, True

    def read(self, measurements: Sequence[Measurement], at: float) -> None:
        """Take what the source gave.

        Args:
            measurements: of a value one; of counters one for each cohort and endpoint.
            at: when they were read, seconds since the epoch.
        """
        self.increments, self.restarted, self.confirmed = {}, False, False
        sampled = min((each.end for each in measurements if each.end), default=at)
        counted = [each for each in measurements if counters_of(each) is not None]
        if counted:
            trouble = self._count(counted, sampled)
            reading: Reading | None = Reading(sampled, counted=self.counted())
        elif reading := self.value_of(measurements):
            trouble, reading = "", replace(reading, at=sampled)
        else:
            trouble = "the source gave nothing"
        if trouble:
            self._unknown(trouble, at)
        else:
            self.reading, self.trouble, self.since = reading, "", at

    def value_of(self, measurements: Sequence[Measurement]) -> Reading | None:
        """What a source says that gives a value, None where it gives none."""
        if not measurements or measurements[0].value is None:
            return None
        first = measurements[0]
        doubt = str(first.details.get(DOUBT, ""))
        return Reading(first.end or 0.0, first.value, n=first.details.get("responses"), doubt=doubt)

    def missed(self, why: str, at: float) -> None:
        """Nothing could be read."""
        self.increments, self.restarted, self.confirmed = {}, False, False
        self._unknown(why, at)

    def _unknown(self, why: str, at: float) -> None:
        if self.reading is not None or not self.since:
            self.since = at
        self.reading, self.trouble = None, why

    def changed(self) -> None:
        """What is watched has changed: no window straddles that. Counters go on from where they are."""
        self.windows.clear()
        self.increments = {}
        self.reading, self.trouble, self.last = None, CHANGED, None

    def _count(self, measurements: Sequence[Measurement], at: float) -> str:
        """Take counters, and say why they give no reading, "" where they do."""
        start, restarts, counted, since = self.last, list[bool](), dict[str, Block](), dict[str, Block]()
        for each in measurements:
            key, now = key_of(each.labels), counters_of(each) or {}
            # A cohort that is new began at 0, unless nothing was read before at all.
            before = self.counters.get(key, {} if self.counters else None)
            block, restarted = increment(before, now)
            restarts += [] if restarted is None else [restarted]
            if restarted and (new := increment({}, now).block):  # where others go on, that much is certain
                since[key] = new
            counted |= {key: block} if block is not None else {}
        self.restarted = bool(restarts) and all(restarts)
        counted |= {} if self.restarted else since
        first, same = not self.counters, start is not None and at <= start and not self.restarted
        if not same:  # of one sample, or an older one, the rise is counted when time goes on
            self._remember(measurements)
            self.last = at
        if missing := self._missing(measurements):
            self.misfit = (
                missing if first and any(edges_of(counters_of(e) or {}) for e in measurements) else ""
            )
            return missing
        if start is None or self.restarted or at - start > _STRETCH * self.window_s:
            self.windows.clear()
            return _SECOND
        self.increments = {} if same else counted
        for key, block in self.increments.items():
            self.windows.setdefault(key, Window(self.window_s)).add(start, at, block)
        for window in self.windows.values():
            window.forget(at)
        self.windows = {key: window for key, window in self.windows.items() if window.pieces}
        if not self.windows:  # the same sample as before, and nothing before that: no time has been counted
            return _SECOND
        if self.metric.kind is not Kind.COUNT and not self.counted().n:
            begun = min(window.pieces[0][0] for window in self.windows.values()) if self.windows else at
            full = begun <= at - self.window_s
            return f"nothing was counted in {formats.duration(self.window_s)}" if full else _NONE
        return ""

    def _remember(self, measurements: Sequence[Measurement]) -> None:
        known = {} if self.restarted or len(self.counters) > _MOST_LABELS else self.counters
        self.counters = known | {
            key: remembered(known.get(key, {}), counters_of(each) or {})
            for each in measurements
            for key in [key_of(each.labels)]
        }

    def _missing(self, measurements: Sequence[Measurement]) -> str:
        """Which edges that thresholds need some histogram has not."""
        there = set.intersection(*(edges_of(counters_of(each) or {}) for each in measurements))
        if self.edges <= there:
            return ""
        missing, known = (
            ", ".join(f"{edge:g}" for edge in sorted({round(e, 6) for e in edges}))
            for edges in (self.edges - there, there)
        )
        return f"no bucket ends at {missing} ms; accepted are the edges that there are: {known or 'none'}"

    def counted(self) -> Block:
        """All that the window holds, of all cohorts and endpoints."""
        return reduce(added, (window.counted for window in self.windows.values()), Block(0))

    def worst(self, edge: float | None) -> str:
        """Which endpoints what is bad in the window is of: ``/a 18 of 70, /b 2 of 60``; "" of one alone.

        Args:
            edge: of a limit of times, None where failures are bad.
        """
        endpoints: dict[str, Block] = {}
        for key, window in self.windows.items():
            name = labels_of(key).get("endpoint", "")
            endpoints[name] = added(endpoints.get(name, Block(0)), window.counted)
        bad = [(block.beyond(edge), block.n, name) for name, block in endpoints.items() if block.beyond(edge)]
        most = sorted(bad, reverse=True)[:_WORST] if len(endpoints) > 1 else []
        return ", ".join(f"{name or 'others'} {k:,} of {n:,}" for k, n, name in most)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON of what the next process needs."""
        return {
            "counters": self.counters,
            "windows": {key: window.to_json() for key, window in self.windows.items()},
            "last": self.last,
            "reading": self.reading and self.reading.to_json(),
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
        self.reading = Reading.from_json(data["reading"]) if data["reading"] else None
        self.since, self.blind = data["since"], data["blind"]


def refuse_misfits(watched: Mapping[str, MetricWatch], limits: Callable[[str], Iterable[str]]) -> None:
    """A limit that a source's histogram cannot be held against is an error of the settings.

    Args:
        watched: by name.
        limits: of a metric.

    Raises:
        ConfigurationError: each of them, found by the first reading.
    """
    wrong = {name: each.misfit for name, each in watched.items() if each.misfit}
    if wrong:
        raise ConfigurationError(
            [f"metric {name} ({', '.join(limits(name))}): {why}" for name, why in wrong.items()]
        )


def key_of(labels: Mapping[str, str]) -> str:
    """Labels as a text to keep counts by."""
    return json.dumps(dict(sorted(labels.items())))


def labels_of(key: str) -> dict[str, str]:
    """The labels that key_of wrote."""
    return dict(json.loads(key))
