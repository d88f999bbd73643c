"""Finds the newest run of each stage of a release, by the headers in the folder of runs."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.config.in_force import of_reports
from rampgate.errors import EvidenceError, RampgateError
from rampgate.evidence import journal
from rampgate.evidence.verdicts import judge
from rampgate.judging.invocations import addresses, began, invocations
from rampgate.judging.overrides import apart
from rampgate.judging.release import MAX_AGE_S, PREDEPLOY, ReleaseVerdict, StageRun, Terms, decide

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

DEPLOY, WATCH = "deploy", "watch"
MOVED = b'"moved"'
_KINDS = ("main", "load", "refused")
"""What the processes are called that begin an invocation."""


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


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder of runs says about a release, whenever it is judged.

    Args:
        release: environment, version, percentage.
        runs: the newest of each required stage.
        changed: when the percentage changed last; 0 when that is not known.
        first: when this version's percentage was changed first; None when it has not been.
        target: where the runs must have measured.
    """

    release: Mapping[str, Any]
    runs: tuple[StageRun, ...]
    changed: float
    first: float | None
    target: str

    def judged(self, now: float, max_age: float = MAX_AGE_S, *, rehearsals: bool = False) -> ReleaseVerdict:
        """What it comes to at a time; see ``judge_current``."""
        terms = Terms(now, self.changed, self.first, max_age, rehearsals, self.target)
        return decide(self.release, self.runs, terms)


def judge_current(  # noqa: PLR0913  # each is a condition of its own
    reports: Path,
    required: Sequence[str],
    now: float,
    *,
    environment: str | None = None,
    max_age: float = MAX_AGE_S,
    rehearsals: bool = False,
    rollout: tuple[Any, Any, float] | None = None,
    target: str = "",
) -> ReleaseVerdict:
    """Judge the release that the newest run is about, or the one that a rollout stands at.

    Args:
        reports: the folder of runs.
        required: the stages.
        now: seconds since the epoch.
        environment: of the release; None: of the newest run.
        max_age: seconds since the end of the newest required stage.
        rehearsals: whether shortened runs, overrides and waivers count.
        rollout: version, percentage in force, and when it changed; None: as the runs say.
        target: where the runs must have measured; "": where the newest one has.

    Raises:
        EvidenceError: there is no run, or one that cannot be read.
        ConfigurationError: the file of a check cannot be imported.
    """
    found = find(reports, required, environment=environment, rollout=rollout, target=target)
    return found.judged(now, max_age, rehearsals=rehearsals)


def find(
    reports: Path,
    required: Sequence[str],
    *,
    environment: str | None = None,
    rollout: tuple[Any, Any, float] | None = None,
    target: str = "",
) -> Found:
    """Everything that ``judge_current`` judges; the arguments and the errors are its own."""
    starts = sorted(_starts(reports), key=lambda start: began(start.record))
    headers = [each for each in starts if each.record["type"] == "header"]
    headers = [each for each in headers if environment in {None, each.release[0]}]
    if not headers:
        raise EvidenceError(f"{reports}: no run of {environment or 'any stage'} there; run a stage first")
    current, changed = _in_force(reports, headers, rollout)
    mine = [each for each in headers if each.release[0] == current[0]]
    first = min((s.time for s in mine if s.release[1] == current[1] and _changes(s)), default=None)
    known = [*mine, *(each for each in starts if each.record["type"] == "refused")]
    runs = [run for stage in required for run in _runs(stage, known, current, first)]
    release = dict(zip(("environment", "version", "percentage"), current, strict=True))
    target = target or addresses(headers[-1].record)
    return Found(release, tuple(_not_before(runs, *_unreadable(reports))), changed, first, target)


def _in_force(
    reports: Path, headers: Sequence[Start], rollout: tuple[Any, Any, float] | None
) -> tuple[tuple[Any, ...], float]:
    """The release that is judged, and when it began: as a rollout says, else as the runs do."""
    newest = headers[-1].release
    if rollout is None and (in_force := of_reports(reports, newest[0])):
        rollout = (newest[1], *in_force)
    if rollout:
        return (newest[0], *rollout[:2]), rollout[2]
    others = [each for each in headers if each.release[0] == newest[0] and each.release != newest]
    return newest, _last(others[-1]) if others else 0.0


def _starts(reports: Path) -> Iterator[Start]:
    """The starts of every run, each the first line of a journal; one that is torn began nothing.

    The load run that belongs to a stage is a part of it, and none of its own.
    """
    for path in sorted(reports.glob("*/journal-*.jsonl")):
        if path.parent.name == journal.LATEST:
            continue
        record = journal.start_of(path)
        if record and not record.get("within"):
            yield Start(path.parent, record)
            if record.get("stage") == WATCH:
                yield from (Start(path.parent, each) for each in _moved(path, record))


