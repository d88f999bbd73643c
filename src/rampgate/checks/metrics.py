"""[[metrics]]: numbers that the deployment, or its monitoring, reports about itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Discriminator, Tag

from rampgate.checks.frame.check import Check, Context
from rampgate.checks.frame.discovery import sources
from rampgate.errors import ProbeError
from rampgate.model import formats
from rampgate.model.metrics import METRICS, Metric, factor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rampgate.checks.frame.source import MetricSettings
    from rampgate.model.measurement import Measurement

DEFAULT_SOURCE = "json"
MAX_AGE_S = 120.0
"""Of a sample, where nothing else says so."""


def _source_of(entry: Any) -> str:
    """Which source an entry of [[metrics]] names."""
    named = entry.get("source") if isinstance(entry, dict) else getattr(entry, "source", None)
    return str(named or DEFAULT_SOURCE)


def _any_source() -> Any:
    """The type of one entry: the settings of the source that it names."""
    tagged = tuple(Annotated[source.settings, Tag(name)] for name, source in sources().items())
    if len(tagged) == 1:  # pydantic knows no union of one
        return next(iter(sources().values())).settings
    return Annotated[Union[tagged], Discriminator(_source_of)]  # noqa: UP007  # as many as there are files


def _declares(entries: Sequence[MetricSettings]) -> Iterable[Metric]:
    return (Metric(entry.name, entry.kind, entry.unit, "reported by the deployment") for entry in entries)


class _Metrics(Check):
    """Of the immediate stage are the metrics that are one value, and its own to judge."""

    def subjects(self, configured: Sequence[MetricSettings]) -> dict[str, MetricSettings]:
        """Name -> entry."""
        return {entry.name: entry for entry in configured if not entry.of_the_watch}


CHECK = _Metrics("metric", "metrics", _any_source(), several=True, declares=_declares)


def measure(metric: MetricSettings, context: Context, max_age: float = MAX_AGE_S) -> list[Measurement]:
    """What the source of a metric says now, in the metric's own unit.

    Args:
        metric: one entry of [[metrics]].
        context: what every check is given.
        max_age: of a sample in seconds, where the entry says none.

    Raises:
        ProbeError: there is no number, or it is too old; one line says what was found and what is accepted.
        UnreachableError: the service that reports it does not answer.
    """
    found = [_converted(metric, each) for each in sources()[metric.source].measure(metric, context)]
    accepted = metric.max_age or max_age
    oldest = min((each.end for each in found if each.end), default=context.clock.now())
    age = context.clock.now() - oldest
    if abs(age) > accepted:
        text = f"{formats.duration(age)} old" if age > 0 else f"{formats.duration(-age)} ahead of this clock"
        raise ProbeError(
            f"metric {metric.name}: its newest sample is {text}; accepted are {formats.duration(accepted)}"
        )
    return found


def _converted(metric: MetricSettings, read: Measurement) -> Measurement:
    """A value in the unit in which a metric that rampgate knows is judged."""
    known = METRICS.get(metric.name)
    if known is None or read.value is None:
        return read
    return replace(read, value=read.value * (factor(known, metric.unit) or 1.0), unit=known.unit)
