"""What the API knows of MongoDB: times of operations, connections that failed, connections in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from pharmapilot.traffic import Times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

# Seconds; the seed calls an operation slow above 100 ms.
EDGES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
POOL_SIZE = 100


class Operations:
    """Counts that only rise, and the connections that the server had when it was asked last."""

    def __init__(self) -> None:
        self.times = Times(EDGES)
        self.failures = 0
        self.connections: int | None = None

    def failed(self) -> None:
        """Count a connection that failed."""
        self.failures += 1

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "operations": {"total": self.times.total, "buckets": self.times.to_json()},
            "connectionFailures": self.failures,
            "connections": self.connections,
            "poolSize": POOL_SIZE,
        }

    def collect(self) -> Iterator[Metric]:
        """The series of Prometheus."""
        times = HistogramMetricFamily("mongodb_operation_seconds", "Time of an operation of MongoDB.")
        times.add_metric((), self.times.prometheus(), self.times.seconds)
        yield times
        yield CounterMetricFamily(
            "mongodb_connection_failures", "Connections to MongoDB that failed.", value=self.failures
        )
        yield GaugeMetricFamily("mongodb_pool_size", "Connections that the API may have.", value=POOL_SIZE)
        if self.connections is not None:
            yield GaugeMetricFamily(
                "mongodb_connections", "Connections of the server, in use.", value=self.connections
            )
