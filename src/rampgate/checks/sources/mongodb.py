"""What the server of [mongodb] says of itself: whether it answers, how many connections are in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from rampgate.checks.frame.source import MetricSettings, Source, finite, refuse
from rampgate.io.stores import StoreError
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from rampgate.checks.frame.check import Context

_PLACE = "serverStatus"


class MongoFigure(MetricSettings):
    """A figure of `serverStatus`."""

    source: Literal["mongodb"] = "mongodb"
    value: Literal["up", "connections"] = Field(
        description="`up`: 1 or 0; `connections`: in use, in per cent of `pool_size`"
    )
    pool_size: int | None = Field(default=None, ge=1, description="connections that the application may have")

    @property
    def needs(self) -> str:
        """Where the server is."""
        return "mongodb"

    @model_validator(mode="after")
    def _has_a_pool(self) -> Self:
        if self.value == "connections" and not self.pool_size:
            raise ValueError("found connections without pool_size; accepted is pool_size beside it")
        return self


def measure(metric: MongoFigure, context: Context) -> list[Measurement]:
    """``up``: 1 or 0; ``connections``: per cent.

    Raises:
        ProbeError: [mongodb] is not configured, or its server does not say so.
    """
    try:
        with context.store("mongodb") as client:
            status: dict[str, Any] = {} if metric.value == "up" else client.admin.command("serverStatus")
    except StoreError as error:
        if metric.value == "up":
            return [Measurement(metric.name, n=1, value=0.0, note=str(error))]
        raise refuse(metric, _PLACE, str(error), "its answer") from None
    if metric.value == "up":
        return [Measurement(metric.name, n=1, value=1.0)]
    connections = status.get("connections")
    current = connections.get("current") if isinstance(connections, dict) else None
    share = 100 * finite(metric, _PLACE, current, " at connections.current") / (metric.pool_size or 1)
    return [Measurement(metric.name, metric.unit, n=1, value=share)]


SOURCE = Source(MongoFigure, measure)
