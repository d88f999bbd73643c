"""What the server of [redis] says of itself: whether it answers, its hit rate, its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from rampgate.checks.frame.source import MetricSettings, Source, finite, refuse
from rampgate.checks.frame.table import Size
from rampgate.io.stores import StoreError
from rampgate.model.increments import COUNTERS, FAILED, TOTAL
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from rampgate.checks.frame.check import Context

_PLACE = "INFO"


class RedisFigure(MetricSettings):
    """A figure of `INFO`."""

    source: Literal["redis"] = "redis"
    value: Literal["up", "hit_rate", "memory"] = Field(
        description="`up`: 1 or 0; `hit_rate`: in the window; `memory`: in per cent of what it may use"
    )
    memory_limit: Size | None = Field(
        default=None, gt=0, description="what it may use, where its own maxmemory does not say so"
    )

    @property
    def counted(self) -> bool:
        """Hits and misses are counters."""
        return self.value == "hit_rate"

    @property
    def of_a_store(self) -> bool:
        """It is not the deployment that begins anew with it."""
        return True

    @property
    def needs(self) -> str:
        """Where the server is."""
        return "redis"


def measure(metric: RedisFigure, context: Context) -> list[Measurement]:
    """``up``: 1 or 0; ``hit_rate``: counters of look-ups and misses; ``memory``: per cent.

    Raises:
        ProbeError: [redis] is not configured, or its server does not say so.
    """
    try:
        with context.store("redis") as client:
            info: dict[str, Any] = {} if metric.value == "up" else client.info()
    except StoreError as error:
        if metric.value == "up":
            return [Measurement(metric.name, n=1, value=0.0, note=str(error))]
        raise refuse(metric, _PLACE, str(error), "its answer") from None
    if metric.value == "up":
        return [Measurement(metric.name, n=1, value=1.0)]
    return [_hits(metric, info) if metric.value == "hit_rate" else _memory(metric, info)]


def _hits(metric: RedisFigure, info: dict[str, Any]) -> Measurement:
    hits, misses = (_number(metric, info, name) for name in ("keyspace_hits", "keyspace_misses"))
    counted = {TOTAL: {"": hits + misses}, FAILED: {"": misses}}
    return Measurement(
        metric.name, n=round(hits + misses), failures=round(misses), details={COUNTERS: counted}
    )


def _memory(metric: RedisFigure, info: dict[str, Any]) -> Measurement:
    limit = metric.memory_limit or _number(metric, info, "maxmemory")
    if not limit:
        raise refuse(metric, _PLACE, "no maxmemory", "memory_limit beside it")
    share = 100 * _number(metric, info, "used_memory") / limit
    return Measurement(metric.name, metric.unit, n=1, value=share)


def _number(metric: RedisFigure, info: dict[str, Any], name: str) -> float:
    return finite(metric, _PLACE, info.get(name), f" at {name}")


SOURCE = Source(RedisFigure, measure)
