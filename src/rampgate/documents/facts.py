"""A rollout as its documents see it: when it was at which percentage, and which runs measured it then."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from rampgate.documents.runs import WATCH, Run, Runs, newest_first
from rampgate.errors import EvidenceError
from rampgate.model import formats
from rampgate.rollout.command import STOP_LINE
from rampgate.rollout.records import StepStatus
from rampgate.rollout.soak import target_of
from rampgate.rollout.transitions import Command, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.config.settings import Settings
    from rampgate.rollout.records import Rollout, Step
    from rampgate.rollout.session import Session

_PREDEPLOY, _DEPLOY, _ROLLBACK = "predeploy", "deploy", "rollback"
BACK = frozenset({Command.GRADUAL, Command.EMERGENCY})
_MOVES = BACK | {Command.START, Command.ADVANCE}
_EVERYBODY = 100.0
NOT_MEASURED = "not measured"


class Span(NamedTuple):
    """A time in which one percentage was in force.

    Args:
        percentage: 0 to 100.
        begin: seconds since the epoch.
        end: the same, infinite where it goes on.
    """

    percentage: float
    begin: float
    end: float


@dataclass(frozen=True)
class Facts:
    """What is known of a rollout.

    Args:
        settings: in force.
        rollout: None where none has begun.
        steps: of it, in their order.
        runs: of its environment and target.
        now: seconds since the epoch.
        stopped: why nothing may rise, "" where that is not so.
    """

    settings: Settings
    rollout: Rollout | None
    steps: Sequence[Step]
    runs: Runs
    now: float
    stopped: str = ""

    @property
    def features(self) -> list[str]:
        """The flags that move together."""
        return list(self.rollout.features if self.rollout else self.settings.rollout.features)

    @property
    def version(self) -> str:
        """That is rolled out, "" where no version is expected."""
        expected = self.settings.version.expected if self.settings.version else None
        return (self.rollout.version if self.rollout else expected) or ""

    @property
    def begin(self) -> float:
        """When the rollout began; now, where none has."""
        return self.rollout.at if self.rollout else self.now

    @property
    def end(self) -> float | None:
        """When it came to its end, None where it has not."""
        ended = self.rollout and self.rollout.status in {Status.COMPLETE, Status.ROLLED_BACK}
        done = [step for step in self.steps if step.ended is not None]
        last = [step for step in done if step.source != step.target or step.command in BACK]
        return last[-1].ended if ended and last else None

    @cached_property
    def spans(self) -> list[Span]:
        """Which percentage was in force when, as it was read back from users."""
        moves = [step for step in self.steps if step.status is StepStatus.DONE and step.command in _MOVES]
        begins = [step.ended or step.at for step in moves]
        ends = [*(step.at for step in moves[1:]), math.inf]
        return [Span(*each) for each in zip((step.target for step in moves), begins, ends, strict=False)]

    @property
    def highest(self) -> Span | None:
        """The last time of the highest percentage above 0 that users had, None where there was none."""
        above = [span for span in self.spans if span.percentage > 0]
        most = max((span.percentage for span in above), default=0.0)
        return next((span for span in reversed(above) if span.percentage == most), None)

    @property
    def _first_above(self) -> float:
        return next((span.begin for span in self.spans if span.percentage > 0), math.inf)

    def before(self) -> list[Run]:
        """Runs that say what was before, the best first.

        The predeploy runs of the version, else whatever ran before the rollout, else what ran at 0 %: never
        one at which some users had features that were rolled out then.
        """
        first, version = self._first_above, self.version or None
        runs = newest_first(self.runs.found)
        prepared = [
            run for run in runs if (run.stage, run.version) == (_PREDEPLOY, version) and run.time < first
        ]
        earlier = [run for run in runs if run.time < self.begin and self._is_settled(run)]
        off = [run for run in self.runs.between(self.begin, first, version) if run.percentage == 0]
        kept = [*prepared, *earlier, *newest_first(off)]
        return [run for run in kept if run.stage not in {WATCH, _ROLLBACK}]

    def _is_settled(self, run: Run) -> bool:
        """Whether all users had the same then, without the features of this version."""
        others = run.percentage == _EVERYBODY and run.version != (self.version or None)
        return not run.percentage or others

    def after(self) -> list[Run]:
        """Runs that say what users have with the features, the best first.

        The newest at the highest percentage; what a deploy's steps have looked at holds at each of them.
        """
        if (span := self.highest) is None:
            return []
        mine = newest_first(self.runs.between(0.0, math.inf, self.version or None))
        there = [
            run for run in mine if span.begin <= run.time < span.end and run.percentage == span.percentage
        ]
        kept = [*there, *(run for run in mine if run.stage == _DEPLOY and run not in there)]
        return [run for run in kept if run.stage not in {WATCH, _PREDEPLOY, _ROLLBACK}]

    def watches(self) -> list[Run]:
        """The watches of this rollout at the highest percentage, the newest first."""
        if (span := self.highest) is None:
            return []
        mine = self.runs.between(self.begin, span.end, self.version or None)
        return newest_first(run for run in mine if (run.stage, run.percentage) == (WATCH, span.percentage))

    def during(self) -> list[Run]:
        """Every run of this rollout, the oldest first."""
        return self.runs.between(self.begin, math.inf, self.version or None)


def of(session: Session) -> Facts:
    """What is known of the newest rollout.

    Raises:
        EvidenceError: what the rollout remembers cannot be read.
    """
    settings, now = session.settings, session.clock.now()
    rollout = session.state.current()
    try:
        steps = [step for step in session.state.steps() if rollout and step.rollout == rollout.id]
    except (ValueError, TypeError, KeyError) as error:
        raise EvidenceError(f"{session.state.path}: is damaged: {error}") from None
    environment = rollout.environment if rollout and rollout.environment else settings.environment
    target = rollout.target if rollout and rollout.target else target_of(settings)
    runs = Runs.read(settings.reports, environment, target)
    stopped = (session.state.get(STOP_LINE) or {}).get("why", "")
    return Facts(settings, rollout, steps, runs, now, str(stopped))


def moment(at: float | None) -> str:
    """A time as a reader sees it, to the minute; "" where there is none."""
    return "" if at is None else time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


def at_percent(percentage: float) -> str:
    """``25 %``."""
    return f"{formats.number(percentage)} %"
