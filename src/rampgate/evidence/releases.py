"""Finds the newest run of each stage of a release, by the headers in the folder of runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.errors import EvidenceError, RampgateError
from rampgate.evidence import journal
from rampgate.evidence.verdicts import judge
from rampgate.judging.invocations import STARTS
from rampgate.judging.release import MAX_AGE_S, PREDEPLOY, ReleaseVerdict, StageRun, Terms, decide

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Start:
    """The first record of one invocation.

    Args:
        folder: of its run.
        record: its header, or the record of its refusal.
    """

    folder: Path
    record: dict[str, Any]

    @property
    def time(self) -> float:
        """When it began."""
        return float(self.record["time"])

    @property
    def release(self) -> tuple[Any, ...]:
        """Environment, version, percentage."""
        said = self.record.get("release", {})
        return said.get("environment"), said.get("version"), said.get("percentage")


def judge_current(
    reports: Path,
    required: Sequence[str],
    now: float,
    *,
    environment: str | None = None,
    max_age: float = MAX_AGE_S,
    rehearsals: bool = False,
) -> ReleaseVerdict:
    """Judge the release that the newest run is about.

    Args:
        reports: the folder of runs.
        required: the stages.
        now: seconds since the epoch.
        environment: of the release; None: of the newest run.
        max_age: seconds since the end of the newest required stage.
        rehearsals: whether shortened runs count.

    Raises:
        EvidenceError: there is no run, or one that cannot be read.
        ConfigurationError: the file of a check cannot be imported.
    """
    starts = sorted(_starts(reports), key=lambda start: start.time)
    headers = [start for start in starts if start.record["type"] == "header"]
    if environment is not None:
        headers = [start for start in headers if start.release[0] == environment]
    if not headers:
        of = f" of {environment}" if environment else ""
        raise EvidenceError(f"{reports}: no run{of} there; run a stage first")
    current = headers[-1].release
    mine = [start for start in headers if start.release[0] == current[0]]
    others = [start for start in mine if start.release != current]
    first = next((s.time for s in mine if s.release[1] == current[1] and _changes(s)), None)
    terms = Terms(now, _ended(others[-1].folder) if others else 0.0, first, max_age, rehearsals)
    refused = [start for start in starts if start.record["type"] == "refused"]
    runs = [_newest(stage, [*mine, *refused], current, first) for stage in required]
    return decide(dict(zip(("environment", "version", "percentage"), current, strict=True)), runs, terms)


def _starts(reports: Path) -> Iterator[Start]:
    """The starts of every run, each the first line of a journal; one that is torn began nothing."""
    for path in sorted(reports.glob("*/journal-*.jsonl")):
        if path.parent.is_symlink():
            continue
        with path.open("rb") as file:
            line = file.readline()
        try:
            record = json.loads(line)
            start = Start(path.parent, record) if record["type"] in STARTS else None
        except (ValueError, KeyError, TypeError):
            if line.endswith(b"\n"):
                raise EvidenceError(f"{path}: line 1 is not a record") from None
            continue
        if start:
            yield start


def _changes(start: Start) -> bool:
    """Whether users had the version by then: a stage after predeploy, at a percentage that is not 0."""
    return bool(start.record["stage"] != PREDEPLOY and start.release[2] != 0)


def _ended(folder: Path) -> float:
    return max(float(record["time"]) for record in journal.read(folder)[0])


def _newest(stage: str, starts: Sequence[Start], current: tuple[Any, ...], first: float | None) -> StageRun:
    """The newest run of a stage; predeploy is one of the version, whatever the percentage."""
    of_stage = sorted((s for s in starts if s.record["stage"] == stage), key=lambda start: start.time)
    before = stage == PREDEPLOY
    if before and first is not None:
        of_stage = [start for start in of_stage if start.time <= first]
    counts = [s for s in of_stage if s.release[: 2 if before else 3] == current[: 2 if before else 3]]
    if of_stage and of_stage[-1].record["type"] == "refused":
        return StageRun(
            stage, of_stage[-1].folder.name, reason=f"was not started: {of_stage[-1].record['text']}"
        )
    if not counts:
        return StageRun(stage, reason="no run of it")
    start = counts[-1]
    try:
        verdict = judge(start.folder)
    except RampgateError as error:
        return StageRun(stage, start.folder.name, reason=str(error))
    ended = max(float(record["time"]) for record in verdict.records)
    reason = verdict.reasons[0] if verdict.reasons else ""
    rehearsal = bool(start.record.get("rehearsal"))
    return StageRun(stage, start.folder.name, verdict.decision, reason, start.time, ended, rehearsal)
