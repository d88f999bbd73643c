"""What a probe saw: a frozen measurement, and the histogram that merges."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GROWTH = 1.005
"""Width of a histogram bucket: a quantile is known to within half a percent. For display only."""
_LOG_GROWTH = math.log(GROWTH)
NOTHING = "nothing"
"""In a measurement's details: there was nothing that could be wrong, as its note says."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of positive values in buckets that grow by a constant factor (mergeable by addition).

    Args:
        counts: bucket index -> count; bucket i holds values in [GROWTH**i, GROWTH**(i+1)).
    """

    counts: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Iterable[float]) -> Histogram:
        """Bucket the values; anything below 0.001 goes into the bucket of 0.001."""
        return cls(Counter(math.floor(math.log(max(value, 1e-3)) / _LOG_GROWTH) for value in values))

    def merge(self, other: Histogram) -> Histogram:
        """The histogram of both samples together."""
        return Histogram(Counter(self.counts) + Counter(other.counts))

    def quantile(self, q: float) -> float | None:
        """The middle of the bucket where the nearest-rank q-quantile lies, None of nothing.

        For display: a threshold is judged on exact exceedance counts, never on this.
        """
        total = sum(self.counts.values())
        if total == 0:
            return None
        rank = max(1, math.ceil(q * total))
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= rank:
                return float(GROWTH ** (index + 0.5))
        raise AssertionError("the rank lies within the total")  # pragma: no cover


DOUBT = "doubt"
"""Among the details: why a bad value may be the instrument's."""


class Block(NamedTuple):
    """A few seconds of a measurement.

    Args:
        n: observations.
        failures: how many of them failed.
        exceedances: edge -> how many lay above it, those that failed among them.
    """

    n: int
    failures: int = 0
    exceedances: Mapping[float, int] = {}  # never written to

    def beyond(self, edge: float | None) -> int:
        """How many lay above an edge; without one, how many failed."""
        return self.failures if edge is None else self.exceedances.get(edge, 0)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one look of a probe saw. No value (n = 0, value None) is legal: "looked, saw nothing".

    Args:
        metric: what was measured, the name that thresholds refer to (``error_rate``).
        unit: the unit of ``value``, ``values`` and ``exceedances`` keys (``ms``, ``score``, ``count``).
        n: how many observations stand behind it.
        failures: the numerator of a rate: how many of them failed; of a share, how many were on.
        exceedances: edge -> how many observations lay above it; a request that failed or never answered
            lies above every edge.
        histogram: latencies of those that answered, for display.
        value: one value, where the metric is a single number.
        values: all single values, where it was measured more than once (Lighthouse scores).
        labels: what the measurement is about (endpoint, page, service, flag, cohort).
        start: seconds since the epoch when the look began.
        end: and when it ended.
        blocks: the same observations by blocks of equal time, in order. Where requests may fail together,
            what failed is judged on these, however often it is looked at.
        note: one sentence for the reader, or "".
        details: further evidence as plain JSON (attempts, versions seen, file names).
    """

    metric: str
    unit: str = ""
    n: int = 0
    failures: int | None = None
    exceedances: Mapping[float, int] = field(default_factory=dict)
    histogram: Histogram | None = None
    value: float | None = None
    values: tuple[float, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    start: float = 0.0
    end: float = 0.0
    blocks: tuple[Block, ...] = ()
    note: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, without the fields that hold nothing; non-finite numbers become strings."""
        full: dict[str, Any] = {
            "metric": self.metric,
            "unit": self.unit,
            "n": self.n,
            "failures": self.failures,
            "exceedances": _counted(self.exceedances),
            "histogram": (
                {str(index): count for index, count in sorted(self.histogram.counts.items())}
                if self.histogram
                else None
            ),
            "value": _finite(self.value),
            "values": [_finite(value) for value in self.values],
            "labels": dict(self.labels),
            "start": self.start,
            "end": self.end,
            "blocks": [[block.n, block.failures, _counted(block.exceedances)] for block in self.blocks],
            "note": self.note,
            "details": dict(self.details),
        }
        return {key: value for key, value in full.items() if value not in (None, "", {}, [])}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        """Read back what to_json wrote.

        Raises:
            KeyError: no metric.
            ValueError: a number that is none.
        """
        histogram = data.get("histogram")
        return cls(
            metric=data["metric"],
            unit=data.get("unit", ""),
            n=int(data.get("n", 0)),
            failures=None if data.get("failures") is None else int(data["failures"]),
            exceedances=_edges(data.get("exceedances", {})),
            histogram=Histogram({int(k): int(v) for k, v in histogram.items()}) if histogram else None,
            value=None if data.get("value") is None else float(data["value"]),
            values=tuple(float(value) for value in data.get("values", ())),
            labels=dict(data.get("labels", {})),
            start=float(data.get("start", 0.0)),
            end=float(data.get("end", 0.0)),
            blocks=tuple(
                Block(int(n), int(failed), _edges(above)) for n, failed, above in data.get("blocks", ())
            ),
            note=data.get("note", ""),
            details=dict(data.get("details", {})),
        )


def merge(first: Measurement, second: Measurement) -> Measurement:
    """Both as one: counts and statuses added, values in order, labels and metric of the first.

    Raises:
        ValueError: they are not of one metric, or count exceedances at different edges.
    """
    if first.metric != second.metric or set(first.exceedances) != set(second.exceedances):
        raise ValueError(f"cannot merge {first.metric} with {second.metric}")
    counted = first.failures is not None and second.failures is not None
    histograms = [m.histogram for m in (first, second) if m.histogram]
    return replace(
        second,
        n=first.n + second.n,
        failures=(first.failures or 0) + (second.failures or 0) if counted else None,
        exceedances={edge: count + second.exceedances[edge] for edge, count in first.exceedances.items()},
        histogram=reduce(Histogram.merge, histograms) if histograms else None,
        values=first.values + second.values,
        labels=first.labels,
        start=first.start,
        blocks=first.blocks + second.blocks,
        note=second.note or first.note,
        details={**first.details, **second.details, **_statuses(first.details, second.details)},
    )


def _statuses(*details: Mapping[str, Any]) -> dict[str, Any]:
    """``statuses``, how many requests ended how, of both; nothing where one has none."""
    counted = [each.get("statuses") for each in details]
    if not all(isinstance(each, dict) for each in counted):
        return {}
    return {"statuses": dict(sum(map(Counter, counted), Counter[str]()))}


def _counted(exceedances: Mapping[float, int]) -> dict[str, int]:
    return {repr(edge): count for edge, count in sorted(exceedances.items())}


def _edges(exceedances: Mapping[str, Any]) -> dict[float, int]:
    return {float(edge): int(count) for edge, count in exceedances.items()}


def _finite(value: float | None) -> float | str | None:
    """JSON has no NaN and no infinity: write them as text, so that the reader sees what was measured."""
    return value if value is None or math.isfinite(value) else str(value)
