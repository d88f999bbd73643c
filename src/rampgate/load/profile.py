"""Which load is meant: how many users or visits at which second, from [load] and the command line.

Two executors, named and meant as in k6: ``ramping-users`` (a closed model: users follow a ramp, and each
asks, waits for its answers, pauses, and asks again) and ``constant-arrival-rate`` (an open model: visits
begin at a rate, whoever is still waiting for the last ones).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.checks.frame.table import seconds
from rampgate.errors import ConfigurationError
from rampgate.model import formats
from rampgate.model.ramp import Ramp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rampgate.config.load_settings import LoadSettings

USERS, ARRIVALS = "ramping-users", "constant-arrival-rate"
LEAD_S = 1.0
"""How long before the first visit of a constant arrival rate its users come, to be there for it."""
LATE_S = 0.1
"""A visit that begins later than this was offered and not achieved."""


@dataclass(frozen=True, slots=True)
class Step:
    """From this second of the ramp on so many users."""

    at: float
    users: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What a run is going to do.

    Args:
        ramp: the users, in the time that the run really takes.
        scale: how many times faster than written; anything but 1 is a rehearsal.
        rate: visits per second of a constant arrival rate; None where users follow the ramp.
    """

    ramp: Ramp
    scale: float = 1.0
    rate: float | None = None

    @property
    def rehearsal(self) -> bool:
        """Whether time runs faster or slower than the profile says: its ramp stages are not judged."""
        return self.scale != 1.0

    @property
    def text(self) -> str:
        """What it is, for a reader: ``up to 100 users for 16 min``."""
        long = formats.duration(self.ramp.duration)
        if self.rate is not None:
            return f"{formats.number(self.rate)} visits a second for {long}"
        flat = all(stage.target == self.ramp.start for stage in self.ramp.stages)
        return f"{'' if flat else 'up to '}{self.users} users for {long}"

    @property
    def users(self) -> int:
        """The most users at once."""
        return math.ceil(max(self.ramp.start, *(stage.target for stage in self.ramp.stages)))

    def steps(self) -> Iterator[Step]:
        """Each user's own instant: when the ramp, rounded to whole users, changes."""
        count, begin = _whole(self.ramp.start), 0.0
        yield Step(0.0, count)
        for index, stage in enumerate(self.ramp.stages):
            origin, to = self.ramp.origin(index), _whole(stage.target)
            way = 1 if to > count else -1
            for users in range(count + way, to + way, way) if stage.duration_s > 0 and to != count else ():
                share = (users - way / 2 - origin) / (stage.target - origin)
                yield Step(begin + min(1.0, max(0.0, share)) * stage.duration_s, users)
            if stage.duration_s == 0 and to != count:
                yield Step(begin, to)
            count, begin = to, begin + stage.duration_s


class Tickets:
    """The instants at which visits begin under a constant arrival rate; whoever is free takes the next one.

    An instant that passed while no user was free is lost: offered, and not achieved.

    Args:
        profile: with a rate.
        index: which of the generating processes this is; each has its share of the instants, and one that
            came later than the others none.
        of: how many there were at the beginning.
    """

    def __init__(self, profile: Profile, index: int = 0, of: int = 1) -> None:
        assert profile.rate is not None  # noqa: S101  # only a constant arrival rate has tickets
        self._gap = of / profile.rate
        self._first = LEAD_S + index / profile.rate
        instants = math.ceil((profile.ramp.duration - self._first) / self._gap - 1e-9)
        self._total = max(0, instants) if index < of else 0
        self._next = 0
        self.achieved = 0

    def take(self, now: float) -> float | None:
        """The next instant that has not passed at this second of the ramp; None when there is no more."""
        self._next = max(self._next, math.ceil((now - self._first) / self._gap - 1e-9))
        if self._next >= self._total:
            return None
        self._next += 1
        return self._first + (self._next - 1) * self._gap

    def begun(self, ticket: float, now: float) -> None:
        """The visit of this instant begins now."""
        self.achieved += now - ticket <= LATE_S

    def offered(self, now: float) -> int:
        """How many instants have passed so long that their visit has begun or is late."""
        return min(self._total, max(0, math.floor((now - LATE_S - self._first) / self._gap + 1e-9) + 1))


def of(load: LoadSettings) -> Profile:
    """The profile that [load] describes.

    Raises:
        ConfigurationError: an arrival rate without rate or duration, or a ramp that lasts no time.
    """
    if load.executor == ARRIVALS:
        if missing := [key for key in ("rate", "duration") if getattr(load, key) is None]:
            raise ConfigurationError(
                [f"load.{key}: missing; {ARRIVALS} needs it (or give --{key})" for key in missing]
            )
        held = (load.duration or 0.0) / load.time_scale
        return Profile(Ramp.of([(LEAD_S, load.users), (held, load.users)]), load.time_scale, load.rate)
    try:
        ramp = _ramp(load)
    except ValueError as error:
        raise ConfigurationError(f"load: {error}") from None
    return Profile(ramp.scaled(1 / load.time_scale), load.time_scale)


def _ramp(load: LoadSettings) -> Ramp:
    if load.stages is not None:
        return Ramp.parse(load.stages)
    if load.duration is not None:
        return Ramp.of([(load.duration, load.users)], start=load.users)
    return Ramp.of([(load.ramp_up, load.users), (load.plateau, load.users), (load.ramp_down, 0)])


def with_options(load: LoadSettings, options: Mapping[str, Any]) -> LoadSettings:
    """[load] with the command line's options in it, so that the journal has what really ran.

    Args:
        load: as the file says.
        options: ``time_scale``, ``duration``, ``users``, ``rate``, ``abort``, as text or number; None and ""
            leave the file's value. ``duration`` alone makes a flat profile; with a rate, a constant arrival
            rate.

    Raises:
        ConfigurationError: every option that cannot be read, or that the profile has no place for.
    """
    given: dict[str, Any] = {}
    problems = []
    for name, (read, accepted) in _OPTIONS.items():
        text = options.get(name)
        if text is None or text == "":
            continue
        try:
            given[name] = read(text)
        except ValueError:
            problems.append(f"--{name.replace('_', '-')}: found {text!r}; accepted is {accepted}")
    if "rate" in given:
        given["executor"] = ARRIVALS
    elif "duration" in given and load.executor == USERS:
        given["stages"] = None
    elif "users" in given and load.stages is not None and load.executor == USERS:
        problems.append("--users: load.stages says how many; accepted is --users with --duration or --rate")
    if problems:
        raise ConfigurationError(problems)
    return load.model_copy(update=given)


def _above(read: Callable[[Any], float]) -> Callable[[Any], float]:
    """Whatever is read must be above 0 and finite."""

    def checked(text: Any) -> float:
        value = read(text)
        if not 0 < value < math.inf:
            raise ValueError
        return value

    return checked


def _abort(text: str) -> str:
    if text not in {"on", "report", "off"}:
        raise ValueError
    return text


_OPTIONS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "time_scale": (_above(float), "a number above 0, such as 20 for twenty times faster"),
    "duration": (_above(seconds), "a duration such as 90s, 10m or 1h30m"),
    "users": (_above(int), "a whole number above 0"),
    "rate": (_above(float), "a number of visits per second above 0"),
    "abort": (_abort, "on, report or off"),
}


def _whole(users: float) -> int:
    """To the nearest whole user, halves up, so that a rising ramp never falls."""
    return math.floor(users + 0.5)
