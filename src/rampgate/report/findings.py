"""The findings of a verdict as every report writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rampgate.model.text import clean
from rampgate.outcome import Outcome
from rampgate.report import sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.judging.results import CheckResult, Finding, Verdict


class Unmet(NamedTuple):
    """A finding as reports write it.

    Args:
        result: the check that found it, None where it is none of a check's.
        sentences: why, the weightiest first.
        consequences: how the checks that came to no pass for the same cause ended, and their names.
        following: those checks.
    """

    result: CheckResult | None
    sentences: tuple[str, ...]
    consequences: tuple[tuple[str, tuple[str, ...]], ...] = ()
    following: tuple[CheckResult, ...] = ()


def unmet(verdict: Verdict) -> list[Unmet]:
    """Every finding, the weightiest first, then checks that came to no pass and hold nothing."""
    names = sentences.short_names(verdict.checks)
    found = [
        Unmet(each.cause, _why(each), _ended(each, names), each.consequences) for each in verdict.findings
    ]
    known = {r.check for each in verdict.findings for r in (each.cause, *each.consequences) if r}
    rest = [r for r in verdict.checks if r.outcome is not Outcome.PASSED and r.check not in known]
    return [*found, *(Unmet(result, tuple(sentences.of_check(result))) for result in rest)]


def _why(finding: Finding) -> tuple[str, ...]:
    return tuple(sentences.of_check(finding.cause)) if finding.cause else (clean(finding.reason),)


def _ended(finding: Finding, names: dict[str, str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Outcome -> the names of the checks that ended so; before, what else the check itself did not meet."""
    following = finding.cause.following if finding.cause else ()
    subjects = dict.fromkeys(sentences.words(judgement.metric) for judgement in following)
    found: dict[str, list[str]] = {"not met": list(subjects)} if subjects else {}
    for result in finding.consequences:
        found.setdefault(sentences.outcome_of(result), []).append(names[result.check])
    return tuple((outcome, tuple(named)) for outcome, named in found.items())


def consequence(outcome: str, named: Sequence[str]) -> str:
    """What followed from a finding, in a line: ``for the same cause skipped: a, b, c``."""
    return f"for the same cause {outcome}: {', '.join(named)}"
