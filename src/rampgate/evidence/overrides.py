"""Writes the override of a run into its journal, and finds those that were made."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.errors import ConfigurationError, EvidenceError
from rampgate.evidence import journal, lock, verdicts
from rampgate.evidence.session import process_name
from rampgate.judging.overrides import KIND, apart, digest
from rampgate.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rampgate.clock import Clock
    from rampgate.judging.results import Verdict
    from rampgate.model.redact import Redactor
    from rampgate.outcome import Decision

_LOOKED = {Outcome.PASSED, Outcome.FAILED, Outcome.UNDECIDED}


class Said(NamedTuple):
    """What somebody says of a run.

    Args:
        verdict: that is to count.
        by: who says so.
        reason: why.
        seconds: for how long.
    """

    verdict: Decision
    by: str
    reason: str
    seconds: float


def override(folder: Path, said: Said, clock: Clock, redactor: Redactor) -> Verdict:
    """Override the verdict of a run, by a record in its journal.

    Args:
        folder: of the run.
        said: what is to count, by whom, why, for how long.
        clock: gives the time.
        redactor: takes secrets out of who and why.

    Returns:
        The verdict of the run, which names the override.

    Raises:
        ConfigurationError: there is no evidence, or more of it is still to come.
        EvidenceError: the journal cannot be read or written.
    """
    measured = verdicts.judge(folder)
    if why := _no_evidence(measured) or _still(folder, clock.now()):
        raise ConfigurationError(f"run {folder.name}: {why}")
    about = {"measured": measured.decision.value, "release": measured.start.get("release", {})}
    evidence = digest(apart(journal.read(folder)[0])[0])
    until = round(clock.now() + said.seconds, 6)
    who = {"verdict": said.verdict.value, "by": said.by, "reason": said.reason}
    book = journal.Journal(folder, process_name(KIND), redactor, clock)
    try:
        book.write(KIND, run=folder.name, **who, expires=until, **about, evidence=evidence)
    finally:
        book.close()
    return verdicts.conclude(folder)


def made(reports: Path, environment: str) -> list[dict[str, Any]]:
    """The records of all overrides of the runs of an environment, in their order."""
    found = [each for each in _made(reports) if each.get("release", {}).get("environment") == environment]
    return sorted(found, key=lambda record: float(record["time"]))


def _made(reports: Path) -> Iterator[dict[str, Any]]:
    for folder in {path.parent for path in reports.glob(f"*/journal-{KIND}-*.jsonl")}:
        with suppress(EvidenceError):  # which is said where the run is judged
            records = [] if folder.name == journal.LATEST else journal.read(folder)[0]
            yield from (record for record in records if record["type"] == KIND)


def _no_evidence(measured: Verdict) -> str:
    """Why nothing was measured that anybody could weigh otherwise."""
    refused = next((r["text"] for r in measured.records if r["type"] == "refused"), None)
    if refused is not None:
        return f"was not started ({refused}): without evidence there is nothing to override"
    if not measured.checks:
        return "its plan is empty: without evidence there is nothing to override"
    judged = (judgement for result in measured.checks for judgement in result.judgements)
    if not any(each.outcome in _LOOKED and each.measured is not None for each in judged):
        return "no measurement was judged: without evidence there is nothing to override"
    return ""


def _still(folder: Path, now: float) -> str:
    """Why it is not time yet."""
    if owner := lock.running(folder.name):
        return f"is still measured by {owner}; override it once it has ended"
    last = max(float(record["time"]) for record in journal.read(folder)[0])
    return "has records later than now: the clock here is behind, or was set back" if last > now else ""
