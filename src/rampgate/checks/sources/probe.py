"""What our own probes measure: whether a service answers, the scores of Lighthouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rampgate.checks.frame.source import MetricSettings, Source
from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from rampgate.checks.frame.check import Context
    from rampgate.model.measurement import Measurement


class OwnProbe(MetricSettings):
    """A probe of our own: `up` of a service, or a score of Lighthouse."""

    source: Literal["probe"] = "probe"
    of: str = Field(
        default="", description="`api` or `web`; of a score, one of [[pages]]; none: all that there are"
    )

    @property
    def lookback(self) -> float | None:
        """It is as of now."""
        return 0.0 if self.window is None else self.window


def measure(metric: OwnProbe, context: Context) -> list[Measurement]:
    """The value; of several services or pages the worst.

    Raises:
        ProbeError: it could not be measured.
    """
    found = [each for each in context.probe(metric.name, metric.of) if each.value is not None]
    if not found:
        raise ProbeError(f"metric {metric.name}: nothing was measured")
    return [min(found, key=lambda each: each.value or 0.0)]


SOURCE = Source(OwnProbe, measure)