def _last(start: Start) -> float:
    """When a run was last about its release; a watch may go on when that is no more."""
    if start.record["stage"] == WATCH:
        return start.time
    return max(float(record["time"]) for record in apart(journal.read(start.folder)[0])[0])


def _moved(path: Path, header: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a watch was about later, when the percentage or the version changed: as its header, of then."""
    with path.open("rb") as file:
        for line in file:
            with suppress(ValueError):  # a broken line is named where the run is judged
                record = json.loads(line) if MOVED in line else {}
                if record.get("type") == "moved":
                    then = {"time": record["time"], "not_before": None, "release": record["release"]}
                    yield {**header, **then, "moved": True}


def _not_before(runs: Sequence[StageRun], lost: float, name: str) -> list[StageRun]:
    """The runs, each held that an unreadable one came after."""
    why = "a later run, whose journal does not say what it was"
    return [StageRun(run.stage, name, reason=why) if run.began < lost else run for run in runs]


def _unreadable(reports: Path) -> tuple[float, str]:
    """When a start was last written of which nothing can be read, and in which run; 0 where there is none."""
    files = [path for kind in _KINDS for path in reports.glob(f"*/journal-{kind}-*.jsonl")]
    lost = [path for path in files if path.parent.name != journal.LATEST and journal.start_of(path) is None]
    latest = reports / journal.LATEST
    if latest.is_dir() and not any(latest.glob("journal-*.jsonl")):
        lost.append(latest.resolve() / "journal")
    times = ((path if path.exists() else path.parent).stat().st_mtime for path in lost)
    return max(zip(times, (path.parent.name for path in lost), strict=True), default=(0.0, ""))


def _changes(start: Start) -> bool:
    """Whether users had the version by then: a stage after predeploy, at a percentage that is not 0."""
    return bool(start.record["stage"] != PREDEPLOY and start.release[2] != 0)


def _runs(
    stage: str, starts: Sequence[Start], current: tuple[Any, ...], first: float | None
) -> Iterator[StageRun]:
    """The newest run of a stage, and of each step that a deploy has settings for."""
    named = sorted((s for s in starts if s.record["stage"] == stage), key=lambda start: began(start.record))
    if stage == PREDEPLOY:
        yield _before(named, current, first)
    elif stage == DEPLOY:
        configured = (named[-1].record.get("settings", {}).get("deploy") or {}) if named else {}
        for step in [name for name, table in configured.items() if table] or [""]:
            steps = [s for s in named if step in s.record.get("steps", ()) or s.record["type"] == "refused"]
            yield _newest(f"{stage} {step}".strip(), steps, current)
    else:
        yield _newest(stage, named, current)


def _before(named: Sequence[Start], current: tuple[Any, ...], first: float | None) -> StageRun:
    """The predeploy stage of a version: the newest before its first change, unless a later one holds."""
    if current[1] is None:
        return StageRun(PREDEPLOY, reason="no expected version: nothing says that it was of this one")
    newest = _newest(PREDEPLOY, named, current, of=2)
    earlier = [start for start in named if first is not None and start.time <= first]
    if first is None or newest.reason or newest.began <= first:
        return newest
    if not any(start.release[:2] == current[:2] for start in earlier):
        return StageRun(PREDEPLOY, reason="no run before the version's first one at a percentage above 0")
    return _newest(PREDEPLOY, earlier, current, of=2)


def _newest(stage: str, named: Sequence[Start], current: tuple[Any, ...], of: int = 3) -> StageRun:
    """The newest of these starts that is about the first parts of the release."""
    if named and named[-1].record["type"] == "refused":
        return StageRun(stage, named[-1].folder.name, reason=f"was not started: {named[-1].record['text']}")
    counts = [start for start in named if start.release[:of] == current[:of]]
    if not counts:
        return StageRun(stage, reason="no run of it")
    start = counts[-1]
    if start.record.get("moved"):
        why = "the percentage or the version changed while it watched: it counts for no release"
        return StageRun(stage, start.folder.name, reason=why, began=start.time)
    try:
        verdict = judge(start.folder)
    except RampgateError as error:
        return StageRun(stage, start.folder.name, reason=str(error))
    process = start.record["process"]
    own = next((each for each in invocations(verdict.records) if each.start["process"] == process), None)
    if own is None:
        return StageRun(stage, start.folder.name, reason="superseded by a later one in the same run")
    return StageRun(
        stage,
        start.folder.name,
        verdict.decision,
        verdict.reasons[0] if verdict.reasons else "",
        start.time,
        max(float(record["time"]) for record in own.records),
        bool(start.record.get("rehearsal")),
        addresses(start.record),
        verdict,
    )
