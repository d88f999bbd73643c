"""A load run second by second, read from its journal and drawn: users, requests, times, failures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.judging.threshold import parse
from rampgate.model import formats
from rampgate.model.metrics import METRICS, Kind
from rampgate.report import plots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rampgate.judging.results import Record
    from rampgate.judging.threshold import Threshold

MOST_POINTS = 300
"""Points of a drawn line; a longer run is drawn in steps of several seconds, the worst of each."""
_COUNTED = ("n", "failures")
_SHOWN = ("users", "ideal", "p50", "p95", "p99")

Column = tuple[float | None, ...]


@dataclass(frozen=True)
class Timeline:
    """The seconds of a load run.

    Args:
        step: seconds that one entry of a column stands for.
        columns: n and failures are sums; users, ideal, p50, p95 and p99 the highest of the step, None
            where there is none.
        stages: the ramp's stages: the second at which each ends, and the users it leads to.
    """

    step: int
    columns: dict[str, Column]
    stages: tuple[tuple[float, float], ...] = field(default=())

    @property
    def seconds(self) -> tuple[float, ...]:
        """The middle of each entry, in seconds since the ramp began."""
        return tuple(self.step * (number + 0.5) for number in range(len(self.columns["n"])))

    def per_second(self, name: str) -> Column:
        """A counted column as a rate."""
        return tuple(None if value is None else value / self.step for value in self.columns[name])

    def failed(self) -> Column:
        """How many % of the requests failed, None where there were none."""
        pairs = zip(self.columns["failures"], self.columns["n"], strict=True)
        return tuple(100 * ((failures or 0.0) / n) if n else None for failures, n in pairs)


class Drawing(NamedTuple):
    """One drawing with its heading and a line below it."""

    title: str
    svg: str
    caption: str


def read(records: Iterable[Record]) -> Timeline | None:
    """The run's timeline; None where the journal has none that can be read."""
    written = [record for record in records if record["type"] == "timeline"]
    if not written:
        return None
    record = written[-1]
    written = record.get("columns", record)
    try:
        columns = {name: _numbers(written[name]) for name in (*_COUNTED, *_SHOWN)}
        stages = tuple((float(end), float(target)) for end, target in record.get("stages", ()))
        return _stepped(_placed(columns, written.get("second")), stages)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def drawings(timeline: Timeline, records: Iterable[Record]) -> list[Drawing]:
    """The four drawings: users, requests, response times and failures over time."""
    columns, several = timeline.columns, f"{timeline.step} s" if timeline.step > 1 else ""
    highest = f"Each point is the highest of {several}." if several else ""
    mean = f"Each point is the mean of {several}." if several else ""
    rates, times = _limits(records)
    ramp = [plots.Line("actual", columns["users"], "a"), plots.Line("ideal", columns["ideal"], "ideal")]
    asked = [plots.Line("req/s", timeline.per_second("n"), "a")]
    quantiles = [plots.Line(name, columns[name], name) for name in ("p50", "p95", "p99")]
    failed = [plots.Line("failed", timeline.failed(), "bad")]
    share = "requests that failed, in % of those of the same second"

    def drawn(says: str, lines: list[plots.Line], limits: Sequence[plots.Limit] = (), **of: Any) -> str:
        axes = plots.Axes(says, timeline.seconds, timeline.stages, **of)
        return plots.over_time(axes, lines=lines, limits=limits)

    return [
        Drawing("Users", drawn("users", ramp), highest or "The dashed line is the ramp that was asked for."),
        Drawing(
            "Requests per second",
            drawn("requests per second", asked),
            mean or "A request counts in the second in which it ended.",
        ),
        Drawing(
            "Response times",
            drawn("response times in ms", quantiles, times, unit="ms", logarithmic=True),
            f"ms, logarithmic. {highest}".strip(),
        ),
        Drawing(
            "Failures",
            drawn(share, failed, rates, unit="%"),
            f"% of the requests of the same {several or 'second'}.",
        ),
    ]


def stage_names(timeline: Timeline) -> list[str]:
    """The ramp's stages in words: ``10 to 50 users until 7:00``."""
    found, origin = [], 0.0
    for end, target in timeline.stages:
        users = f"{formats.number(target)} users"
        moves = users if origin == target else f"{formats.number(origin)} to {users}"
        found.append(f"{moves} until {plots.clock(end)}")
        origin = target
    return found


def _limits(records: Iterable[Record]) -> tuple[list[plots.Limit], list[plots.Limit]]:
    """The load run's own limits: of rates in %, and of response times in ms, each once."""
    rates: dict[str, plots.Limit] = {}
    times: dict[str, plots.Limit] = {}
    for record in records:
        own = record["type"] == "judgement" and str(record.get("check", "")).startswith("load/")
        threshold = _threshold(record) if own else None
        kind = METRICS[threshold.metric].kind if threshold and threshold.metric in METRICS else None
        if threshold and kind is Kind.RATE:
            name = formats.percent(threshold.limit)
            rates.setdefault(name, plots.Limit(name, 100 * threshold.limit))
        elif threshold and kind is Kind.LATENCY:
            name = (
                f"p{formats.number(100 * (threshold.quantile or 0.0))} {formats.number(threshold.limit)} ms"
            )
            times.setdefault(name, plots.Limit(name, threshold.limit))
    return list(rates.values()), list(times.values())


def _threshold(record: Record) -> Threshold | None:
    written = record.get("threshold") or {}
    try:
        return parse(str(written["source"]), metric=str(written["metric"]), bad=bool(written.get("bad")))
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _numbers(values: Any) -> Column:
    return tuple(_number(value) for value in values)


def _number(value: Any) -> float | None:
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) and number >= 0 else None


def _placed(columns: dict[str, Column], seconds: Any) -> dict[str, Column]:
    """The columns with an entry for every second from 0 on; seconds that are missing hold nothing.

    Raises:
        ValueError: the columns are not equally long.
    """
    (length,) = {len(column) for column in columns.values()}
    places = list(range(length)) if seconds is None else [int(second) for second in seconds]
    if len(places) != length or (places and not 0 <= min(places) <= max(places) < 10**6):
        raise ValueError("the seconds do not fit the columns")
    found: dict[str, Column] = {}
    for name, column in columns.items():
        row: list[float | None] = [None] * (max(places, default=-1) + 1)
        for place, value in zip(places, column, strict=True):
            row[place] = value
        found[name] = tuple(row)
    return found


def _stepped(columns: dict[str, Column], stages: tuple[tuple[float, float], ...]) -> Timeline | None:
    length = len(columns["n"])
    if not length:
        return None
    step = -(-length // MOST_POINTS)
    joins: dict[str, Callable[[Iterable[float]], float]] = dict.fromkeys(_COUNTED, sum)
    return Timeline(
        step,
        {name: _joined(column, step, joins.get(name, max)) for name, column in columns.items()},
        stages,
    )


def _joined(column: Column, step: int, join: Callable[[Iterable[float]], float]) -> Column:
    chunks = [[v for v in column[at : at + step] if v is not None] for at in range(0, len(column), step)]
    return tuple(join(chunk) if chunk else None for chunk in chunks)
