"""The health of whoever sends the load: a starved generator measures itself, not the target.

A process that is ready and has no processor waits in the kernel's run queue, and all that it times grows by
this waiting. The kernel counts it (/proc/<pid>/schedstat), and it separates a calm generator from a starved
one where the generator's own CPU does not.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from rampgate.io.cpu_pressure import STARVED, own_wait_s
from rampgate.outcome import Cause

REACHED = 0.95
"""Share of the journeys due that must have begun for the load to be the one that was asked for."""
WINDOW_S = 10.0
"""Seconds over which the worst waiting stands beside the mean, which a short burst of it hardly moves."""


class CpuStats(NamedTuple):
    """What a process has used of its machine since it began.

    Args:
        wait_s: seconds ready to run and waiting for a processor; NaN where the system does not count it.
        cpu_s: seconds of processor time.
    """

    wait_s: float
    cpu_s: float


class Sample(NamedTuple):
    """The state of a generating process at one second of the ramp; all but ``second`` are totals.

    Args:
        second: since the ramp began.
        wait_s: seconds in the run queue, NaN where the system does not count it.
        cpu_s: seconds of processor time.
        iterations: journeys that were begun.
        offered: journeys that were due, where a rate says so (an open model), else 0.
        since: the second of the ramp from which the totals count.
    """

    second: float
    wait_s: float
    cpu_s: float
    iterations: int = 0
    offered: int = 0
    since: float = 0.0


class WorkerStats(NamedTuple):
    """How a generating process did over a part of the run.

    Args:
        process: its name.
        wait: share of wall time in the run queue, None when it is not known.
        cpu: share of one processor, None when it is not known.
        iterations: journeys that were begun.
        offered: journeys that were due by a rate, 0 without one.
    """

    process: str
    wait: float | None
    cpu: float | None
    iterations: int
    offered: int

    @property
    def starved(self) -> bool:
        """Whether it waited so long that its times say nothing about the target."""
        return self.wait is not None and self.wait > STARVED


class Health:
    """The samples of all generating processes."""

    def __init__(self) -> None:
        self._samples: dict[str, list[Sample]] = {}
        self._lost: dict[str, float] = {}

    def expect(self, process: str) -> None:
        """This process takes part; without a sample of it the run is undecided."""
        self._samples.setdefault(process, [])

    def add(self, process: str, sample: Sample) -> None:
        """A sample of a process."""
        samples = self._samples.setdefault(process, [])
        if not samples:
            samples.append(Sample(sample.since, 0.0 * sample.wait_s, 0.0, since=sample.since))
        if sample.second > samples[-1].second:
            samples.append(sample)

    def lose(self, process: str, second: float) -> None:
        """A process was lost at this second of the ramp."""
        self._lost.setdefault(process, second)

    def over(self, begin: float, end: float) -> list[WorkerStats]:
        """The stats of each between two seconds of the ramp, as closely as its samples lie."""
        return [self._stats(process, begin, end) for process in sorted(self._samples)]

    def starved(self, begin: float, end: float) -> str:
        """Why the times of this part of the run say nothing about the target, "" when they do."""
        process, wait = self.waited(begin, end)
        if not wait > STARVED:
            return ""
        return (
            f"the generator was starved ({process} waited {100 * wait:.0f} % of the time for a "
            f"processor, {100 * STARVED:.0f} % is the most), so that its times say nothing about the target"
        )

    def waited(self, begin: float, end: float) -> tuple[str, float]:
        """The process that waited most for a processor, and its share of wall time; "" and 0 of none."""
        waits = {each.process: each.wait for each in self.over(begin, end) if each.wait is not None}
        return max(waits.items(), key=lambda pair: pair[1], default=("", 0.0))

    def worst(self, process: str, begin: float, end: float) -> tuple[float, float] | None:
        """The largest share of any ten seconds that a process waited, and the second in which these begin.

        A part of the run that is shorter is one window; None when it is not known.
        """
        last = max(begin, end - WINDOW_S)
        starts = [begin, *(s.second for s in self._samples[process] if begin < s.second <= last)]
        waits = [(self._stats(process, at, min(end, at + WINDOW_S)).wait, at) for at in starts]
        known = [(wait, at) for wait, at in waits if wait is not None]
        return max(known, key=lambda pair: (round(pair[0], 4), -pair[1]), default=None)

    def troubles(self, begin: float, end: float) -> list[str]:
        """Why the run is undecided, whatever the target did, one sentence each."""
        return [text for _, text in self._troubles(begin, end)]

    def cause(self, begin: float, end: float) -> Cause | None:
        """The weightiest of these troubles; that the generator was starved only where it is the only one."""
        causes = [cause for cause, _ in self._troubles(begin, end)]
        others = [cause for cause in causes if cause is not Cause.STARVED]
        return next((cause for cause in others if cause), None) if others else next(iter(causes), None)

    def _troubles(self, begin: float, end: float) -> list[tuple[Cause | None, str]]:
        troubles: list[tuple[Cause | None, str]] = [
            (Cause.LOST, f"{process} was lost after {second:.0f} s; what it measured until then is kept")
            for process, second in sorted(self._lost.items())
        ]
        if starved := self.starved(begin, end):
            troubles.append((Cause.STARVED, starved))
        workers = self.over(begin, end)
        if not workers:
            troubles.append((Cause.NOTHING, "no process generated load"))
        troubles += [
            (None, f"how long {each.process} waited for a processor is not known")
            for each in workers
            if each.wait is None and each.process not in self._lost
        ]
        offered, begun = sum(each.offered for each in workers), sum(each.iterations for each in workers)
        if begun < REACHED * offered:
            text = f"only {begun:,} of {offered:,} journeys that were due began: the load was not reached"
            troubles.append((Cause.SHORT, text))
        return troubles

    def _stats(self, process: str, begin: float, end: float) -> WorkerStats:
        samples = self._samples[process]
        seconds = [sample.second for sample in samples]
        first = max(0, bisect_right(seconds, begin) - 1)
        last = min(len(samples) - 1, bisect_left(seconds, end))
        wall = seconds[last] - seconds[first] if samples else 0.0
        if not wall > 0:
            return WorkerStats(process, None, None, 0, 0)
        wait = (samples[last].wait_s - samples[first].wait_s) / wall
        return WorkerStats(
            process,
            None if math.isnan(wait) else wait,
            (samples[last].cpu_s - samples[first].cpu_s) / wall,
            samples[last].iterations - samples[first].iterations,
            samples[last].offered - samples[first].offered,
        )


def own_stats() -> CpuStats:
    """What this process has used: the run-queue wait of its main thread, the processor time of all."""
    return CpuStats(own_wait_s(), time.process_time())
