"""A rollout, a step of it, and who holds its lease, as plain data."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Self

from rampgate.model import formats
from rampgate.rollout.transitions import OPEN, Status

_OTHER_HOST_S = 600.0
"""A holder on another machine is believed for so long after its last sign of life."""


class StepStatus(StrEnum):
    """How far a step has come."""

    BEGUN = "begun"
    """Written; nothing may have been touched yet."""
    ACTED = "acted"
    """The actuators were called; the effect is being read."""
    DONE = "done"
    FAILED = "failed"
    """Its effect was not seen; what became of it stands in ``effect``."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout.

    Args:
        features: the flags that move together.
        version: that they are rolled out in, None where no version is expected.
        status: where it stands.
        percentage: in force, as it was last confirmed, 0 to 100.
        changed: when that was, seconds since the epoch.
        who: started it.
        at: when, seconds since the epoch.
        since: since when its soak counts, seconds since the epoch: the last change, or the end of a pause.
        soaked: seconds that were observed at this percentage before that.
        environment: in which it is.
        target: where that answers.
        id: its number, 0 as long as it is not written.
    """

    features: tuple[str, ...]
    version: str | None
    status: Status
    percentage: float
    changed: float
    who: str
    at: float
    since: float = 0.0
    soaked: float = 0.0
    environment: str = ""
    target: str = ""
    id: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is not at its end."""
        return self.status in OPEN

    def gives_way_to(self, version: str | None) -> bool:
        """Whether a start of a version takes its place, in the midst of its way up."""
        return self.status in {Status.RUNNING, Status.PAUSED} and self.version != version

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any], number: int) -> Self:
        """Read back what to_json wrote."""
        fixed = {"id": number, "features": tuple(data["features"]), "status": Status(data["status"])}
        return cls(**{**data, **fixed})


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a rollout, or a decision about it.

    Args:
        rollout: the number of the one that it belongs to.
        command: what was asked for.
        source: the percentage before, 0 to 100.
        target: the percentage that it is to come to.
        who: asked for it.
        why: the reason that was given.
        token: of the lease that it was made under.
        at: when it began, seconds since the epoch.
        status: how far it has come.
        ended: when it came to its end, None where it has not.
        evidence: what it stood on.
        calls: of actuators: name, percentage, token, begin, end, message, whether it touched anything.
        effect: what was read back.
        id: its number, 0 as long as it is not written.
    """

    rollout: int
    command: str
    source: float
    target: float
    who: str
    why: str
    token: int
    at: float
    status: StepStatus = StepStatus.BEGUN
    ended: float | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    calls: tuple[dict[str, Any], ...] = ()
    effect: dict[str, Any] = field(default_factory=dict)
    id: int = 0

    @property
    def touched(self) -> bool:
        """Whether an actuator may have changed something; none has that was not called, or refused."""
        return any(call.get("touched", True) for call in self.calls)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any], number: int) -> Self:
        """Read back what to_json wrote."""
        fixed = {"id": number, "status": StepStatus(data["status"]), "calls": tuple(data["calls"])}
        return cls(**{**data, **fixed})


class Holder(NamedTuple):
    """Who holds the lease.

    Args:
        pid: of the process.
        host: its machine.
        born: when the process began, in the kernel's ticks, which tells a pid that is reused.
        what: it does.
        who: asked for it.
        at: its last sign of life, seconds since the epoch.
    """

    pid: int
    host: str
    born: int
    what: str
    who: str
    at: float

    @classmethod
    def here(cls, what: str, who: str, at: float) -> Self:
        """This process."""
        return cls(os.getpid(), socket.gethostname(), born(os.getpid()) or 0, what, who, at)

    @property
    def is_here(self) -> bool:
        """Whether it is a living process of this machine."""
        return self.host == socket.gethostname() and born(self.pid) == self.born

    def alive(self, now: float) -> bool:
        """Whether it may still act."""
        return self.is_here if self.host == socket.gethostname() else now - self.at < _OTHER_HOST_S

    def described(self, now: float) -> str:
        """As whoever is refused reads it."""
        since = formats.elapsed(max(0.0, now - self.at))
        return f"{self.what} by {self.who} (pid {self.pid} on {self.host}, {since} ago)"


def born(pid: int) -> int | None:
    """When a process began, in ticks since boot; None where none runs."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    state, *rest = text.rpartition(")")[2].split()
    return None if state in {"Z", "X"} else int(rest[18])
