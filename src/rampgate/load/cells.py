"""Floor 6. What is judged of a load run: its cells, and the measurements that are made of each.

A cell is a set of requests that something is asked of. Required are each endpoint over the steady plateau,
each cohort (endpoints pooled) over the plateau, and the whole run. The rest of stage x endpoint x cohort is
too small to be sure of: such a cell may fail on its own evidence, and its being undecided is only shown.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.load.seconds import ranked
from rampgate.load.table import CUT, OFF, ON, SIGN_IN
from rampgate.model.measurement import GROWTH, Histogram, Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rampgate.config.subjects import EndpointSettings
    from rampgate.judging.threshold import Threshold
    from rampgate.load.table import Column, Table
    from rampgate.model.ramp import Ramp

WHOLE_RUN, CELLS = "load/whole run", "load/cells"
FAILED, DURATION = "http_req_failed", "http_req_duration"
PLATEAU = "plateau"
COHORTS = {ON: "on", OFF: "off"}


class Cell(NamedTuple):
    """Requests that a check is about.

    Args:
        check: its id.
        labels: what the requests have in common, for the reader.
        stage: the stage of the ramp that they were sent in, None for any time, the ramp or not.
        endpoint: their endpoint, None for any; without a stage sign-ins too.
        cohort: their account's cohort, None for any.
        required: whether skipping the check holds.
    """

    check: str
    labels: Mapping[str, str]
    stage: int | None = None
    endpoint: int | None = None
    cohort: int | None = None
    required: bool = True

    @property
    def lenient(self) -> bool:
        """Whether it may be undecided without holding the run."""
        return self.check == CELLS

    def takes(self, stage: int, endpoint: int, cohort: int) -> bool:
        """Whether requests of this stage, endpoint and cohort are its own."""
        return (
            (self.stage is None or (self.stage == stage and endpoint != SIGN_IN))
            and (self.endpoint is None or self.endpoint == endpoint)
            and (self.cohort is None or self.cohort == cohort)
        )

    def of(self, table: Table, stages: Column) -> Table:
        """Its requests; stages are those of the table's rows."""
        import numpy as np

        mask = np.ones(len(table), bool)
        if self.stage is not None:
            mask &= (stages == self.stage) & (table.endpoint != SIGN_IN)
        if self.endpoint is not None:
            mask &= table.endpoint == self.endpoint
        if self.cohort is not None:
            mask &= table.cohort == self.cohort
        return table.where(mask)


def plateau_check(endpoint: EndpointSettings) -> str:
    """The id of an endpoint's check."""
    return f"load/plateau[{endpoint.name}]"


def planned(
    endpoints: Sequence[EndpointSettings], ramp: Ramp, *, cohorts: bool, rehearsal: bool
) -> tuple[Cell, ...]:
    """Every cell of a run, known before it begins.

    Args:
        endpoints: those under load, in the order of their indices.
        ramp: with a plateau.
        cohorts: whether requests are told apart by cohort.
        rehearsal: the ramp runs faster than meant, so that its stages say nothing.
    """
    steady = ramp.plateau()
    cells = [
        Cell(plateau_check(endpoint), _labels(ramp, steady, endpoint), steady, index, None, endpoint.required)
        for index, endpoint in enumerate(endpoints)
    ]
    if cohorts:
        cells += [
            Cell(f"load/cohort[{name}]", {"ramp_stage": PLATEAU, "cohort": name}, steady, None, cohort)
            for cohort, name in COHORTS.items()
        ]
    cells.append(Cell(WHOLE_RUN, {"ramp_stage": "whole run"}))
    for stage, told in enumerate(ramp.stages):
        if rehearsal or told.duration_s == 0 or (stage == steady and not cohorts):
            continue  # one cohort over the plateau is the endpoint's own check
        for index, endpoint in enumerate(endpoints):
            labels = _labels(ramp, stage, endpoint)
            cells += (
                [
                    Cell(CELLS, {**labels, "cohort": name}, stage, index, cohort, required=False)
                    for cohort, name in COHORTS.items()
                ]
                if cohorts
                else [Cell(CELLS, labels, stage, index, required=False)]
            )
    return tuple(cells)


