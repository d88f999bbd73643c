"""[[metrics]]: numbers that the deployment, or its monitoring, reports about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Discriminator, Tag

from rampgate.checks.frame.check import Check, Context
from rampgate.checks.frame.discovery import sources
from rampgate.model.metrics import Kind, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rampgate.checks.frame.source import MetricSettings
    from rampgate.model.measurement import Measurement

DEFAULT_SOURCE = "json"


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
    return (Metric(entry.name, Kind.VALUE, entry.unit, "reported by the deployment") for entry in entries)


CHECK = Check("metric", "metrics", _any_source(), several=True, declares=_declares)


def measure(metric: MetricSettings, context: Context) -> list[Measurement]:
    """What the source of a metric says now.

    Args:
        metric: one entry of [[metrics]].
        context: what every check is given.

    Raises:
        ProbeError: there is no number; one line says what was found and what is accepted.
        UnreachableError: the service that reports it does not answer.
    """
    return sources()[metric.source].measure(metric, context)
