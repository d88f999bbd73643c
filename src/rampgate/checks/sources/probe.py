"""What our own probes measure: whether a service answers, the scores of Lighthouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from rampgate.checks.frame.source import MetricSettings, Source
from rampgate.errors import ProbeError

if TYPE_CHECKING:
    from rampgate.checks.frame.check import Context
    from rampgate.model.measurement import Measurement


class OwnProbe(MetricSettings):
    """A probe of our own: `up` of a service, or a score of Lighthouse."""

    source: Literal["probe"] = "probe"
    name: Literal["up", "lighthouse_performance_score", "lighthouse_accessibility_score"] = Field(
        description="what is measured"
    )
    of: str = Field(
        default="", description="`api` or `web`; of a score, one of [[pages]]; none: all that there are"
    )

    @model_validator(mode="after")
    def _is_a_service(self) -> Self:
        if self.name == "up" and self.of not in {"", "api", "web"}:
            raise ValueError(f"found {self.of!r}; accepted are api and web")
        return self

    @property
    def of_the_watch(self) -> bool:
        """The immediate stage has these checks of its own."""
        return True

    @property
    def puts_load(self) -> bool:
        """An audit does; to ask a health address does not."""
        return self.name != "up"


def measure(metric: OwnProbe, context: Context) -> list[Measurement]:
    """The value; of several services or pages the worst.

    Raises:
        ProbeError: it could not be measured.
    """
    found = context.probe(metric.name, metric.of)
    missing = [each.note for each in found if each.value is None]
    if missing or not found:
        why = "; ".join(filter(None, missing))
        of = metric.of or "the target"
        raise ProbeError(f"metric {metric.name}: nothing was measured of {of}{why and ': '}{why}")
    return [min(found, key=lambda each: each.value or 0.0)]


SOURCE = Source(OwnProbe, measure)
