"""A check that looks more than once: because it failed, or because what it saw is not enough to decide."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from rampgate.model.measurement import Measurement, merge
from rampgate.outcome import Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rampgate.clock import Clock
    from rampgate.judging.judge import Judgement

LOOKS = 3
"""How often a check looks that fails; all of them must fail."""
BETWEEN_S = 2.0
"""Seconds between them."""


class Sampler(Protocol):
    """A probe that can look further while what it saw is not enough."""

    def measure(self, n: int) -> Sequence[Measurement]:
        """What n more observations showed."""


def repeated(
    measure: Callable[[], Iterable[Measurement]],
    failing: Callable[[Measurement], bool],
    clock: Clock,
) -> list[Measurement]:
    """What a check that looks once comes to: of what failed each time the last, of the rest what was good.

    Args:
        measure: looks once, over connections of its own.
        failing: whether a measurement breaks one of its thresholds.
        clock: gives the time, and waits.
    """
    looks: list[list[Measurement]] = []
    while not looks or (len(looks) < LOOKS and any(map(failing, looks[0]))):
        if looks:
            clock.sleep(BETWEEN_S)
        began = clock.now()
        looks.append([timed(seen, began, clock) for seen in measure()])
    found: dict[tuple[str, ...], list[Measurement]] = {}
    for seen in (seen for look in looks for seen in look):
        found.setdefault(identity(seen), []).append(seen)
    return [_settled(each, failing) for each in found.values()]


def identity(measurement: Measurement) -> tuple[str, ...]:
    """What a measurement is of: its metric, and its labels."""
    return (measurement.metric, *(f"{k}={v}" for k, v in sorted(measurement.labels.items())))


def timed(seen: Measurement, began: float, clock: Clock) -> Measurement:
    """A measurement that does not say when it was made was made since then."""
    return seen if seen.end else replace(seen, start=began, end=clock.now())


def _settled(looks: Sequence[Measurement], failing: Callable[[Measurement], bool]) -> Measurement:
    """One measurement of several looks; those that failed are among its details."""
    failed = [seen for seen in looks if failing(seen)]
    if not failed:
        return looks[-1]
    kept = [seen for seen in looks if not failing(seen) or len(failed) == len(looks)][-1]
    says = f"{len(failed)} of {len(looks)} looks failed"
    evidence = {"looks": says, "failed": [_evidence(seen) for seen in failed]}
    return replace(kept, details={**kept.details, **evidence}) if len(looks) > 1 else kept


def _evidence(seen: Measurement) -> dict[str, object]:
    return {"note": seen.note, **({} if seen.value is None else {"value": seen.value}), **seen.details}


def decided(judged: Sequence[Judgement]) -> bool:
    """Whether looking further could still change what the check comes to."""
    undecided = [judgement for judgement in judged if judgement.outcome is Outcome.UNDECIDED]
    failed = any(judgement.outcome is Outcome.FAILED for judgement in judged)
    return not undecided or (failed and all(j.severity is not Severity.CRITICAL for j in undecided))


def added(
    total: dict[tuple[str, ...], Measurement], more: Iterable[Measurement]
) -> dict[tuple[str, ...], Measurement]:
    """Add a look's measurements to those of the same metric and labels."""
    result = dict(total)
    for measurement in more:
        key = identity(measurement)
        result[key] = merge(result[key], measurement) if key in result else measurement
    return result
