"""Which command may follow which state of a rollout. Pure."""

from __future__ import annotations

from enum import StrEnum

from rampgate.errors import ConfigurationError


class Status(StrEnum):
    """Where a rollout stands between two changes."""

    RUNNING = "running"
    """At a percentage of the plan, whose soak goes on."""
    PAUSED = "paused"
    """The same, while nothing is observed for the soak."""
    ROLLING_BACK = "rolling back"
    """On its way down, a step at a time."""
    UNCERTAIN = "uncertain"
    """A change was not seen to take effect, and neither was its undoing: what users have is not known."""
    ROLLED_BACK = "rolled back"
    """Off for everybody, and seen to be."""
    COMPLETE = "complete"
    """At the last percentage of the plan."""
    SUPERSEDED = "superseded"
    """Another version's rollout has taken its place."""


class Command(StrEnum):
    """What somebody asks for."""

    START = "start"
    ADVANCE = "advance"
    PAUSE = "pause"
    RESUME = "resume"
    GRADUAL = "rollback --gradual"
    EMERGENCY = "rollback --emergency"


OPEN = frozenset({Status.RUNNING, Status.PAUSED, Status.ROLLING_BACK, Status.UNCERTAIN})
"""A rollout that is not at its end."""

_AFTER: dict[Command, dict[Status | None, Status]] = {
    Command.START: {
        None: Status.RUNNING,
        Status.COMPLETE: Status.RUNNING,
        Status.ROLLED_BACK: Status.RUNNING,
        Status.SUPERSEDED: Status.RUNNING,
    },
    Command.ADVANCE: {Status.RUNNING: Status.RUNNING},
    Command.PAUSE: {Status.RUNNING: Status.PAUSED},
    Command.RESUME: {Status.PAUSED: Status.RUNNING},
    Command.GRADUAL: dict.fromkeys(
        (Status.RUNNING, Status.PAUSED, Status.COMPLETE, Status.ROLLING_BACK), Status.ROLLING_BACK
    ),
    # An emergency is heeded wherever the rollout stands: also where it may be off already.
    Command.EMERGENCY: dict.fromkeys(
        (None, *(status for status in Status if status is not Status.SUPERSEDED)), Status.ROLLED_BACK
    ),
}


def after(command: Command, status: Status | None) -> Status:
    """The state of a rollout once a command has done its work.

    Args:
        command: what is asked for.
        status: where the rollout stands, None where there is none.

    Raises:
        ConfigurationError: the command cannot follow, and which can.
    """
    if (found := _AFTER[command].get(status)) is not None:
        return found
    stands = "there is no rollout" if status is None else f"the rollout is {status}"
    accepted = [each.value for each in Command if status in _AFTER[each]]
    raise ConfigurationError(
        f"rollout {command}: {stands}; accepted then: {', '.join(accepted) or 'nothing'}"
    )
