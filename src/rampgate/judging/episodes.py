"""How long a threshold has been broken: a state machine on the readings of one metric. Pure.

    ok          the newest reading keeps the threshold
    pending     readings break it, not yet for its duration
    firing      they have broken it for its duration
    recovering  it fired, and readings keep it, not yet for as long as a recovery takes
    unknown     nothing has been read for too long, or ever, or since the last change

        reading     ok        pending              firing       recovering            unknown
        bad         pending   firing, in the end   firing       firing                pending
        good        ok        ok                   recovering   ok, in the end        ok
        missing     unknown   frozen               frozen       frozen                unknown

Only time between two readings counts, and only where they are close enough: a missing reading freezes what
is pending, firing or recovering, and time when nobody watched makes nothing older. A threshold without
a duration fires at its first bad reading. From firing to the next ok it is one episode, however often it
goes back from recovering.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    """Where a threshold stands."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long what takes, in seconds.

    Args:
        duration: for which a threshold must be broken before it fires; 0: at once.
        recovery: for which it must be kept until its episode ends; 0: at once.
        max_gap: between two readings that still counts as observed; none of a longer one does.
        max_age: of the newest reading, after which nothing is known any more.
    """

    duration: float
    recovery: float
    max_gap: float
    max_age: float


@dataclass(frozen=True, slots=True)
class Episode:
    """Where one threshold stands, and since when.

    Args:
        state: see above.
        since: when it came into this state, seconds since the epoch.
        held: observed seconds of it, while pending or recovering.
        read_at: when it was read last, seconds since the epoch; None: never, or not since the last change.
        joined: whether the time since then is observed, as far as it is short enough.
        number: of the episode that fires or fired last; 0 before the first.
    """

    state: State = State.UNKNOWN
    since: float = 0.0
    held: float = 0.0
    read_at: float | None = None
    joined: bool = False
    number: int = 0

    @property
    def open(self) -> bool:
        """Whether an episode has begun and not ended."""
        return self.state in {State.FIRING, State.RECOVERING}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self) | {"state": self.state.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Episode:
        """Read back what to_json wrote.

        Raises:
            TypeError: it holds something else.
            ValueError: an unknown state.
        """
        return cls(**{**data, "state": State(data["state"])})


def step(
    episode: Episode, at: float, timing: Timing, *, bad: bool | None, confirmed: bool = False
) -> Episode:
    """The episode after one reading.

    Args:
        episode: before it.
        at: when the reading was taken, seconds since the epoch.
        timing: of the threshold.
        bad: whether the reading breaks the threshold; None: there is no reading.
        confirmed: whether a bad reading of a metric that is read more seldom than the duration has been
            confirmed by further ones, so that it fires without waiting for the next.
    """
    if bad is None:
        return _missing(episode, at, timing)
    observed = at - episode.read_at if episode.joined and episode.read_at is not None else 0.0
    held = episode.held + (observed if 0 <= observed <= timing.max_gap else 0.0)
    read = replace(episode, read_at=at, joined=True)
    return _bad(read, at, held, timing, confirmed=confirmed) if bad else _good(read, at, held, timing)


def changed(episode: Episode, at: float) -> Episode:
    """The episode after a change of what is watched: another percentage, or a restart.

    No window may straddle it: what was pending is not known any more, and what fired fires until readings
    of after the change keep the threshold for as long as a recovery takes.

    Args:
        episode: before it.
        at: when it changed, seconds since the epoch.
    """
    state = State.FIRING if episode.open else State.UNKNOWN
    since = episode.since if state is episode.state else at
    return replace(episode, state=state, since=since, held=0.0, read_at=None, joined=False)


def _missing(episode: Episode, at: float, timing: Timing) -> Episode:
    frozen = replace(episode, joined=False)
    old = episode.read_at is None or at - episode.read_at > timing.max_age
    return _into(frozen, State.UNKNOWN, at) if episode.state is State.OK and old else frozen


def _bad(episode: Episode, at: float, held: float, timing: Timing, *, confirmed: bool) -> Episode:
    if episode.open:
        return _into(episode, State.FIRING, at)
    held = held if episode.state is State.PENDING else 0.0
    if held >= timing.duration or confirmed:
        return _into(replace(episode, number=episode.number + 1), State.FIRING, at)
    return replace(_into(episode, State.PENDING, at), held=held)


def _good(episode: Episode, at: float, held: float, timing: Timing) -> Episode:
    if not episode.open:
        return _into(episode, State.OK, at)
    held = held if episode.state is State.RECOVERING else 0.0
    if held >= timing.recovery:
        return _into(episode, State.OK, at)
    return replace(_into(episode, State.RECOVERING, at), held=held)


def _into(episode: Episode, state: State, at: float) -> Episode:
    """The episode in a state, since now where it is another one."""
    if state is episode.state:
        return replace(episode, held=0.0)
    return replace(episode, state=state, since=at, held=0.0)
