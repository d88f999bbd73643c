"""What a load run counts: requests added up by ramp stage, endpoint and cohort, in flat memory.

The same counters serve the live view and, at the end, the verdict. Counts and exceedances are exact;
times are kept to RESOLUTION_MS for the quantiles on display, so that memory does not grow with requests.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from rampgate.load.table import BAD, CUT, SIGN_IN, UNREAD, Table
from rampgate.model.measurement import GROWTH, Histogram, Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rampgate.judging.threshold import Threshold
    from rampgate.load.table import Column
    from rampgate.model.ramp import Ramp

FAILED, DURATION = "http_req_failed", "http_req_duration"
RESOLUTION_MS = 0.01
"""How finely times are kept for display; limits are counted on the time as measured."""
TIME_OUT, NO_ANSWER, NOT_WAITED_FOR = "time-out", "no answer", "not waited for"
_TIMED_OUT = -2
_CHECK_MS = 1000.0
_NEARLY = 0.9


class Key(NamedTuple):
    """What requests have in common."""

    stage: int
    endpoint: int
    cohort: int


@dataclass
class Counts:
    """Some requests, counted. Two sets of counts add up.

    Args:
        failed: requests that failed, sign-ins left out.
        bodies: answers whose body was checked.
        bad_bodies: those of them whose body is not what it should be.
        statuses: HTTP status, or why there is none -> requests, sign-ins included.
        sign_in_statuses: the same of the sign-ins alone.
        above: edge in ms -> requests beyond it, sign-ins left out; a failed one lies beyond every edge.
        times: multiple of RESOLUTION_MS -> answered requests, sign-ins left out.
        buckets: index of the engine's histogram -> the same requests.
        worst_ms: the longest of these.
        connects: multiple of RESOLUTION_MS -> requests that opened a connection.
        checks: name -> requests that met it; sign-ins are not checked.
    """

    failed: int = 0
    bodies: int = 0
    bad_bodies: int = 0
    worst_ms: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    sign_in_statuses: Counter[str] = field(default_factory=Counter)
    above: Counter[float] = field(default_factory=Counter)
    times: Counter[int] = field(default_factory=Counter)
    buckets: Counter[int] = field(default_factory=Counter)
    connects: Counter[int] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)

    def add(self, table: Table, edges: Iterable[float], timeout_s: float = math.inf) -> None:
        """Count these requests.

        Args:
            table: the requests.
            edges: in ms, each counted exactly.
            timeout_s: after which a request is given up; none has timed out without it.
        """
        import numpy as np

        timed = table.where(table.endpoint != SIGN_IN)
        times = timed.duration_ms[timed.ok]
        late = (table.status == 0) & (table.connect_ms + table.duration_ms >= _NEARLY * timeout_s * 1000)
        self.failed += int(np.count_nonzero(timed.failed))
        self.bodies += int(np.count_nonzero(table.body != UNREAD))
        self.bad_bodies += int(np.count_nonzero(table.body == BAD))
        self.worst_ms = max(self.worst_ms, float(times.max(initial=0.0)))
        statuses = np.where(late, _TIMED_OUT, table.status)
        _count(self.statuses, statuses, _status_name)
        _count(self.sign_in_statuses, statuses[table.endpoint == SIGN_IN], _status_name)
        for edge in edges:
            self.above[edge] += len(timed) - int(np.count_nonzero(times <= edge))
        _count(self.times, np.rint(times / RESOLUTION_MS).astype(np.int64))
        _count(self.buckets, np.floor(np.log(np.maximum(times, 1e-3)) / math.log(GROWTH)).astype(np.int64))
        _count(
            self.connects, np.rint(table.connect_ms[table.connect_ms > 0] / RESOLUTION_MS).astype(np.int64)
        )
        self.checks["status is 200"] += int(np.count_nonzero(timed.status == 200))  # noqa: PLR2004  # its name
        self.checks["response time < 1000ms"] += int(
            np.count_nonzero((timed.status > 0) & (timed.duration_ms < _CHECK_MS))
        )

    def __iadd__(self, other: Counts) -> Self:
        for name, value in vars(other).items():
            mine = getattr(self, name)
            if isinstance(value, Counter):
                mine.update(value)
            else:
                setattr(self, name, max(mine, value) if name == "worst_ms" else mine + value)
        return self

    @property
    def n(self) -> int:
        """Requests, sign-ins included."""
        return self.statuses.total()

    @property
    def timed(self) -> int:
        """Requests whose time counts: all but sign-ins."""
        return self.n - self.sign_in_statuses.total()

    def failures(
        self, labels: Mapping[str, str], span: tuple[float, float], *, starved: bool = False
    ) -> Measurement:
        """``http_req_failed``: no sign-in is in it; what was not waited for is no failure of the target's.

        Args:
            labels: what the requests have in common.
            span: seconds since the epoch, from and to.
            starved: the generator was, so that only what it cannot have made counts: a wrong status, a
                refusal, a cut connection, and no time-out.
        """
        statuses = self.statuses - self.sign_in_statuses
        late = statuses[TIME_OUT] if starved else 0
        if starved:
            del statuses[TIME_OUT]
        note = f"{late:,} requests that timed out are left out, for the generator was starved" if late else ""
        return Measurement(
            FAILED,
            n=statuses.total() - statuses[NOT_WAITED_FOR],
            failures=self.failed - late,
            labels=dict(labels),
            start=span[0],
            end=span[1],
            note=note,
            details={"statuses": dict(sorted(statuses.items()))},
        )

    def durations(
        self, thresholds: Iterable[Threshold], labels: Mapping[str, str], span: tuple[float, float]
    ) -> Measurement:
        """``http_req_duration``: a failed request, and one not waited for, lies above every edge.

        Args:
            thresholds: whose edges are given, and whose quantiles are displayed.
            labels: what the requests have in common.
            span: seconds since the epoch, from and to.
        """
        limits = [(t.edge, t.quantile) for t in thresholds if t.edge is not None and t.quantile is not None]
        quantiles = sorted({quantile for _, quantile in limits})
        answered, connected = Ranks(self.times), Ranks(self.connects)
        details: dict[str, Any] = {
            "median_ms": answered.median(),
            "worst_ms": round(self.worst_ms, 3) if self.times else None,
            **{f"p{100 * q:g}_ms": answered.quantile(q, of=self.timed) for q in quantiles},
            "connects": connected.n,
            "connect_median_ms": connected.median(),
            "statuses": dict(sorted((self.statuses - self.sign_in_statuses).items())),
        }
        return Measurement(
            DURATION,
            "ms",
            n=self.timed,
            exceedances={edge: self.above[edge] for edge, _ in limits},
            histogram=Histogram(dict(sorted(self.buckets.items()))),
            labels=dict(labels),
            start=span[0],
            end=span[1],
            details=details,
        )

    def checked(self) -> dict[str, dict[str, int]]:
        """The journey's two checks, counted as k6 counts checks."""
        return {
            name: {"passed": passed, "failed": self.timed - passed} for name, passed in self.checks.items()
        }


