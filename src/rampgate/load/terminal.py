"""A running load run for a terminal or a log, in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.model import formats
from rampgate.model.text import clean
from rampgate.outcome import Outcome

if TYPE_CHECKING:
    from rampgate.load.live import Snapshot

_MOST_LIMITS = 3
"""Unmet limits that are listed."""


def terminal_lines(now: Snapshot) -> list[str]:
    """The run for a terminal: where it is, what it comes to so far, and each limit that is not met."""
    stage = (
        f"{now.stage.number}/{now.stage.of} {now.stage.name}, {_clock(now.stage.left)} left"
        if now.stage
        else "end"
    )
    share = f" ({formats.percent(now.failures / now.requests)})" if now.requests else ""
    times = "" if now.p95 is None else f" | p95 {formats.number(now.p95)} ms"
    head = (
        f"{_clock(now.elapsed)} | stage {stage} | users {now.users} of {formats.number(now.ideal)}"
        f" | {now.rate} req/s | failed {now.failures:,}{share}{times}"
    )
    lines = [head, f"so far: {now.verdict.upper()}: {now.says}"]
    unmet = [each for each in now.thresholds if each.judged and each.outcome != Outcome.PASSED.value]
    unmet.sort(key=lambda each: each.outcome != Outcome.FAILED.value)
    lines += [
        f"  {each.outcome}: {each.about}, {each.threshold}: {each.sentence}" for each in unmet[:_MOST_LIMITS]
    ]
    if len(unmet) > _MOST_LIMITS:
        lines.append(f"  and {len(unmet) - _MOST_LIMITS} more")
    near = max(now.aborts, key=lambda each: each.share, default=None)
    if near is not None and near.share > 0:
        lines.append(
            f"  abort: {near.threshold} has {formats.percent(near.share)} of the evidence that it takes"
        )
    return [clean(line, 400) for line in lines]


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
