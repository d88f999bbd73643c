"""The runs of an environment at a target, as far as their journals can be read; what cannot is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rampgate.checks.frame.discovery import checks
from rampgate.errors import EvidenceError
from rampgate.evidence import journal
from rampgate.evidence.verdicts import CONCLUSIONS
from rampgate.judging.invocations import addresses
from rampgate.judging.verdict import decide
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rampgate.judging.results import Record, Verdict

WATCH = "watch"
_BROKEN = (KeyError, ValueError, TypeError, AttributeError)
"""What reading a record raises that is not what a journal writes."""


@dataclass
class Run:
    """One run: the folder of a stage, of a load run or of a watch.

    Args:
        folder: its journal lies in.
        header: of what began it.
        missing: takes a sentence about what cannot be read of it.
    """

    folder: Path
    header: Record
    missing: list[str]

    @property
    def name(self) -> str:
        """Its id."""
        return self.folder.name

    @property
    def stage(self) -> str:
        """What began it."""
        return str(self.header.get("stage", ""))

    @property
    def time(self) -> float:
        """When it began, seconds since the epoch."""
        return float(self.header["time"])

    @property
    def version(self) -> Any:
        """That it was about."""
        return self.header["release"].get("version")

    @property
    def percentage(self) -> Any:
        """That it was about, as its header says it, 0 to 100."""
        return self.header["release"].get("percentage")

    @cached_property
    def records(self) -> list[Record]:
        """All of its records in order; none where they cannot be read."""
        try:
            records, dropped = journal.read(self.folder)
        except (EvidenceError, OSError, *_BROKEN) as error:
            self.missing.append(
                f"run {self.name}: {_without(error, self.folder)}: nothing of it is shown here"
            )
            return []
        self.missing += [f"run {self.name}: {each}" for each in dropped]
        return records

    @cached_property
    def verdict(self) -> Verdict | None:
        """What it comes to; None where that cannot be said."""
        if not self.records:
            return None
        checks()  # what they measure can be judged only where it is known
        try:
            return decide(self.records)
        except _BROKEN as error:
            self.missing.append(f"run {self.name}: cannot be judged: {type(error).__name__}: {error}")
            return None

    @property
    def ended(self) -> float:
        """When its last record was written, seconds since the epoch."""
        return float(self.records[-1]["time"]) if self.records else self.time

    @property
    def steps(self) -> list[Any]:
        """Of a deploy, which it was about."""
        steps = self.header.get("steps")
        return steps if isinstance(steps, list) else []

    def readings(self, metric: str) -> Iterator[Record]:
        """What a watch has read of a metric, in order."""
        for record in self.of("reading"):
            found = record.get("readings")
            reading = found.get(metric) if isinstance(found, dict) else None
            if isinstance(reading, dict):
                yield reading

    def of(self, kind: str) -> Iterator[Record]:
        """Its records of one type."""
        return (record for record in self.records if record["type"] == kind)

    @cached_property
    def measured(self) -> list[tuple[str, Measurement]]:
        """Check -> what was measured for it, in order; what says nothing about the target is left out."""
        unreliable = {
            record.get("measurement") for record in self.of("judgement") if record.get("unreliable")
        }
        found = []
        for record in self.of("measurement"):
            if f"{record['process']}:{record['sequence']}" in unreliable:
                continue
            try:
                found.append((str(record.get("check", "")), Measurement.from_json(record["measurement"])))
            except _BROKEN:
                self.missing.append(
                    f"run {self.name}: record {record['sequence']} of {record['process']} is no measurement"
                )
        return found


@dataclass
class Runs:
    """All of them, the oldest first.

    Args:
        found: those whose header can be read.
        missing: a sentence for whatever cannot be read, as far as it was looked at.
    """

    found: list[Run] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, reports: Path, environment: str, target: str) -> Runs:
        """The runs in a folder.

        Args:
            reports: the folder.
            environment: that they are about.
            target: where it answers, as ``soak.target_of`` says it.
        """
        runs = cls()
        for folder in sorted(path for path in reports.glob("*") if path.is_dir() and not path.is_symlink()):
            paths = sorted(folder.glob("journal-*.jsonl"))
            if not paths and any((folder / name).exists() for name in CONCLUSIONS):
                runs.missing.append(f"run {folder.name}: its journal is not there")
            starts = [start for path in paths if (start := runs._start(path))]
            own = [start for start in starts if not start.get("within")]
            if own and _about(own[0]) == (environment, target):
                runs.found.append(Run(folder, own[0], runs.missing))
        runs.found.sort(key=lambda run: run.time)
        return runs

    def _start(self, path: Path) -> Record | None:
        """The header that a journal begins with; None where it begins with something else."""
        try:
            record = journal.start_of(path)
            if record is None and not path.read_bytes().partition(b"\n")[1]:
                self.missing.append(f"run {path.parent.name}: the first line of {path.name} is torn")
            if record is None or record["type"] != "header":
                return None
            float(record["release"].get("percentage") or 0), addresses(record), float(record["time"])
        except (EvidenceError, OSError) as error:
            self.missing.append(f"run {path.parent.name}: {_without(error, path.parent)}")
        except _BROKEN:
            self.missing.append(f"run {path.parent.name}: the header of {path.name} cannot be read")
        else:
            return record
        return None

    def between(self, begin: float, end: float, version: Any) -> list[Run]:
        """The runs of a version that began within a time."""
        return [run for run in self.found if begin <= run.time < end and run.version == version]


def newest_first(runs: Iterable[Run]) -> list[Run]:
    """The same in the opposite order."""
    return sorted(runs, key=lambda run: run.time, reverse=True)


def _about(header: Record) -> tuple[Any, str]:
    return header["release"].get("environment"), addresses(header)


def _without(error: Exception, folder: Path) -> str:
    """An error's sentence without the path of the run's folder."""
    return str(error).replace(f"{folder}/", "").removeprefix(f"{folder}: ")
