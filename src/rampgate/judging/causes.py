"""Why not promote: one finding a cause, with what followed from it listed under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.judging.results import CheckResult, Finding
from rampgate.outcome import Cause, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

_ORDER: tuple[Outcome | None, ...] = (Outcome.FAILED, Outcome.ERROR, Outcome.UNDECIDED, Outcome.SKIPPED, None)
_SKIPPED_FOR = "skipped because "
_REFUSED = "sign-in"
_ABORT, _PLATEAU = "load/abort", "load/plateau["
_POOLED = ("load/whole run", "load/cohort[", "load/cells", _ABORT)
"""A load run's endpoints, each on its own; and what its other checks pool."""


def weight(result: CheckResult) -> tuple[bool, int]:
    """Sorts results that are not passed, the weightiest first."""
    return not result.critical, _ORDER.index(result.outcome)


def findings(holding: Sequence[CheckResult], cut_short: Sequence[str]) -> list[Finding]:
    """The causes of these results and of runs that were cut short, the weightiest first.

    Args:
        holding: every result that keeps the deployment from being promoted.
        cut_short: sentences, each begun by the stage that did not come to its end.
    """
    found: list[Finding] = []
    incomplete = {why: list[CheckResult]() for why in cut_short}
    for result in sorted(holding, key=lambda each: (*weight(each), _place(each))):
        if why := _cut(result, cut_short):
            incomplete[why].append(result)
        elif (at := next((i for i, known in enumerate(found) if _follows(result, known)), None)) is not None:
            found[at] = found[at]._replace(consequences=(*found[at].consequences, result))
        else:
            found.append(Finding(result.reason, result))
    failed = sum(finding.cause is not None and finding.cause.outcome is Outcome.FAILED for finding in found)
    cut = [Finding(why, None, tuple(results)) for why, results in incomplete.items()]
    # What a load run could not decide, it could not because it was cut short.
    load = [finding for finding in cut if finding.reason.startswith("load: ")]
    never = [finding for finding in found if finding.cause and finding.cause.outcome is None]
    others = [finding for finding in found[failed:] if finding not in never]
    return [*found[:failed], *load, *others, *(each for each in cut if each not in load), *never]


def _place(result: CheckResult) -> int:
    """Among equals: a starved generator before what it made undecided, what is pooled after its parts."""
    if result.cause == Cause.STARVED:
        return 0
    return next((at for at, check in enumerate(_POOLED, 2) if result.check.startswith(check)), 1)


def _cut(result: CheckResult, cut_short: Sequence[str]) -> str:
    """Why this check could not come to more: its stage did not come to its end."""
    if result.outcome not in {None, Outcome.UNDECIDED}:
        return ""
    stage = result.check.partition("/")[0]
    mine = (why for why in cut_short if why.startswith(f"{stage}: "))
    return next(mine, "") if result.outcome is None or stage == "load" else ""


def _follows(result: CheckResult, known: Finding) -> bool:
    """Whether a result has the same cause as one that weighs as much or more."""
    cause = known.cause
    if cause is None:
        return False
    early = result.check.startswith("load/") and result.outcome in {Outcome.SKIPPED, Outcome.UNDECIDED}
    if early and cause.check == _ABORT and cause.outcome is Outcome.FAILED:
        return True  # the run was over before it was measured
    if result.outcome is Outcome.SKIPPED and result.message.startswith(_SKIPPED_FOR):
        return result.message == cause.message or _broke(cause, result.message.removeprefix(_SKIPPED_FOR))
    if cause.cause == Cause.STARVED and result.outcome is Outcome.UNDECIDED:
        return cause.message in result.reason
    if result.outcome is Outcome.FAILED and result.check.startswith(_POOLED):
        loaded = cause.check.startswith((_PLATEAU, *_POOLED))
        return loaded and (result.check == _ABORT or _metrics(result) <= _metrics(cause))
    return bool(result.message) and (result.outcome, result.message) == (cause.outcome, cause.message)


def _broke(cause: CheckResult, why: str) -> bool:
    """Whether this failure is the one that others were skipped for: ``api does not answer``."""
    failed = [judgement for judgement in cause.judgements if judgement.outcome is Outcome.FAILED]
    name = why.partition(" ")[0]
    if name == _REFUSED:
        return any(judgement.metric == "sign_in_up" for judgement in failed)
    return any(
        name in {*judgement.labels.values(), judgement.metric.removesuffix("_up")} for judgement in failed
    )


def _metrics(result: CheckResult) -> set[str]:
    return {judgement.metric for judgement in result.judgements if judgement.outcome is Outcome.FAILED}
