"""What a reading says of a threshold: the value of the window, and whether it breaks the limit. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.judging.rules import COMPARE
from rampgate.judging.threshold import Aggregation
from rampgate.model import formats
from rampgate.model.increments import plain, read

if TYPE_CHECKING:
    from rampgate.judging.threshold import Threshold
    from rampgate.model.measurement import Block

PER_CENT = 100.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of a metric at one moment.

    Args:
        at: when its newest sample was taken, seconds since the epoch.
        value: in the metric's canonical unit, of a source that gives one; a mean's or a score's, too.
        counted: of a source that counts, everything in the window; None of one that gives a value.
        n: how many observations stand behind the value, where that is known.
        doubt: why a bad value may be the instrument's, "" where it is the target's.
    """

    at: float
    value: float | None = None
    counted: Block | None = None
    n: int | None = None
    doubt: str = ""

    def to_json(self) -> list[Any]:
        """Plain JSON."""
        return [self.at, self.value, self.counted and plain(self.counted), self.n, self.doubt]

    @classmethod
    def from_json(cls, data: list[Any]) -> Reading:
        """Read back what to_json wrote."""
        at, value, counted, n, *doubt = data
        return cls(at, value, counted and read(*counted), n, *doubt)


def broken(threshold: Threshold, reading: Reading) -> bool | None:
    """Whether a reading breaks a threshold; None where it says nothing of it.

    A percentile that is counted is above its limit where more than its share of the observations are.

    Args:
        threshold: about the metric that was read.
        reading: of it.
    """
    good, limit = threshold.good()
    value = measured(threshold, reading)
    if value is None or (reading.n is not None and reading.n < threshold.min_n):
        return None
    if threshold.quantile is not None and reading.counted is not None:
        return value > threshold.allowed
    bad = not COMPARE[good](value, limit)
    return None if bad and reading.doubt else bad


def measured(threshold: Threshold, reading: Reading) -> float | None:
    """The number that is held against the limit; of a percentile that is counted, the share beyond it."""
    block = reading.counted
    if block is None:
        return reading.value
    if threshold.aggregation is Aggregation.COUNT:
        return float(block.n)
    if not block.n:
        return None
    if threshold.quantile is not None:
        edge = threshold.edge
        return None if edge is None or edge not in block.exceedances else block.exceedances[edge] / block.n
    if threshold.aggregation is Aggregation.VALUE:  # a share of what went well, in per cent
        return PER_CENT * (1 - block.failures / block.n)
    return block.failures / block.n


def worse(threshold: Threshold, reading: Reading, than: Reading | None) -> bool:
    """Whether a reading is farther on the bad side than another one, or breaks what that one keeps."""
    if (value := measured(threshold, reading)) is None:
        return False
    if than is None or (other := measured(threshold, than)) is None:
        return True
    breaks, broke = bool(broken(threshold, reading)), bool(broken(threshold, than))
    operator, _ = threshold.broken()
    return breaks > broke or (breaks is broke and _farther(operator, value, other))


def _farther(operator: str, value: float, other: float) -> bool:
    return value < other if "<" in operator else ">" in operator and value > other


def shown(threshold: Threshold, reading: Reading) -> str:
    """The number as a person reads it: ``2.1 % of 340``, ``1,200 ms``, ``4``."""
    value = measured(threshold, reading)
    if value is None:
        return "nothing"
    block = reading.counted
    if threshold.quantile is not None and block is not None:
        return f"{formats.percent(value)} of {block.n:,} above {threshold.limit_text}"
    if threshold.aggregation in {Aggregation.RATE, Aggregation.SHARE}:
        return formats.percent(value) + (f" of {block.n:,}" if block else "")
    unit = f" {threshold.unit}" if threshold.unit else ""
    return f"{formats.number(value)}{unit}" + (f" of {reading.n:,}" if reading.n else "")
