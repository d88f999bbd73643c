"""The five outcomes of a check, the severities, and the three decisions."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

from rampgate.errors import ExitCode


class Outcome(StrEnum):
    """What a judgement comes to, best first.

    *Failed* says that the deployment is bad. *Error* says that we could not look. *Undecided* says that
    we looked, and it is not enough.
    """

    PASSED = "passed"
    SKIPPED = "skipped"
    UNDECIDED = "undecided"
    ERROR = "error"
    FAILED = "failed"


_ORDER = tuple(Outcome)


def worst(outcomes: Iterable[Outcome]) -> Outcome | None:
    """The worst of several outcomes, None of none: the caller must say what no evidence means."""
    return max(outcomes, key=_ORDER.index, default=None)


class Severity(StrEnum):
    """How much a failure weighs: *critical* rolls back, *warning* holds."""

    WARNING = "warning"
    CRITICAL = "critical"


class Decision(StrEnum):
    """What may happen to the deployment."""

    PROMOTE = "promote"
    HOLD = "hold"
    ROLLBACK = "rollback"

    @property
    def exit_code(self) -> ExitCode:
        """The process exit code of this decision."""
        return ExitCode[self.name]


class Cause(StrEnum):
    """What kept a load run from an answer, for whoever says what to do about it."""

    STARVED = "starved"
    """Its own generator waited for a processor, and nothing else was wrong."""
    LOST = "lost"
    """A generating process was lost."""
    SHORT = "short"
    """The load that was asked for was not reached."""
    NOTHING = "nothing"
    """No request was sent."""
