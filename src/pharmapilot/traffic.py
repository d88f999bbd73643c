"""Requests as they are counted: by endpoint, cohort and origin, and as one vote a user and minute."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter as Tally
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client.metrics_core import Metric

# The seed's buckets, 50 to 5000 ms, in seconds as Prometheus wants them.
BUCKETS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SERVER_ERROR = 500
NO_COHORT = ""
USER, RAMPGATE = "user", "rampgate"
MAX_VOTES = 100_000
_MINUTE_SECONDS = 60
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LABELS = ("endpoint", "cohort", "origin")


class Asker(NamedTuple):
    """Who asks: the user's id and cohort, "" where there is none, and whether it is a gate that measures."""

    user_id: str = ""
    cohort: str = NO_COHORT
    origin: str = USER


class Times:
    """How many lay at or below each edge; counts that only rise. Edges in seconds."""

    def __init__(self, edges: Sequence[float] = BUCKETS) -> None:
        self.seconds = 0.0
        self._edges = edges
        self._counts = [0] * (len(edges) + 1)

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._edges, seconds)] += 1
        self.seconds += seconds

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self._counts)

    def to_json(self, unit: float = 0.001) -> dict[str, int]:
        """Edge in ms, or in another unit of so many seconds -> how many lay at or below it."""
        return {f"{edge / unit:g}": count for edge, count in self._at_most()}

    def prometheus(self) -> list[tuple[str, float]]:
        """The buckets as Prometheus shows them."""
        return [*((str(edge), float(count)) for edge, count in self._at_most()), ("+Inf", float(self.total))]

    def _at_most(self) -> Iterator[tuple[float, int]]:
        count = 0
        for edge, more in zip(self._edges, self._counts, strict=False):
            count += more
            yield edge, count


class _Series:
    """The requests of one endpoint, cohort and origin."""

    def __init__(self) -> None:
        self.answers: Tally[tuple[str, int]] = Tally()
        self.times = Times()


class Traffic:
    """All requests. A collector of Prometheus, without its locks: one request costs three additions."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, str], _Series] = {}
        self.votes = Votes()

    def add(self, method: str, endpoint: str, status: int, asker: Asker, seconds: float) -> None:
        """Count one request; a gate's own is no vote, nor that of a user in no cohort."""
        key = endpoint, asker.cohort, asker.origin
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series()
        series.answers[method if method in _METHODS else "other", status] += 1
        series.times.add(seconds)
        if asker.cohort and asker.origin == USER:
            self.votes.cast(asker, endpoint, failed=status >= SERVER_ERROR)

    def to_json(self, origin: str) -> list[dict[str, Any]]:
        """The requests to the API proper of one origin, by endpoint and cohort."""
        return [
            {
                "endpoint": endpoint,
                "cohort": cohort,
                "total": series.times.total,
                "failed": sum(n for (_, status), n in series.answers.items() if status >= SERVER_ERROR),
                "buckets": series.times.to_json(),
            }
            for (endpoint, cohort, whose), series in sorted(self._series.items())
            if whose == origin and endpoint.startswith("/api/") and not endpoint.startswith("/api/admin")
        ]

    def collect(self) -> Iterator[Metric]:
        """The series of Prometheus."""
        requests = CounterMetricFamily(
            "http_requests", "Requests answered.", labels=("method", "status", *_LABELS)
        )
        times = HistogramMetricFamily(
            "http_request_duration_seconds", "Time to the end of the answer.", labels=_LABELS
        )
        for key, series in self._series.items():
            for (method, status), count in series.answers.items():
                requests.add_metric((method, str(status), *key), count)
            times.add_metric(key, series.times.prometheus(), series.times.seconds)
        yield from (requests, times, *self.votes.collect())


class Votes:
    """One vote a user, endpoint and minute, which fails where any of the requests in it did.

    A user whose requests keep failing is one failure a minute, however often he tries again.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._minute = 0
        self._cast: dict[tuple[str, str], bool] = {}
        self._total: Tally[tuple[str, str]] = Tally()
        self._failed: Tally[tuple[str, str]] = Tally()

    def cast(self, asker: Asker, endpoint: str, *, failed: bool) -> None:
        """Count one request of a user."""
        minute = int(self._now() // _MINUTE_SECONDS)
        if minute != self._minute:
            self._minute = minute
            self._cast.clear()
        vote, key = (asker.user_id, endpoint), (endpoint, asker.cohort)
        before = self._cast.get(vote)
        if before is None:
            if len(self._cast) >= MAX_VOTES:
                return
            self._total[key] += 1
        if failed and not before:
            self._failed[key] += 1
        self._cast[vote] = bool(before) or failed

    def to_json(self) -> list[dict[str, Any]]:
        """The votes by endpoint and cohort."""
        return [
            {"endpoint": endpoint, "cohort": cohort, "total": total, "failed": self._failed[endpoint, cohort]}
            for (endpoint, cohort), total in sorted(self._total.items())
        ]

    def collect(self) -> Iterator[Metric]:
        """The series of Prometheus."""
        votes = CounterMetricFamily("http_votes", "Users with a request, by minute.", labels=_LABELS[:2])
        failed = CounterMetricFamily(
            "http_failed_votes", "Users with a request that failed, by minute.", labels=_LABELS[:2]
        )
        for key, total in self._total.items():
            votes.add_metric(key, total)
            failed.add_metric(key, self._failed[key])
        yield from (votes, failed)
