"""What the API observed: Prometheus series, and the figures of the last minutes."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter as Tally
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Info, generate_latest

from pharmapilot.operations import Operations
from pharmapilot.traffic import RAMPGATE, USER, Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_MINUTES = 60
# 1 ms to about 60 s in steps of 10 %.
_EDGES_MS = tuple(1.1**power for power in range(117))


@dataclass
class _Second:
    at: int
    requests: int = 0
    errors: int = 0
    latencies: Tally[int] = field(default_factory=Tally)


@dataclass(frozen=True)
class Figures:
    """The last minutes: counts, and the 95th percentile rounded up by at most 10 %, None of nothing."""

    minutes: int
    requests: int
    errors: int
    p95_ms: float | None

    @property
    def error_percent(self) -> float | None:
        """Server errors per hundred requests, None without requests."""
        return 100 * self.errors / self.requests if self.requests else None


class Recent:
    """Counts per second, for an hour; the past never has to be kept request by request."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seconds: deque[_Second] = deque(maxlen=MAX_MINUTES * 60)

    def add(self, seconds: float, *, error: bool) -> None:
        """Count one request."""
        at = int(self._now())
        if not self._seconds or self._seconds[-1].at != at:
            self._seconds.append(_Second(at))
        slot = self._seconds[-1]
        slot.requests += 1
        slot.errors += error
        slot.latencies[bisect_left(_EDGES_MS, seconds * 1000)] += 1

    def figures(self, minutes: int) -> Figures:
        """What the last minutes held."""
        since = self._now() - minutes * 60
        slots = [slot for slot in self._seconds if slot.at >= since]
        latencies: Tally[int] = Tally()
        for slot in slots:
            latencies.update(slot.latencies)
        requests = sum(slot.requests for slot in slots)
        return Figures(minutes, requests, sum(slot.errors for slot in slots), _p95(latencies, requests))


def _p95(latencies: Mapping[int, int], requests: int) -> float | None:
    wanted = 0.95 * requests
    below = 0
    for index in sorted(latencies):
        below += latencies[index]
        if below >= wanted:
            return round(_EDGES_MS[min(index, len(_EDGES_MS) - 1)], 1)
    return None


class Metrics:
    """Everything counted in this process."""

    def __init__(self) -> None:
        self.recent = Recent()
        self.registry = CollectorRegistry()
        self.traffic = Traffic()
        self.operations = Operations()
        for collector in (self.traffic, self.operations):
            self.registry.register(collector)
        self._cache = Counter(
            "cache_lookups_total", "Looked up in Redis.", ("result",), registry=self.registry
        )
        self._hits = Counter("cache_hits", "Answered from Redis.", registry=self.registry)
        self._misses = Counter("cache_misses", "Not found in Redis.", registry=self.registry)
        self._build = Info("pharmapilot_build", "What runs.", registry=self.registry)
        self._up = {
            store: Gauge(f"{store}_up", f"1 while {store} answers.", registry=self.registry)
            for store in ("mongodb", "redis")
        }

    def build(self, version: str, instance: str) -> None:
        """Tell which version runs, and which process of it."""
        self._build.info({"version": version, "instance": instance})

    def cache(self, result: str) -> None:
        """Count one lookup: hit or miss."""
        self._cache.labels(result).inc()
        (self._hits if result == "hit" else self._misses).inc()

    def stores(self, states: Mapping[str, str]) -> None:
        """Note which stores answer."""
        for store, state in states.items():
            self._up[store].set(state == "ok")

    def exposition(self) -> bytes:
        """All series in the Prometheus text format."""
        return generate_latest(self.registry)

    def counters(self) -> dict[str, Any]:
        """What only rises, as plain JSON: requests of users and of a gate apart, votes, the database."""
        return {
            "at": time.time(),
            "requests": self.traffic.to_json(USER),
            "ownRequests": self.traffic.to_json(RAMPGATE),
            "votes": self.traffic.votes.to_json(),
            "database": self.operations.to_json(),
        }
