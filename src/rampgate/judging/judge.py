"""One measurement held against one threshold. Pure: the same two give the same judgement, always.

no data                                    undecided   nothing was measured
a number that is none, a missing count     error       the instrument is broken
rate, quantile                             exact binomial, three-way at alpha_pass and alpha_fail
the same in blocks of time                 passed: exact binomial; failed: the always-valid test of the blocks
share                                      failed when equality is rejected at alpha_fail, else passed
median                                     the stated model at its own alpha, three-way
count, value                               compared as they are; a value in blocks of time is a share of what
                                           went well: judged as a rate, by what did not
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.judging import sentences
from rampgate.judging.rules import RULES, Case, Ruling, count_of, nothing_measured
from rampgate.judging.threshold import Aggregation
from rampgate.model.digits import short
from rampgate.outcome import Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rampgate.judging.threshold import Threshold
    from rampgate.model.measurement import Measurement


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one threshold.

    Args:
        outcome: passed, undecided, error or failed.
        name: of the threshold; its text where it has none.
        source: the threshold's text as written.
        severity: of a failure.
        metric: what was measured.
        labels: what the measurement is about.
        measured: the point value in ``unit`` (for display), None where there is none.
        low: its lower bound, at confidence 1 - alpha_fail; None where the sample gives none.
        high: its upper bound, at confidence 1 - alpha_pass.
        limit: in ``unit``.
        unit: canonical: "" for fractions and plain numbers, ms, s, %.
        n: observations.
        needed: about how many more decide; 0 when decided, None when that is not known.
        sentence: one comparison, for a reader.
        bad: whether the threshold's text says what is bad.
        statuses: of a rate: what stood in place of a good answer, and how often.
        only_failed: of times: whether nothing lies beyond the limit but requests that failed.
    """

    outcome: Outcome
    name: str
    source: str
    severity: Severity
    metric: str
    labels: Mapping[str, str] = field(default_factory=dict)
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float = 0.0
    unit: str = ""
    n: int = 0
    needed: int | None = None
    sentence: str = ""
    bad: bool = False
    statuses: Mapping[str, int] = field(default_factory=dict)
    only_failed: bool = False

    @property
    def failures(self) -> tuple[str, ...]:
        """How too many requests failed: ``("HTTP 503",)``."""
        return tuple(sorted(self.statuses)) if self.outcome is Outcome.FAILED else ()

    @property
    def named(self) -> bool:
        """Whether the sentence begins with what it is about."""
        return self.sentence.startswith(("/", self.labels.get("endpoint") or "/"))

    def line(self, check: str) -> str:
        """The sentence, led by what it is about where neither it nor the check's name says so."""
        values = [value for value in self.labels.values() if value]
        about = ", ".join(value for value in values if not _says(value, check, self.sentence))
        return f"{about}: {self.sentence}" if about else self.sentence

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, floats to 6 significant digits, null for what is not there or not finite."""
        said = {
            "outcome": self.outcome.value,
            "name": self.name,
            "source": self.source,
            "severity": self.severity.value,
            "metric": self.metric,
            "labels": dict(self.labels),
            "measured": self.measured,
            "low": self.low,
            "high": self.high,
            "limit": self.limit,
            "unit": self.unit,
            "n": self.n,
            "needed": self.needed,
            "sentence": self.sentence,
            "bad": self.bad,
            "statuses": dict(self.statuses),
        }
        return dict(short(said))


def _says(value: str, check: str, sentence: str) -> bool:
    """Whether a check's name has a label's value, or its sentence begins with it; a flag may be called a."""
    whole = rf"(?<![^\W_]){re.escape(value)}(?![^\W_])"
    begins = rf"(undecided: |error: )?{whole}"
    return bool(re.search(whole, check) or re.match(begins, sentence) or (" " in value and value in sentence))


def judge(
    threshold: Threshold,
    measurement: Measurement,
    *,
    alpha_fail: float,
    alpha_pass: float = 1e-3,
    looks: int = 1,
    unreliable: str = "",
) -> Judgement:
    """Hold a measurement against a threshold.

    Args:
        threshold: valid, as ``parse`` gives it.
        measurement: of the same metric.
        alpha_fail: chance that a healthy target fails here (one-sided; a share: two-sided).
        alpha_pass: chance that a target on the wrong side of the limit passes here.
        looks: how often the growing sample is judged at most; every alpha is divided by it. The median's
            alpha is ``statistics.MODEL_ALPHA``, whatever the other two are.
        unreliable: why the measurement says nothing about the target: whatever it says decides nothing.

    Raises:
        ValueError: an alpha outside (0, 0.5), or no look.
    """
    if looks < 1 or not all(0 < alpha < 0.5 for alpha in (alpha_fail, alpha_pass)):  # noqa: PLR2004 - see three_way
        raise ValueError(f"found alphas {alpha_fail}, {alpha_pass} and {looks} looks")
    ruling = _find(Case(threshold, measurement, alpha_fail / looks, alpha_pass / looks, looks), unreliable)
    return _judgement(threshold, measurement, ruling)


def _find(case: Case, unreliable: str) -> Ruling:
    """What the rule of the threshold comes to, where the measurement is one that it can be held against."""
    if flaw := _flaw(case.threshold, case.seen):
        why = f"{case.seen.note}: {flaw}" if case.seen.note else flaw
        return Ruling(Outcome.ERROR, f"error: {why}", needed=None)
    nothing = _nothing(case.threshold, case.seen)
    ruling = nothing_measured(case) if nothing else RULES[case.threshold.aggregation](case)
    if unreliable and ruling.outcome in {Outcome.PASSED, Outcome.FAILED}:
        says = f"undecided: {unreliable}: {ruling.says}"
        return ruling._replace(outcome=Outcome.UNDECIDED, says=says, needed=None)
    if ruling.outcome is Outcome.FAILED and case.seen.note and case.seen.note not in ruling.says:
        # The probe's own words say more than the number: which version, what was wrong with a body.
        return ruling._replace(says=f"{ruling.says}: {case.seen.note}")
    looks = case.seen.details.get("looks")
    if ruling.outcome is Outcome.PASSED and isinstance(looks, str):  # some of them failed
        return ruling._replace(says=f"{ruling.says} ({looks})")
    return ruling


def _judgement(threshold: Threshold, measurement: Measurement, ruling: Ruling) -> Judgement:
    """The ruling with what it is about."""
    beyond = 0 if threshold.edge is None else measurement.exceedances.get(threshold.edge, 0)
    return Judgement(
        outcome=ruling.outcome,
        name=threshold.name or threshold.source,
        source=threshold.source,
        severity=threshold.severity,
        metric=threshold.metric,
        labels=dict(measurement.labels),
        measured=ruling.measured,
        low=ruling.low,
        high=ruling.high,
        limit=threshold.limit,
        unit=threshold.unit,
        n=measurement.n or len(measurement.values),
        needed=ruling.needed,
        sentence=ruling.says,
        bad=threshold.bad,
        statuses=sentences.wrong(measurement.details) if threshold.aggregation is Aggregation.RATE else {},
        only_failed=0 < beyond == sentences.unanswered(measurement),
    )


def _nothing(threshold: Threshold, seen: Measurement) -> bool:
    """Did the look see nothing at all?"""
    if threshold.aggregation is Aggregation.VALUE and not _is_counted(threshold, seen):
        return seen.value is None
    if threshold.aggregation is Aggregation.MEDIAN:
        return not seen.values
    return seen.n == 0


def _is_counted(threshold: Threshold, seen: Measurement) -> bool:
    """Is it a value that is a share of what went well, by what did not?"""
    return threshold.aggregation is Aggregation.VALUE and bool(seen.blocks)


def _flaw(threshold: Threshold, seen: Measurement) -> str:
    """What makes this measurement no evidence, or ""."""
    numbers = [*seen.values, *([] if seen.value is None else [seen.value])]
    if seen.metric != threshold.metric:
        return f"measured {seen.metric}, asked for {threshold.metric}"
    if not all(math.isfinite(number) for number in numbers):
        return f"{sentences.subject(threshold)} is no number: {', '.join(str(number) for number in numbers)}"
    timed = threshold.aggregation in {Aggregation.QUANTILE, Aggregation.VALUE}
    if timed and seen.unit and seen.unit != threshold.unit:
        return f"measured in {seen.unit}, asked for in {threshold.unit or 'a plain number'}"
    if seen.n < 0:
        return f"{seen.n} observations"
    return _counting_flaw(threshold, seen) if seen.n else ""


def _counting_flaw(threshold: Threshold, seen: Measurement) -> str:
    edge = threshold.edge
    if edge is not None:
        if edge not in seen.exceedances:
            return f"the {sentences.noun(threshold)} above {edge!r} ms were not counted, for {threshold}"
        count: float | None = seen.exceedances[edge]
    elif threshold.aggregation in {Aggregation.RATE, Aggregation.SHARE} or _is_counted(threshold, seen):
        count = seen.failures
    elif threshold.aggregation is Aggregation.COUNT:
        count = count_of(seen)
    else:
        return ""
    if count is None:
        return f"{seen.n:,} {sentences.noun(threshold)}, and which of them failed was not counted"
    if seen.blocks and (seen.n, count) != _in_blocks(seen, edge):
        return f"{count:,} of {seen.n:,} is not what its blocks of time hold"
    if count < 0 or (count > seen.n and threshold.aggregation is not Aggregation.COUNT):
        return f"{count:,} of {seen.n:,} is no count"
    return ""


def _in_blocks(seen: Measurement, edge: float | None) -> tuple[int, int]:
    return sum(block.n for block in seen.blocks), sum(block.beyond(edge) for block in seen.blocks)
