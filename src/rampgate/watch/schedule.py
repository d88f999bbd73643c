"""When which metric of a watch is read, and how long what takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from rampgate.judging.episodes import Timing
from rampgate.judging.threshold import Polarity
from rampgate.model.metrics import Kind

if TYPE_CHECKING:
    from rampgate.checks.frame.source import MetricSettings
    from rampgate.config.policy_files import Monitoring
    from rampgate.config.settings import Settings
    from rampgate.judging.threshold import Threshold

_VITALS, _LIGHTHOUSE = "web_vitals_", "lighthouse_"
_LATE = 2.0
"""Of so many intervals a gap between two readings may be long, and they still follow one another."""


@dataclass(frozen=True)
class Schedule:
    """How often the metric of one entry is read.

    Args:
        interval: seconds between two readings.
        window: seconds over which counters make a value.
        lookback: seconds over which its value looks back.
        max_age: seconds after which a sample is none any more.
        slow: whether it is read so seldom that further readings confirm a bad one.
        cron: of a Lighthouse schedule, "" where there is none.
        pace: seconds between two rounds at least, where something else starts each.
    """

    interval: float
    window: float
    lookback: float
    max_age: float
    slow: bool
    cron: str = ""
    pace: float = 0.0

    @property
    def longest_gap(self) -> float:
        """Seconds between two readings that still follow one another."""
        return _LATE * max(self.interval, self.pace)

    def next(self, at: float) -> float:
        """When it is read next, after a reading at this time; seconds since the epoch."""
        if not self.cron:
            return at + self.interval
        from cronsim import CronSim

        return float(next(CronSim(self.cron, datetime.fromtimestamp(at, UTC))).timestamp())

    def timing(self, threshold: Threshold, recovery: float) -> Timing:
        """How long what takes for a threshold of this metric.

        What is good for a time is broken at once; what is bad for a time when it has been so.
        """
        duration = threshold.duration_s if threshold.polarity is Polarity.BAD else 0.0
        return Timing(duration, recovery, self.longest_gap, max(self.max_age, self.longest_gap))


def schedule_of(
    entry: MetricSettings, settings: Settings, monitoring: Monitoring, pace: float = 0.0
) -> Schedule:
    """When the metric of an entry is read.

    Args:
        entry: of [[metrics]].
        settings: have [watch].
        monitoring: what production-monitoring.yml says of web vitals and of Lighthouse.
        pace: seconds between two rounds at least.
    """
    watch = settings.watch
    vitals = monitoring.web_vitals if entry.name.startswith(_VITALS) and monitoring.web_vitals else None
    cron = ""
    audits = entry.name.startswith(_LIGHTHOUSE) and entry.source == "probe"
    if audits and monitoring.lighthouse and not entry.interval:
        cron = monitoring.lighthouse.schedule
    interval = entry.interval or (vitals.collection_interval if vitals else watch.interval)
    if cron:
        interval = _longest(cron)
    usual = watch.failures_window if entry.counted and entry.kind is Kind.COUNT else watch.window
    window = entry.window or (vitals.aggregation_interval if vitals else usual)
    window = max(window, interval, pace) if entry.counted else window
    return Schedule(
        interval=interval,
        window=window,
        lookback=window if entry.lookback is None else entry.lookback,
        max_age=entry.max_age or watch.max_age,
        slow=interval > watch.window and not entry.counted,
        cron=cron,
        pace=pace,
    )


def _longest(cron: str) -> float:
    """The longest time between two of the next moments of a schedule, in seconds."""
    from cronsim import CronSim

    moments = CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC))
    times = [next(moments).timestamp() for _ in range(8)]
    return max(later - earlier for earlier, later in pairwise(times))
