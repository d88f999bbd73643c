"""What the sources of reported metrics have in common."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from rampgate.checks.frame.table import Duration, Table
from rampgate.errors import ProbeError
from rampgate.model.metrics import ALIASES, METRICS, Kind, factor

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.checks.frame.check import Context
    from rampgate.model.measurement import Measurement

_KINDS = {dict: "an object", list: "a list", str: "text", bool: "a truth value"}
_SHOWN = 40
_COUNTED = {
    "cache_hit_rate": Kind.RATE,
    **{name: Kind.LATENCY for name, metric in METRICS.items() if metric.percentile},
}
"""Values that are a share, or a percentile, of what can be counted."""
_FORMS = (
    "accepted are value of any, total and failed of a rate, total and buckets of a latency, count of a count"
)


class MetricSettings(Table):
    """One metric, of those that rampgate knows or of your own. These keys go with every `source`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="lower case; thresholds may name it")
    source: str = ""
    unit: str = Field(default="", description="`ms`, `s`, `%`")
    required: bool = True
    show_only: bool = Field(default=False, description="reported, and judged by no threshold")
    watch_only: bool = Field(default=False, description="read by the watch, not by the immediate stage")
    interval: Duration | None = Field(default=None, gt=0, description="in place of `watch.interval`")
    window: Duration | None = Field(default=None, gt=0, description="in place of `watch.window`")
    max_age: Duration | None = Field(default=None, gt=0, description="in place of `watch.max_age`")
    own_traffic: Literal["apart", "mixed"] = Field(
        default="mixed", description="`apart`: requests with X-Rampgate-Run are not counted in it"
    )

    @field_validator("name")
    @classmethod
    def _is_no_alias(cls, name: str) -> str:
        if name in ALIASES:
            raise ValueError(f"accepted is {ALIASES[name]}, which this is another name of")
        return name

    @model_validator(mode="after")
    def _fits_its_metric(self) -> Self:
        """What is read is what the metric is, where rampgate knows it."""
        metric = METRICS.get(self.name)
        if metric and self.counted and self.kind not in {metric.kind, _COUNTED.get(self.name)}:
            raise ValueError(f"found a {self.kind}, and {self.name} is a {metric.kind}; {_FORMS}")
        if metric and factor(metric, self.unit) is None:
            accepted = metric.unit or "%"
            raise ValueError(f"found the unit {self.unit!r} of {self.name}; accepted is {accepted}, or none")
        return self

    @property
    def counted(self) -> bool:
        """Whether counters are read, which say something over time alone."""
        return False

    @property
    def of_the_watch(self) -> bool:
        """Whether the immediate stage does not measure it."""
        metric = METRICS.get(self.name)
        return self.watch_only or self.counted or (metric is not None and metric.kind is not Kind.VALUE)

    @property
    def puts_load(self) -> bool:
        """Whether reading it disturbs a run that measures, beside which it is put off."""
        return False

    @property
    def of_a_store(self) -> bool:
        """Whether it counts for as long as a store runs, which may be restarted beside the deployment."""
        return False

    @property
    def needs(self) -> str:
        """What else the settings must say, dotted; "" for nothing."""
        return ""

    @property
    def kind(self) -> Kind:
        """How a metric of the user's own is counted."""
        return Kind.VALUE

    @property
    def lookback(self) -> float | None:
        """Seconds over which a value looks back, which may straddle no change; None: as others."""
        return 0.0 if self.window is None else self.window


@dataclass(frozen=True)
class Source:
    """A source: a module of checks/sources/ defines it as ``SOURCE``.

    Args:
        settings: its keys in [[metrics]], its name being the default of ``source``.
        measure: reads one entry. A number is the measurement's ``value``; a share its ``failures`` of ``n``;
            ``start`` and ``end`` say when the sample was taken, if not just now; the label ``cohort`` says
            of whom (on, off).
    """

    settings: type[MetricSettings]
    measure: Callable[[Any, Context], list[Measurement]]

    @property
    def name(self) -> str:
        """What ``source`` says in [[metrics]]."""
        return str(self.settings.model_fields["source"].default)


def refuse(metric: MetricSettings, place: str, found: str, accepted: str) -> ProbeError:
    """The one line about a metric that is no number: which, where, what was found, what is accepted."""
    return ProbeError(
        f"metric {metric.name}, {' '.join(place.split())}: found {found}; accepted is {accepted}"
    )


def finite(metric: MetricSettings, place: str, found: Any, where: str = "") -> float:
    """What was found, as a finite number.

    Args:
        metric: is read.
        place: its address or query, for the message.
        found: of any type.
        where: in the answer, for the message: ``" at 'data.rate'"``.

    Raises:
        ProbeError: it is none.
    """
    if found is None:
        raise refuse(metric, place, f"nothing (or null){where}", "a number there")
    if isinstance(found, bool) or not isinstance(found, int | float):
        text = f" {json.dumps(found)[:_SHOWN]}" if type(found) in {str, bool} else ""
        kind = _KINDS.get(type(found), type(found).__name__)
        raise refuse(metric, place, f"{kind}{text}{where}", "a finite number")
    try:
        number = float(found)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise refuse(metric, place, f"{number:g}{where}", "a finite number")
    return number