def _labels(ramp: Ramp, stage: int | None, endpoint: EndpointSettings) -> dict[str, str]:
    return {"endpoint": endpoint.name, "ramp_stage": stage_name(ramp, stage)}


def stage_name(ramp: Ramp, stage: int | None) -> str:
    """What a stage of the ramp does, for a reader."""
    if stage is None or stage == ramp.plateau():
        return PLATEAU
    return f"stage {stage + 1}: {ramp.origin(stage):g} to {ramp.stages[stage].target:g} users"


def measure(
    table: Table,
    thresholds: Iterable[Threshold],
    *,
    labels: Mapping[str, str],
    span: tuple[float, float],
) -> list[Measurement]:
    """``http_req_failed`` and ``http_req_duration`` of these requests.

    A failed request lies above every edge; a sign-in counts among the failures only. What was not waited for
    at the end lies above every edge too, and is no failure of the target's: nobody knows its answer.

    Args:
        table: the requests.
        thresholds: whose edges are counted, each exactly.
        labels: what the requests have in common.
        span: seconds since the epoch, from and to.
    """
    import numpy as np

    timed = table.where(table.endpoint != SIGN_IN)
    times = np.sort(np.where(timed.ok, timed.duration_ms, np.inf))
    counted = [(t.edge, t.quantile) for t in thresholds if t.edge is not None and t.quantile is not None]
    common: dict[str, Any] = {"labels": dict(labels), "start": span[0], "end": span[1]}
    failed = Measurement(
        FAILED,
        n=len(table) - int(np.count_nonzero(table.cut)),
        failures=int(np.count_nonzero(table.failed)),
        details={"statuses": _statuses(table), "sign_ins": len(table) - len(timed)},
        **common,
    )
    duration = Measurement(
        DURATION,
        "ms",
        n=len(timed),
        exceedances={edge: int(np.count_nonzero(times > edge)) for edge, _ in counted},
        histogram=_histogram(times[np.isfinite(times)]),
        details=_spread(times, {quantile for _, quantile in counted}) | _connects(table),
        **common,
    )
    return [failed, duration]


def _spread(times: Column, quantiles: Iterable[float]) -> dict[str, float | None]:
    """Median and worst of those that answered, and these quantiles of all, in ms; times are in order."""
    import numpy as np

    good = times[np.isfinite(times)]
    return {
        "median_ms": _rounded(float(np.median(good)) if len(good) else None),
        "worst_ms": _rounded(float(good[-1]) if len(good) else None),
        **{f"p{100 * q:g}_ms": _rounded(ranked(times, q)) for q in sorted(quantiles)},
    }


def _connects(table: Table) -> dict[str, float | None]:
    """How many requests opened a connection, and the median of what that took, in ms."""
    import numpy as np

    connects = table.connect_ms[table.connect_ms > 0]
    median = float(np.median(connects)) if len(connects) else None
    return {"connects": len(connects), "connect_median_ms": _rounded(median)}


def _statuses(table: Table) -> dict[str, int]:
    import numpy as np

    statuses, counts = (column.tolist() for column in np.unique(table.status, return_counts=True))
    names = {0: "no answer", CUT: "not waited for"}
    return dict(sorted(zip((names.get(each, str(each)) for each in statuses), counts, strict=True)))


def _histogram(times: Column) -> Histogram:
    import numpy as np

    buckets = np.floor(np.log(np.maximum(times, 1e-3)) / math.log(GROWTH)).astype(int)
    indices, counts = np.unique(buckets, return_counts=True)
    return Histogram(dict(zip(indices.tolist(), counts.tolist(), strict=True)))


def _rounded(value: float | None) -> float | None:
    """To the microsecond."""
    return None if value is None else round(value, 3)
