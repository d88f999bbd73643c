"""Floor 2. A load run that was repeated because its own generator starved: what of it no longer counts.

Only what says nothing about the target is ever set aside. An attempt that failed anything, broke, was cut
short, or left anything undecided for another reason counts beside the attempt that came after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.judging.results import Record, result_of
from rampgate.model.metrics import registry
from rampgate.outcome import Cause, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rampgate.judging.results import CheckResult


def only_starved(records: Sequence[Record]) -> bool:
    """Whether an attempt is undecided, and for this reason alone: its own generator was starved.

    Args:
        records: of its process; its end may be missing yet.
    """
    headers = [record for record in records if record["type"] == "header"]
    plan = {e["check"]: e.get("required", True) for header in headers for e in header.get("plan", ())}
    results = [result_of(check, records, registry(), required=needed) for check, needed in plan.items()]
    planned = all(r["check"] in plan for r in records if r["type"] in {"check", "judgement"})
    starved = any(result.cause == Cause.STARVED for result in results)
    return planned and starved and all(_says_nothing(result, records) for result in results)


def _says_nothing(result: CheckResult, records: Sequence[Record]) -> bool:
    """Whether a check passed, or would have come to more with another generator."""
    if result.outcome is Outcome.SKIPPED:
        return not result.required
    if result.outcome not in {Outcome.PASSED, Outcome.UNDECIDED}:
        return False
    if result.own is Outcome.UNDECIDED and result.cause != Cause.STARVED:
        return False
    held = [r for r in records if r["type"] == "judgement" and r["check"] == result.check]
    return all(
        judgement.outcome is Outcome.PASSED
        or (judgement.outcome is Outcome.UNDECIDED and bool(r.get("untrusted") or r.get("lenient")))
        for judgement, r in zip(result.judgements, held, strict=True)
    )


def set_aside(records: Sequence[Record]) -> frozenset[str]:
    """The writing processes whose attempt was repeated and decides nothing.

    Args:
        records: of the whole run.
    """
    return frozenset(_repeated(records))


def _repeated(records: Sequence[Record]) -> Iterator[str]:
    again = {r["of"]: r["process"] for r in records if r["type"] == "repeat" and "of" in r}
    for first, second in again.items():
        mine = [record for record in records if record["process"] == first]
        ends = [record for record in mine if record["type"] == "end"]
        whole = len(ends) == 1 and ends[0].get("status") == 0 and not ends[0].get("early")
        if whole and first != second and second not in again and only_starved(mine):
            yield first
