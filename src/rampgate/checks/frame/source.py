"""What the sources of reported metrics have in common."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from rampgate.checks.frame.table import Duration, Table
from rampgate.errors import ProbeError
from rampgate.model.metrics import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.checks.frame.check import Context
    from rampgate.model.measurement import Measurement

_KINDS = {dict: "an object", list: "a list", str: "text", bool: "a truth value"}
_SHOWN = 40


class MetricSettings(Table):
    """What an entry of [[metrics]] says whatever its source; each source adds its keys, and its name."""

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

    @property
    def counted(self) -> bool:
        """Whether counters are read, which say something over time alone."""
        return False

    @property
    def kind(self) -> Kind:
        """How a metric of the user's own is counted."""
        return Kind.VALUE

    @property
    def lookback(self) -> float | None:
        """Seconds over which a value looks back, a window that may straddle no change; None: as others."""
        return self.window


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
    return ProbeError(f"metric {metric.name}, {place}: found {found}; accepted is {accepted}")


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
        raise refuse(metric, place, f"a number too large{where}", "a finite number")
    return number