class Counters:
    """The counts of a run by ramp stage, endpoint and cohort.

    Args:
        thresholds: whose edges are counted.
        ramp: has the stage of a request.
        timeout_s: after which a request is given up.
    """

    def __init__(self, thresholds: Sequence[Threshold], ramp: Ramp, timeout_s: float) -> None:
        import scipy.special  # noqa: F401  # loaded now: the first judgement under load must not wait for it

        self.thresholds = tuple(thresholds)
        self._edges = sorted({t.edge for t in thresholds if t.edge is not None})
        self._ramp = ramp
        self._timeout_s = timeout_s
        self._counts: dict[Key, Counts] = {}

    def add(self, table: Table) -> None:
        """Count these requests."""
        import numpy as np

        keys = np.stack([table.stages(self._ramp), table.endpoint, table.cohort], axis=1)
        found, group = np.unique(keys, axis=0, return_inverse=True)
        for number, key in enumerate(found.tolist()):
            counts = self._counts.setdefault(Key(*key), Counts())
            counts.add(table.where(group.reshape(-1) == number), self._edges, self._timeout_s)

    def of(self, takes: Callable[[int, int, int], bool]) -> Counts:
        """The counts of every stage, endpoint and cohort that this function takes."""
        total = Counts()
        for key, counts in self._counts.items():
            if takes(*key):
                total += counts
        return total

    def endpoint(self, index: int | None, *, plateau: bool) -> Counts:
        """The counts of an endpoint so far.

        Args:
            index: of the endpoint, None for all requests, sign-ins included.
            plateau: of the plateau alone.
        """
        steady = self._ramp.plateau()
        return self.of(
            lambda stage, endpoint, _: index in {None, endpoint} and (not plateau or stage == steady)
        )


class Ranks:
    """Counted times in order."""

    def __init__(self, times: Counter[int]) -> None:
        self._times = sorted(times.items())
        self.n = sum(times.values())

    def median(self) -> float | None:
        """The median in ms, None of none."""
        if not self.n:
            return None
        return round((self._at((self.n + 1) // 2) + self._at(self.n // 2 + 1)) / 2, 3)

    def quantile(self, q: float, *, of: int) -> float | None:
        """The nearest-rank q-quantile in ms of so many, None where one stands that was not answered."""
        rank = max(1, math.ceil(q * of))
        return round(self._at(rank), 3) if 0 < rank <= self.n else None

    def _at(self, rank: int) -> float:
        ends = accumulate(count for _, count in self._times)
        return (
            next(value for (value, _), end in zip(self._times, ends, strict=True) if end >= rank)
            * RESOLUTION_MS
        )


def _count(into: Counter[Any], column: Column, name: Callable[[int], Any] = int) -> None:
    """Add how often each value stands in a column."""
    import numpy as np

    values, counts = np.unique(column, return_counts=True)
    into.update({name(value): n for value, n in zip(values.tolist(), counts.tolist(), strict=True)})


def _status_name(status: int) -> str:
    return {0: NO_ANSWER, CUT: NOT_WAITED_FOR, _TIMED_OUT: TIME_OUT}.get(status, str(status))
