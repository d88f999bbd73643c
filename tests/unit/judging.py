"""Measurements made by hand, and their judgements."""

from collections.abc import Sequence
from typing import Any

from rampgate.judging.judge import Judgement, judge
from rampgate.judging.threshold import Threshold, exceeds, parse
from rampgate.model.measurement import Histogram, Measurement
from rampgate.outcome import Outcome

PASSED, UNDECIDED, ERROR, FAILED = Outcome.PASSED, Outcome.UNDECIDED, Outcome.ERROR, Outcome.FAILED
ALPHA = 1e-3


def held(threshold: Threshold | str, bad: bool = False, **seen: Any) -> Judgement:
    """Judge a measurement of the threshold's own metric at one in a thousand both ways."""
    read = parse(threshold, bad=bad) if isinstance(threshold, str) else threshold
    return judge(read, Measurement(metric=read.metric, **seen), alpha_fail=ALPHA)


def latencies(threshold: Threshold, values: Sequence[float], unanswered: int = 0) -> Measurement:
    """What a probe makes of these answers, in ms."""
    return Measurement(
        metric=threshold.metric,
        unit="ms",
        n=len(values) + unanswered,
        exceedances={threshold.edge or 0.0: sum(exceeds(threshold, value) for value in values) + unanswered},
        histogram=Histogram.of(values),
    )
