"""How many users at which second: stages of a load, read the way k6 runs them.

    ramp     = stage { "," stage }
    stage    = duration ":" target          "2m:10" = within two minutes to 10 users
    duration = part { part }                "1h30m"
    part     = number ( "h" | "m" | "s" | "ms" )

Each stage moves the users linearly from the last target to its own, so that "5m:50" after "2m:10" is a ramp
from 10 to 50 and stays nowhere.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``2m``, ``30s``, ``1h30m`` or ``500ms``.

    Raises:
        ValueError: anything else, a bare number too: it does not say of what.
    """
    stripped = text.strip()
    if not _DURATION.fullmatch(stripped):
        raise ValueError(f"found the duration {text!r}; accepted are durations such as 30s, 2m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(stripped))


@dataclass(frozen=True, slots=True)
class RampStage:
    """So many seconds to move from the users of the stage before to ``target``; 0 seconds is a jump."""

    duration_s: float
    target: float

    def __post_init__(self) -> None:
        for what, value in (("duration", self.duration_s), ("target", self.target)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"the {what} of a ramp stage is 0 or more, found {value}")


@dataclass(frozen=True, slots=True)
class Ramp:
    """Users over time, a pure function of the seconds since the start.

    Args:
        stages: at least one, together longer than 0 s.
        start: users at second 0.

    Raises:
        ValueError: no stage, no time, or a start below 0.
    """

    stages: tuple[RampStage, ...]
    start: float = 0.0

    def __post_init__(self) -> None:
        if not self.duration > 0:
            raise ValueError("a ramp needs a stage that lasts longer than 0 s")
        if not (math.isfinite(self.start) and self.start >= 0):
            raise ValueError(f"a ramp starts with 0 users or more, found {self.start}")

    @classmethod
    def of(cls, pairs: Iterable[tuple[str | float, float]], start: float = 0.0) -> Ramp:
        """A ramp of (duration, target) pairs, a duration as text or in seconds.

        Raises:
            ValueError: naming the stage, what was found and what is accepted.
        """
        stages = []
        for number, (duration, target) in enumerate(pairs, 1):
            try:
                seconds = parse_duration(duration) if isinstance(duration, str) else float(duration)
                stages.append(RampStage(seconds, float(target)))
            except ValueError as error:
                raise ValueError(f"stage {number}: {error}") from error
        return cls(tuple(stages), start)

    @classmethod
    def parse(cls, text: str, start: float = 0.0) -> Ramp:
        """Read ``2m:10,5m:50``.

        Raises:
            ValueError: naming the stage, what was found and what is accepted.
        """
        pairs: list[tuple[str | float, float]] = []
        for number, part in enumerate(text.split(","), 1):
            duration, _, target = part.strip().partition(":")
            if not re.fullmatch(r"\d+(?:\.\d+)?", target.strip()):
                raise ValueError(
                    f"stage {number}: found {part.strip()!r}; accepted is duration:users, such as 2m:10"
                )
            pairs.append((duration, float(target)))
        return cls.of(pairs, start)

    @property
    def ends(self) -> tuple[float, ...]:
        """The second at which each stage ends."""
        return tuple(accumulate(stage.duration_s for stage in self.stages))

    @property
    def duration(self) -> float:
        """Seconds from the start to the end of the last stage."""
        return sum(stage.duration_s for stage in self.stages)

    def stage_at(self, t: float) -> int | None:
        """The index of the stage that second t lies in; a stage has its first instant, not its last.

        None before the start and from the end on: such a request belongs to no stage.
        """
        if t < 0:
            return None
        return next((index for index, end in enumerate(self.ends) if t < end), None)

    def bounds(self, index: int) -> tuple[float, float]:
        """The seconds at which this stage begins and ends."""
        return (self.ends[index - 1] if index else 0.0), self.ends[index]

    def origin(self, index: int) -> float:
        """Users at the beginning of this stage."""
        return self.stages[index - 1].target if index else self.start

    def users_at(self, t: float) -> float:
        """Users at second t, not rounded; the start before it, the last target after the end."""
        index = self.stage_at(t)
        if index is None:
            return self.start if t < 0 else self.stages[-1].target
        begin, _ = self.bounds(index)
        stage, origin = self.stages[index], self.origin(index)
        return origin + (stage.target - origin) * (t - begin) / stage.duration_s

    def plateau(self) -> int | None:
        """The index of the longest stage that holds its users steady and above 0, None where none does."""
        steady = [
            index
            for index, stage in enumerate(self.stages)
            if stage.target == self.origin(index) > 0 and stage.duration_s > 0
        ]
        return max(steady, key=lambda index: self.stages[index].duration_s, default=None)

    def scaled(self, factor: float) -> Ramp:
        """The same users in ``factor`` times the time: a compressed run is a rehearsal.

        Raises:
            ValueError: the factor is not above 0.
        """
        if not factor > 0:
            raise ValueError(f"a ramp is scaled by a factor above 0, found {factor}")
        return Ramp(
            tuple(RampStage(stage.duration_s * factor, stage.target) for stage in self.stages), self.start
        )


DEFAULT_RAMP = Ramp.parse("2m:10,5m:50,2m:100,5m:100,2m:0")
"""Sixteen minutes: three ramps up, five minutes at 100 users, one ramp down."""
