"""The verdict that is served: what ``rampgate verdict`` says, kept as long as the evidence is the same.

What is kept is what was read. How old it may be is judged at each request, so that nothing that is kept
promotes once it has become too old.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.config.in_force import rollouts_of
from rampgate.errors import EvidenceError
from rampgate.evidence import journal, releases
from rampgate.evidence.verdicts import judge
from rampgate.judging.invocations import STARTS
from rampgate.judging.release import MAX_AGE_S, ReleaseVerdict
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.judging.results import Verdict

_ORDER = (Decision.PROMOTE, Decision.HOLD, Decision.ROLLBACK)
_LONGEST_PAUSE_S = 4.0
ROLLBACK = "rollback"
_OTHER = re.compile(r"^\.|\.sqlite")
"""Names of files that are being written, and of those in which a rollout and a watch remember."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is judged.

    Args:
        reports: the folder of runs.
        required: the stages; none: those of the latest run.
        environment: of the release; None: of the newest run.
        max_age: seconds since the end of the newest required stage.
    """

    reports: Path
    required: tuple[str, ...] = ()
    environment: str | None = None
    max_age: float = MAX_AGE_S


@dataclass(frozen=True, slots=True)
class Current:
    """What the folder of runs says.

    Args:
        found: of the release.
        latest: the verdict of the latest run, where no stages are required; else None.
    """

    found: releases.Found
    latest: Verdict | None

    def judged(self, now: float, max_age: float) -> tuple[Decision, list[str], ReleaseVerdict]:
        """The decision, why it is no promotion, and the release that it is about.

        The latest run alone is judged as a release too, by its own stages: so it ages, and a rehearsal or an
        override of it lets nothing on.
        """
        release = self.found.judged(now, max_age)
        decision, why = release.decision, list(self.latest.reasons if self.latest else ())
        if self.latest:
            decision = max(decision, self.latest.decision, key=_ORDER.index)
            if decision is Decision.PROMOTE and ROLLBACK in self.latest.stages:
                decision, why = Decision.HOLD, ["the latest run verified a rollback: that lets nothing on"]
        kept = [each for each in release.stages if each.decision is not Decision.PROMOTE]
        why += [f"{each.stage}: {each.reason}" for each in kept if each.reason not in why]
        return decision, why, release


class Reader:
    """Reads the folder of runs when something in it has changed.

    Args:
        asked: what is judged.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._mark: object = None
        self._current: Current | None = None
        self._rested_at = 0.0

    def read(self) -> Current:
        """What the folder says now; between two readings it rests for as long as one takes.

        Raises:
            EvidenceError: there is no run, or one that cannot be read.
        """
        try:
            return self._read()
        except OSError as error:
            raise EvidenceError(f"{self._asked.reports}: cannot be read: {error.strerror}") from None

    def _read(self) -> Current:
        mark = _mark(self._asked.reports)
        if self._current is not None and mark == self._mark:
            return self._current
        self._current = None
        if (pause := self._rested_at - time.monotonic()) > 0:
            time.sleep(pause)
            mark = _mark(self._asked.reports)
        begun = time.monotonic()
        try:
            current = _current(self._asked)
        finally:
            ended = time.monotonic()
            self._rested_at = ended + min(ended - begun, _LONGEST_PAUSE_S)
        self._mark, self._current = mark, current
        return current


def _current(asked: Asked) -> Current:
    required, latest = asked.required, None
    if not required:
        latest = judge(journal.find_run(asked.reports, None))
        starts = [each for each in latest.records if each["type"] in STARTS and not each.get("within")]
        required = tuple(dict.fromkeys(str(each["stage"]) for each in starts))
    return Current(releases.find(asked.reports, required, environment=asked.environment), latest)


def _mark(reports: Path) -> tuple[Any, ...]:
    """What changes whenever something else could be read: it is taken before the reading.

    Journals count by what they are, other files by their names alone. What a rollout remembers is compared by
    what it says: its file changes by being looked at.
    """
    latest = reports / journal.LATEST
    folders = sorted(path for path in reports.glob("*") if path.is_dir())
    files = [_seen(file) for folder in folders for file in folder.iterdir() if not _OTHER.search(file.name)]
    aims_at = latest.readlink() if latest.is_symlink() else None
    return aims_at, folders, sorted(files), repr(rollouts_of(reports))


def _seen(file: Path) -> tuple[str, int, int, int]:
    """Which file it is and, of a journal, whether it was changed."""
    if not file.name.startswith("journal-"):
        return str(file), 0, 0, 0
    seen = file.stat()
    return str(file), seen.st_ino, seen.st_ctime_ns, seen.st_size
