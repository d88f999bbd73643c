"""What a watch has read over its whole time, of every metric. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from statistics import median
from typing import TYPE_CHECKING

from rampgate.model import formats
from rampgate.model.increments import added
from rampgate.model.measurement import Block, Measurement
from rampgate.model.metrics import Kind
from rampgate.watch.metrics import labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.model.metrics import Metric
    from rampgate.watch.engine import Engine
    from rampgate.watch.rounds import Round
    from rampgate.watch.values import Reading

_P95 = 0.95


@dataclass
class Totals:
    """What was read so far.

    Args:
        counted: name of a metric -> labels as text -> what was counted.
        values: name of a metric -> its readings, in order.
        pages: names of those that are audited.
    """

    pages: tuple[str, ...] = ()

    counted: dict[str, dict[str, Block]] = field(default_factory=dict)
    values: dict[str, list[Reading]] = field(default_factory=dict)

    def take(self, engine: Engine, found: Round, *, measuring: bool) -> None:
        """Take one round.

        Args:
            engine: everything that the watch knows.
            found: what the round came to.
            measuring: whether we measured the target beside it: where our requests are not counted apart,
                what was counted then is left out.
        """
        for name in found.read:
            for key, block in found.counted.get(name, {}).items():
                if not (measuring and engine.entries[name].own_traffic == "mixed"):
                    kept = self.counted.setdefault(name, {})
                    kept[key] = added(kept.get(key, Block(0)), block)
            reading = engine.metrics[name].reading
            if reading is not None and reading.value is not None:
                self.values.setdefault(name, []).append(reading)

    def measurements(self, engine: Engine) -> list[Measurement]:
        """One for each metric that was read; of what is counted by endpoint, one for each of these too."""
        found: list[Measurement] = []
        for name, watched in engine.metrics.items():
            counted = self.counted.get(name, {})
            if any(block.n for block in counted.values()):
                found += _counted(watched.metric, counted)
            elif readings := self.values.get(name):
                of = getattr(engine.entries[name], "of", "")
                found.append(_value(watched.metric, readings, (of,) if of else self.pages))
        return found


def _counted(metric: Metric, counted: dict[str, Block]) -> Iterator[Measurement]:
    yield _count(metric, reduce(added, counted.values()), {})
    endpoints: dict[str, Block] = {}
    for key, block in counted.items():
        if endpoint := labels_of(key).get("endpoint"):
            endpoints[endpoint] = added(endpoints.get(endpoint, Block(0)), block)
    for endpoint, block in sorted((name, each) for name, each in endpoints.items() if each.n):
        yield _count(metric, block, {"endpoint": endpoint})


def _count(metric: Metric, block: Block, labels: dict[str, str]) -> Measurement:
    note = f"{formats.number(block.failures)} of {formats.number(block.n)} failed"
    if metric.kind is Kind.LATENCY:
        quantile = metric.percentile or _P95
        allowed = (1 - quantile) * block.n
        edges = [edge for edge, beyond in block.exceedances.items() if beyond <= allowed]
        at = f"at most {formats.number(min(edges))} {metric.unit}" if edges else "above every bucket"
        note = f"p{formats.number(100 * quantile)} {at.strip()}"
    return Measurement(
        metric.name,
        metric.unit,
        n=block.n,
        failures=block.failures,
        exceedances=block.exceedances,
        labels=labels,
        note=note,
    )


def _value(metric: Metric, readings: list[Reading], pages: tuple[str, ...]) -> Measurement:
    """The last value of a number, the median of scores; all of them are kept."""
    values = tuple(each.value for each in readings if each.value is not None)
    last = readings[-1]
    value = median(values) if metric.kind is Kind.SCORE else values[-1]
    least, most = min(values), max(values)
    return Measurement(
        metric.name,
        metric.unit,
        n=last.n or len(values),
        value=value,
        values=values if metric.kind is Kind.SCORE else (),
        note=f"read {len(values)} times, {formats.number(least)} to {formats.number(most)}",
        details={
            "least": least,
            "most": most,
            "readings": len(values),
            **({"pages": list(pages)} if metric.kind is Kind.SCORE else {}),
        },
    )
