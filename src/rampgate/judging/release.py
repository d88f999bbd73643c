"""Whether a release may go on: the newest run of each stage that it requires, judged together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rampgate.judging.standing import standing
from rampgate.model import formats
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rampgate.judging.results import Verdict

MAX_AGE_S = 3600.0
"""How long ago the newest required stage may have ended."""
OTHERS = 4
"""How many times as long ago the other stages may have."""
BEFORE_S = 24 * 3600.0
"""How long before a version's first change of percentage its predeploy stage may have ended."""
PREDEPLOY = "predeploy"
_ORDER = (Decision.PROMOTE, Decision.HOLD, Decision.ROLLBACK)


@dataclass(frozen=True, slots=True)
class StageRun:
    """The newest run of one required stage.

    Args:
        stage: its name.
        run: its id, "" when there is none.
        decision: of the run.
        reason: of the decision, or why there is no run that counts; "" for a promotion.
        began: seconds since the epoch.
        ended: as began; the last record of the run.
        rehearsal: whether it was shortened, and so decides nothing.
        target: where what it measured answers.
        verdict: of the run, whose decision something may overrule; None when there is none.
    """

    stage: str
    run: str = ""
    decision: Decision = Decision.HOLD
    reason: str = ""
    began: float = 0.0
    ended: float = 0.0
    rehearsal: bool = False
    target: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class ReleaseVerdict:
    """What may happen to a release.

    Args:
        decision: the worst of its stages.
        release: environment, version, percentage; empty when there is none.
        stages: the run of each required stage, each with its own decision.
    """

    decision: Decision
    release: Mapping[str, Any]
    stages: tuple[StageRun, ...]

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "verdict": self.decision.value,
            "exit_code": int(self.decision.exit_code),
            "release": dict(self.release),
            "stages": [
                {"stage": each.stage, "run": each.run, "verdict": each.decision.value, "reason": each.reason}
                for each in self.stages
            ],
        }


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run must meet to count.

    Args:
        now: seconds since the epoch.
        changed: when the percentage changed last; 0 when that is not known.
        first: when this version's percentage was changed first; None when it has not been.
        max_age: seconds since the end of the newest required stage; the others may be OTHERS times as old.
        rehearsals: whether shortened runs, overrides and waivers count (a demo).
        target: where the newest run of the release measured.
    """

    now: float
    changed: float = 0.0
    first: float | None = None
    max_age: float = MAX_AGE_S
    rehearsals: bool = False
    target: str = ""


def decide(release: Mapping[str, Any], runs: Sequence[StageRun], terms: Terms) -> ReleaseVerdict:
    """Judge the runs of a release together; one that is missing, too old or a rehearsal holds.

    So do all of a release whose version or percentage is not known: it cannot be told from another.
    """
    unknown = [name for name in ("version", "percentage") if release.get(name) is None]
    why = f"{' and '.join(unknown)} unknown: nothing says which release it was" if unknown else ""
    newest = max((run.ended for run in runs if run.stage != PREDEPLOY), default=0.0)
    judged = tuple(_judged(run, terms, newest, why) for run in runs)
    decision = max((run.decision for run in judged), key=_ORDER.index, default=Decision.HOLD)
    return ReleaseVerdict(decision, release, judged)


def _judged(run: StageRun, terms: Terms, newest: float, why: str) -> StageRun:
    run = _overruled(run, terms)
    why = why or _refused(run, terms, newest)
    if run.decision is not Decision.PROMOTE or not why:
        return run
    return replace(run, decision=Decision.HOLD, reason=why)


def _overruled(run: StageRun, terms: Terms) -> StageRun:
    """The run as what overrules it has it, where that is no better than what was measured, or in a demo."""
    now = standing(run.verdict, terms.now) if run.verdict else None
    if now is None or now.decision is run.decision:
        return run
    if terms.rehearsals or _ORDER.index(now.decision) > _ORDER.index(run.decision):
        return replace(run, decision=now.decision, reason=now.sentence)
    return replace(run, reason=f"{run.reason} ({now.sentence}: it counts for no release)")


def _refused(run: StageRun, terms: Terms, newest: float) -> str:
    """Why a run that was promoted does not count."""
    if run.rehearsal and not terms.rehearsals:
        return "a rehearsal: it decides nothing"
    if run.target != terms.target:
        return f"measured {run.target or 'no address'}, and the newest run {terms.target or 'no address'}"
    if run.stage == PREDEPLOY:
        late = (terms.now if terms.first is None else terms.first) - run.ended
        return (
            ""
            if 0 <= late <= BEFORE_S
            else "did not end within the 24 h before the first change of percentage"
        )
    if run.began < terms.changed:
        return "begun before the last change of version or percentage"
    allowed = terms.max_age * (1 if run.ended == newest else OTHERS)
    age = terms.now - run.ended
    if age < 0:
        return "ended later than now: the clocks of two machines disagree"
    old = f"ended {formats.duration(age)} ago, and may not be older than "
    return old + formats.duration(allowed) if age > allowed else ""  # without a limit it is infinite
