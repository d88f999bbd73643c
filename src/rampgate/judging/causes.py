"""Why not promote: one finding a cause, with what followed from it listed under it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rampgate.judging.results import CheckResult, Finding
from rampgate.outcome import Cause, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

_ORDER: tuple[Outcome | None, ...] = (Outcome.FAILED, Outcome.ERROR, Outcome.UNDECIDED, Outcome.SKIPPED, None)
_SKIPPED_FOR = "skipped because "
_REFUSED = "sign-in"
_WATCH, _WITHIN = "watch", "extended"
_ABORT, _PLATEAU = "load/abort", "load/plateau["
_ON, _OFF = "load/cohort[on]", "load/cohort[off]"
_ONLY_ON = "users with the features alone: load/cohort[off] passed"
_POOLED = ("load/whole run", "load/cohort[", "load/slices", _ABORT)
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
    for result in sorted(holding, key=lambda each: (*weight(each), _place(each), -_need(each))):
        if why := _cut(result, cut_short):
            incomplete[why].append(result)
        elif (at := next((i for i, known in enumerate(found) if _follows(result, known)), None)) is not None:
            found[at] = found[at]._replace(consequences=(*found[at].consequences, result))
        else:
            found.append(Finding(result.reason, result))
    only_on = not any(each.check == _OFF for each in holding)
    found = [_counted(finding, only_on=only_on) for finding in found]
    failed = sum(
        bool(each.cause and (each.cause.outcome is Outcome.FAILED or each.cause.critical)) for each in found
    )
    cut = [Finding(why, None, tuple(results)) for why, results in incomplete.items()]
    # What a load run could not decide, it could not because it was cut short.
    load = [finding for finding in cut if finding.reason.startswith("load: ")]
    never = [each for each in found[failed:] if each.cause and each.cause.outcome is None]
    others = [finding for finding in found[failed:] if finding not in never]
    return [*found[:failed], *load, *others, *(each for each in cut if each not in load), *never]


def _with_the_features(finding: Finding) -> bool:
    """Whether users with the features met what failed."""
    results = (finding.cause, *finding.consequences)
    return any(each.check == _ON and each.outcome is Outcome.FAILED for each in results if each)


def _counted(finding: Finding, *, only_on: bool) -> Finding:
    """Several checks of one stage that never ran are a number, and so are endpoints that failed alike.

    Args:
        finding: a cause with its consequences.
        only_on: whether users without the features met nothing of what failed under load.
    """
    if finding.cause is None or not finding.consequences:
        return finding
    if finding.cause.outcome is not None or finding.cause.critical:
        alike = sum(
            bool(failures(each)) and not each.check.startswith(_POOLED) for each in finding.consequences
        )
        more = [f"and so at {alike} more endpoint{'s' if alike > 1 else ''}"] if alike else []
        more += [_ONLY_ON] if only_on and _with_the_features(finding) else []
        return finding._replace(reason=finding.reason + (f" ({'; '.join(more)})" if more else ""))
    never = f"{_start(finding.cause)}: {len(finding.consequences) + 1} checks never ran"
    why = finding.cause.message
    return finding._replace(reason=f"{never}: {why}" if why else never)


def _place(result: CheckResult) -> int:
    """Among equals: a starved generator before what it made undecided, what is pooled after its parts."""
    if result.cause == Cause.STARVED:
        return 0
    return next((at for at, check in enumerate(_POOLED, 2) if result.check.startswith(check)), 1)


def _need(result: CheckResult) -> float:
    """How much longer a load run would have to last for this check, as a share of what it lasted."""
    if result.outcome is not Outcome.UNDECIDED or _start(result) != "load":
        return 0.0
    behind = [judgement for judgement, _ in result.behind]
    return max((math.inf if j.needed is None else j.needed / max(1, j.n) for j in behind), default=0.0)


def _cut(result: CheckResult, cut_short: Sequence[str]) -> str:
    """Why this check could not come to more: its stage did not come to its end."""
    if result.critical or result.outcome not in {None, Outcome.UNDECIDED}:
        return ""
    stage = _start(result)
    # A watch of its own comes to no outcome then; the one of a stage is cut short together with that.
    stages = (stage, _WITHIN) if stage == _WATCH else (stage,)
    mine = (why for each in stages for why in cut_short if why.startswith(f"{each}: "))
    return next(mine, "") if result.outcome is None or stage in {"load", _WATCH} else ""


def _follows(result: CheckResult, known: Finding) -> bool:
    """Whether a result has the same cause as one that weighs as much or more."""
    cause = known.cause
    return cause is not None and (
        _same_message(result, cause)
        or _stopped(result, [cause, *known.consequences])
        or any(rule(result, cause) for rule in _RULES)
    )


def _same_message(result: CheckResult, cause: CheckResult) -> bool:
    if result.outcome is None:  # of one stage, never ran
        return not result.critical and (None, result.message, _start(result)) == (
            cause.outcome,
            cause.message,
            _start(cause),
        )
    return bool(result.message) and (result.outcome, result.message) == (cause.outcome, cause.message)


def _stopped(result: CheckResult, known: Sequence[CheckResult]) -> bool:
    """The load run was ended early, before this was measured."""
    unmeasured = result.outcome in {Outcome.SKIPPED, Outcome.UNDECIDED} and _start(result) == "load"
    return unmeasured and any(each.check == _ABORT and each.outcome is Outcome.FAILED for each in known)


def _skipped_for(result: CheckResult, cause: CheckResult) -> bool:
    """What others were skipped for: ``api does not answer``."""
    if result.outcome is not Outcome.SKIPPED or not result.message.startswith(_SKIPPED_FOR):
        return False
    name = result.message.removeprefix(_SKIPPED_FOR).partition(" ")[0]
    failed = [judgement for judgement in cause.judgements if judgement.outcome is Outcome.FAILED]
    if name == _REFUSED:
        return any(judgement.metric == "sign_in_up" for judgement in failed)
    return any(
        name in {*each.labels.values(), each.metric.removesuffix("_up").removesuffix("_outage")}
        for each in failed
    )


def _starved(result: CheckResult, cause: CheckResult) -> bool:
    undecided = result.outcome is Outcome.UNDECIDED and cause.cause == Cause.STARVED
    return undecided and cause.message in result.reason


def _too_short(result: CheckResult, cause: CheckResult) -> bool:
    """A load run that was too short for one endpoint was too short for the others."""
    undecided = result.outcome is cause.outcome is Outcome.UNDECIDED
    measured = not result.cause and not cause.cause
    return undecided and measured and _start(result) == _start(cause) == "load"


def _page(result: CheckResult, cause: CheckResult) -> bool:
    """A page that does not come is no page to audit."""
    down = any(j.metric == "page_up" and j.outcome is Outcome.FAILED for j in cause.judgements)
    subject = cause.check.partition("[")[2]
    audited = result.outcome in {Outcome.FAILED, Outcome.ERROR} and _metrics(result) <= {"page_up"}
    return down and audited and bool(subject) and result.check.endswith(f"[{subject}")


def _pooled(result: CheckResult, cause: CheckResult) -> bool:
    """What is pooled over a load run's endpoints repeats what one of them found."""
    if result.outcome is not Outcome.FAILED or not result.check.startswith(_POOLED):
        return False
    loaded = cause.outcome is Outcome.FAILED and cause.check.startswith((_PLATEAU, *_POOLED))
    return loaded and (result.check == _ABORT or _metrics(result) <= _metrics(cause))


def _answered(result: CheckResult, cause: CheckResult) -> bool:
    """The same failures at another endpoint, or the same sentence of the same address."""
    failed = result.outcome is cause.outcome is Outcome.FAILED
    alike = bool(failures(cause)) and failures(result) == failures(cause)
    same = result.reason == cause.reason and not result.reason.startswith(result.check)
    return failed and (alike or same)


_RULES = (_skipped_for, _starved, _too_short, _page, _pooled, _answered)


def failures(result: CheckResult) -> set[str]:
    """How requests of a check failed, where that is behind its outcome."""
    return {each for judgement, _ in result.behind for each in judgement.failures}


def _metrics(result: CheckResult) -> set[str]:
    return {judgement.metric for judgement in result.judgements if judgement.outcome is Outcome.FAILED}


def _start(result: CheckResult) -> str:
    """The stage of a check; of a user's own, its file."""
    file, own, _ = result.check.partition(".py::")
    return f"{file}.py" if own else result.check.partition("/")[0]
