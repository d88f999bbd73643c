"""What browsers measured: the web vitals of signed-in users, in memory and as Prometheus series."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from pharmapilot.errors import BadRequestError
from pharmapilot.traffic import Times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pharmapilot.faults import Faults

# Every other page shares one label: what a stranger names must not grow the series.
PAGES = ("/", "/dashboard", "/patients", "/notes", "/signin")
OTHER_PAGE = "other"
MAX_SAMPLES = 50_000
_LONGEST_PAGE = 200
_MAX_MS = 600_000.0
_MAX_SHIFT = 1_000.0
_MS_PER_SECOND = 1_000.0
# Around the "good" and "poor" limits that web.dev publishes for each; seconds, CLS without a unit.
_BUCKETS: Mapping[str, tuple[float, ...]] = {
    "LCP": (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0),
    "INP": (0.016, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0),
    "FCP": (0.1, 0.25, 0.5, 1.0, 1.8, 3.0, 5.0),
    "TTFB": (0.01, 0.05, 0.1, 0.2, 0.4, 0.8, 1.8, 3.0),
    "CLS": (0.01, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0),
}
METRICS = tuple(_BUCKETS)


@dataclass(frozen=True)
class Beacon:
    """What one visit of a page measured: milliseconds, CLS without a unit."""

    page: str
    metrics: Mapping[str, float]


def parse_beacon(body: Any) -> Beacon:
    """What a browser sent.

    Raises:
        BadRequestError: it is something else.
    """
    accepted = (
        '{"page": "/patients", "metrics": {one or more of '
        + ", ".join(METRICS)
        + ": milliseconds, CLS without a unit}}"
    )
    page = body.get("page") if isinstance(body, dict) else None
    metrics = body.get("metrics") if isinstance(body, dict) else None
    if not isinstance(page, str) or not page.startswith("/") or len(page) > _LONGEST_PAGE:
        raise BadRequestError(f"accepted: {accepted}")
    if not isinstance(metrics, dict) or not metrics or not all(_is_right(*pair) for pair in metrics.items()):
        raise BadRequestError(f"metrics are {metrics!r}; accepted: {accepted}")
    path = page.partition("?")[0]
    return Beacon(path if path in PAGES else OTHER_PAGE, metrics)


class Vitals:
    """Keeps the beacons of the last hour, at most 50,000 of them."""

    def __init__(
        self, registry: CollectorRegistry, faults: Faults, now: Callable[[], float] = time.time
    ) -> None:
        self._faults = faults
        self._now = now
        self._times = {name: Times(buckets) for name, buckets in _BUCKETS.items()}
        self._kept: deque[tuple[float, Beacon]] = deque(maxlen=MAX_SAMPLES)
        self._received = Counter(
            "web_vitals_received", "Web vitals kept.", ("page", "metric"), registry=registry
        )
        self._series = {
            name: Histogram(
                f"web_vitals_{name.lower()}" + ("" if name == "CLS" else "_seconds"),
                f"{name} as browsers measured it.",
                ("page", "cohort"),
                buckets=buckets,
                registry=registry,
            )
            for name, buckets in _BUCKETS.items()
        }

    @property
    def collecting(self) -> bool:
        """Whether what is sent is kept."""
        return not self._faults.is_on("vitals_lost")

    @property
    def last_at(self) -> float | None:
        """When the last beacon was kept, seconds since 1970; None before the first."""
        return self._kept[-1][0] if self._kept else None

    def keep(self, beacon: Beacon, cohort: str) -> None:
        """Keep one beacon."""
        if not self.collecting:
            return
        slow = self._faults.struck("vitals_slow")
        if slow is not None and "LCP" in beacon.metrics:
            slower = {**beacon.metrics, "LCP": beacon.metrics["LCP"] + slow["ms"]}
            beacon = replace(beacon, metrics=slower)
        self._kept.append((self._now(), beacon))
        for name, value in beacon.metrics.items():
            self._received.labels(beacon.page, name).inc()
            unit = 1.0 if name == "CLS" else _MS_PER_SECOND
            self._series[name].labels(beacon.page, cohort).observe(value / unit)
            self._times[name].add(value / unit)

    def figures(self, minutes: int) -> dict[str, Any]:
        """The beacons of the last minutes: how many, and of each metric the 75th percentile, None of nothing.

        The percentile is the nearest rank: the least value that three quarters do not exceed. Beside it are
        counters that only rise: all beacons since the start, and how many lay at or below each edge, in ms.
        """
        since = self._now() - minutes * 60
        recent = [beacon.metrics for at, beacon in self._kept if at >= since]
        figures: dict[str, Any] = {"count": len(recent)}
        for name in METRICS:
            values = sorted(metrics[name] for metrics in recent if name in metrics)
            p75 = values[math.ceil(0.75 * len(values)) - 1] if values else None
            counted = self._times[name]
            figures[name] = {
                "p75": p75,
                "count": len(values),
                "total": counted.total,
                "buckets": counted.to_json(1.0 if name == "CLS" else 1 / _MS_PER_SECOND),
            }
        return figures


def _is_right(name: object, value: object) -> bool:
    if name not in METRICS or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= (_MAX_SHIFT if name == "CLS" else _MAX_MS)
