"""What was measured beside what was measured before the deploy, and whether it differs beyond noise."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.model import formats
from rampgate.model.differences import Difference, of_rates, of_scores
from rampgate.model.measurement import GROWTH, Measurement
from rampgate.model.metrics import METRICS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rampgate.config.settings import Settings
    from rampgate.evidence.baseline import Baseline

BEFORE = "before"
"""In a measurement's details: run, value, n, difference, why."""
_P95 = 0.95
_OTHER_MIX = "requests to other endpoints, in another mix"
_ONE_VALUE = "a value without counts: no noise can be stated"
_ELSEWHERE = (
    "before: our own requests, timed from outside; after: those of users, as the deployment times them"
)


class Compared(NamedTuple):
    """One number before.

    Args:
        value: in the metric's unit; a rate as a fraction.
        n: how many observations stand behind it.
        difference: to the one after.
        why: what a reader must know of it.
    """

    value: float | None
    n: int
    difference: Difference
    why: str


def beside(after: Iterable[Measurement], before: Baseline | None, settings: Settings) -> list[Measurement]:
    """Each measurement with what the newest predeploy run has measured of the same, where it has.

    Args:
        after: what was measured now.
        before: that run, None where there is none.
        settings: name the endpoints.
    """
    if before is None:
        return list(after)
    names = _names(settings)
    return [_beside(each, before, names) for each in after]


def _beside(after: Measurement, before: Baseline, names: Mapping[str, str]) -> Measurement:
    endpoint = after.labels.get("endpoint")
    labels = {"endpoint": names.get(endpoint, endpoint)} if endpoint else {}
    known = [
        each
        for each in before.measurements
        if each.metric == after.metric and labels.items() <= dict(each.labels).items()
    ]
    if not known:
        return after
    found = _compared(after, known)
    said: dict[str, Any] = {**found._asdict(), "run": before.run}
    note = f"{after.note}; {_sentence(after, found)}".removeprefix("; ")
    return replace(after, note=note, details={**after.details, BEFORE: said})


def _compared(after: Measurement, known: Sequence[Measurement]) -> Compared:
    kind = METRICS[after.metric].kind if after.metric in METRICS else Kind.VALUE
    if kind is Kind.SCORE:
        return _scores(after, known)
    if kind in {Kind.RATE, Kind.LATENCY} and not after.labels and known[-1].labels.get("endpoint"):
        return Compared(None, sum(each.n for each in known), Difference.UNKNOWN, _OTHER_MIX)
    one = known[-1]
    if kind is Kind.RATE and one.failures is not None and after.failures is not None:
        found = of_rates((one.failures, one.n), (after.failures, after.n))
        return Compared(one.failures / one.n if one.n else None, one.n, found, _ELSEWHERE)
    if kind is Kind.LATENCY:
        return _times(after, one)
    return Compared(one.value, one.n, Difference.UNKNOWN, _ONE_VALUE)


def _times(after: Measurement, before: Measurement) -> Compared:
    """How many took longer than about the p95 before: the nearest edge that was counted after."""
    p95 = before.histogram.quantile(_P95) if before.histogram else None
    if p95 is None or before.histogram is None or not after.exceedances:
        return Compared(p95, before.n, Difference.UNKNOWN, "nothing that was counted in the same way")
    edge = min(filter(None, after.exceedances), key=lambda each: abs(math.log(each / p95)))
    answered = sum(before.histogram.counts.values())
    slow = sum(count for index, count in before.histogram.counts.items() if GROWTH**index >= edge)
    found = of_rates((slow + before.n - answered, before.n), (after.exceedances[edge], after.n))
    return Compared(p95, before.n, found, f"by how many took over {formats.number(edge)} ms; {_ELSEWHERE}")


def _scores(after: Measurement, known: Sequence[Measurement]) -> Compared:
    """Of several pages the worst, as after."""
    worst = min((each for each in known if each.values), key=lambda each: sorted(each.values), default=None)
    if worst is None:
        return Compared(None, 0, Difference.UNKNOWN, "no scores before")
    value = sorted(worst.values)[len(worst.values) // 2]
    pages = {each.labels.get("page") for each in known}
    if pages != set(after.details.get("pages", ())):
        return Compared(value, len(worst.values), Difference.UNKNOWN, "other pages were audited")
    found = of_scores(worst.values, after.values, METRICS[after.metric].sd_floor)
    return Compared(value, len(worst.values), found, "the worst of the same pages")


def _names(settings: Settings) -> dict[str, str]:
    """Path of an endpoint -> its name, by which the stages know it."""
    return {each.path.partition("?")[0]: each.name for each in settings.table("endpoints")}


def _sentence(after: Measurement, found: Compared) -> str:
    rate = after.metric in METRICS and METRICS[after.metric].kind is Kind.RATE
    if found.value is None:
        return f"before: {found.difference} ({found.why})"
    shown = formats.percent(found.value) if rate else f"{formats.number(found.value)} {after.unit}".strip()
    return f"before {shown}: {found.difference}"
