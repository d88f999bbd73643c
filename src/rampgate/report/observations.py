"""What was measured of a check, as the evidence part of a page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.judging.sentences import unanswered
from rampgate.model import formats
from rampgate.model.metrics import Kind
from rampgate.model.text import clean
from rampgate.report import charts, details, journeys, load, sentences

if TYPE_CHECKING:
    from markupsafe import Markup

    from rampgate.model.measurement import Measurement
    from rampgate.report import evidence

_WORTH_A_CURVE = 2


class Observation(NamedTuple):
    """A measurement among the evidence of a check."""

    title: str
    role: str
    facts: list[tuple[str, str]]
    note: str
    curve: Markup
    details: details.Node | str | None


def observation(seen: evidence.Seen, check: str) -> Observation:
    """A measurement among the evidence of a check.

    Args:
        seen: what was measured, with what was held against it.
        check: the id of its check.
    """
    measurement = seen.measurement
    rest = {name: value for name, value in measurement.details.items() if name != journeys.VISITS}
    return Observation(
        title=sentences.title(measurement, check),
        role=seen.role,
        facts=_numbers(measurement),
        note=measurement.note,
        curve=_curve(seen),
        details=details.node(rest) if rest else None,
    )


def _numbers(seen: Measurement) -> list[tuple[str, str]]:
    """The measurement's own numbers, apart from its details."""
    single = seen.value is not None or bool(seen.values)
    facts = [] if single and not seen.n else [("n", f"{seen.n:,}")]
    if seen.failures is not None:
        rate = sentences.kind_of(seen.metric) is Kind.RATE
        facts.append(("failed" if rate else "counted among them", f"{seen.failures:,}"))
    if seen.value is not None:
        facts.append(("value", sentences.amount(seen.metric, seen.value, seen.unit)))
    if seen.values:
        listed = seen.values[: details.MOST]
        facts.append(("values", " ".join(sentences.amount(seen.metric, each, seen.unit) for each in listed)))
    beyond = "failed, or at or over" if unanswered(seen) else "at or over"
    for edge, count in sorted(seen.exceedances.items()):
        facts.append((f"{beyond} {formats.number(edge)} {seen.unit}", f"{count:,}"))
    facts += load.quantiles(seen)
    if seen.start:
        facts += [
            ("from", formats.moment(seen.start)),
            ("for", f"{formats.number(max(0.0, seen.end - seen.start))} s"),
        ]
    return facts


def _curve(seen: evidence.Seen) -> Markup:
    histogram = seen.measurement.histogram
    if histogram is None or sum(histogram.counts.values()) < _WORTH_A_CURVE:
        return markup("")
    unit = seen.measurement.unit
    limits = {
        clean(f"{formats.number(judgement.limit)} {unit}", 40): judgement.limit
        for judgement in seen.judgements
        if judgement.limit > 0
    }
    return markup(charts.spread(histogram, limits, unit, bins=seen.bins))


def markup(text: str) -> Markup:
    """What stands in a document as it is: a drawing of our own, or a text that is escaped already."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - escaped by ElementTree, or by whoever hands it over
