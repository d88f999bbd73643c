"""The journal: append-only evidence of a run, one file per writing process, merged on reading.

Each line is one JSON object written by one os.write to a file opened with O_APPEND, so that a kill at any
point leaves at most one torn last line. Every record carries ``type``, ``time`` (seconds since the epoch),
``process`` and ``sequence``; the order on reading is (time, process, sequence).
A worker's records name in ``started_by`` the process whose header they belong to.

    refused      a start that was refused: stage, why; nothing was measured
    header       what was asked: schema, tool, target, release, redacted settings, plan, chance, rules
    plan         further checks of the plan, found while collecting (a user's own)
    measurement  what a probe saw, and for which check
    judgement    threshold, the measurement it was held against, the alphas; its outcome is only a remark;
                 advisory: that it is undecided does not count; unreliable: why it decides nothing
    check        how a check ended by itself, apart from its judgements; cause: what kept it from a pass, in
                 a word
    timeline     a load run second by second, in columns, for whoever draws it; nothing is judged by it
    reading      a round of a watch: of each metric that was due its value, its counts or its trouble
    episode      a rule of a watch that came into another state
    override     another verdict, for the records that there are, until it expires; of a process of its own
    event        something that a reader must know; cut_short: the stage whose time is used up
    end          the writing process came to its end, with pytest's or Locust's own exit status; early: before
                 all was measured that was to be
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.errors import EvidenceError
from rampgate.evidence import renames
from rampgate.judging.invocations import STARTS, began
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from rampgate.clock import Clock
    from rampgate.model.redact import Redactor
    from rampgate.outcome import Cause, Outcome

LATEST = "latest"
_NAMES = (LATEST, "current")
"""What the command line means by these is no run's id."""
_TICK_S = 1e-6
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Journal:
    """Appends records to ``journal-<process>.jsonl`` in a run's folder.

    Args:
        folder: the run's folder; must exist.
        process: a name of this writer, unique within the run.
        redactor: takes secrets out of every record before it is written.
        clock: gives the time of a record.
        invocation: the process whose header this writer's records belong to, "" when it writes it itself.
    """

    def __init__(
        self, folder: Path, process: str, redactor: Redactor, clock: Clock, invocation: str = ""
    ) -> None:
        self.folder = folder
        self.invocation = invocation
        self.process = process
        self._redactor = redactor
        self._clock = clock
        self._sequence = 0
        self.trouble = ""
        """Why a record is missing, "" while none is."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self._file = os.open(folder / f"journal-{process}.jsonl", flags, 0o600)

    def write(self, kind: str, **fields: Any) -> str:
        """Append one record and return its id, ``process:sequence``.

        Raises:
            EvidenceError: it could not be written whole; nothing of it remains.
        """
        record = {
            "type": kind,
            "time": round(self._clock.now(), 6),
            "process": self.process,
            "sequence": self._sequence + 1,
            **(self._of_a_start() if kind in STARTS else {}),
            **({"started_by": self.invocation} if self.invocation else {}),
            **_clean_record(fields, self._redactor),
        }
        line = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        # A lone surrogate, which JSON can carry and UTF-8 cannot, becomes its own JSON escape.
        self._append(line.encode("utf-8", "backslashreplace"))
        self._sequence += 1
        return f"{self.process}:{self._sequence}"

    def end_check(
        self,
        check: str,
        outcome: Outcome | None,
        message: str = "",
        seconds: float = 0.0,
        cause: Cause | None = None,
    ) -> None:
        """Append how a check ended that is a warning; outcome None: as its judgements say."""
        ended = {"outcome": outcome.value if outcome else None, "message": message, "seconds": seconds}
        why = {"cause": cause.value} if cause else {}
        self.write("check", check=check, severity=Severity.WARNING.value, **ended, **why)

    def _of_a_start(self) -> dict[str, Any]:
        """What every start carries; ``not_before``: its place in the order, where the clock was set back."""
        known = map(_start_of, self.folder.parent.glob("*/journal-*.jsonl"))
        newest = max((began(start) for start in known if start), default=0.0)
        behind = {"not_before": round(newest + _TICK_S, 6)} if newest > self._clock.now() else {}
        return {"schema": renames.SCHEMA, **behind}

    def _append(self, data: bytes) -> None:
        trouble, size = "no space left", self.size
        try:
            if os.write(self._file, data) == len(data):
                return
        except OSError as error:
            trouble = error.strerror or trouble
        # A torn line in the middle would make all that comes after it unreadable.
        self.cut(size)
        self.trouble = f"{self.folder}: the journal could not be written whole: {trouble}"
        raise EvidenceError(self.trouble)

    @property
    def size(self) -> int:
        """Bytes that are written."""
        return os.fstat(self._file).st_size

    def cut(self, size: int) -> None:
        """Take back what was written beyond this size, which needs no room on the disk."""
        os.ftruncate(self._file, size)

    def clean(self, data: Any) -> Any:
        """The data as a record would carry it: without secrets."""
        return _clean(data, self._redactor)

    def learn(self, *secrets: str) -> None:
        """Mask these, of a session, from the next record on; names of checks stay."""
        self._redactor.learn(*secrets, session=True)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


_STRUCTURE = (
    "outcome",
    "severity",
    "stage",
    "threshold",
    "metric",
    "unit",
    "exceedances",
    "histogram",
    "cause",
    "of",
)
"""What the verdict is computed from. It holds no text of a target's, and a secret that is an everyday word or
number ("pass", "1234") must not maim it."""


def _clean_record(fields: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """A record's fields without secrets, and with its structure whole."""
    record = {key: value if key in _STRUCTURE else _clean(value, redactor) for key, value in fields.items()}
    record |= {key: redactor.names.data(fields[key]) for key in ("check", "plan") if key in fields}
    seen = fields.get("measurement")
    if isinstance(seen, dict):
        record["measurement"] |= {key: seen[key] for key in _STRUCTURE if key in seen}
    elif seen is not None:
        record["measurement"] = seen
    metrics = fields["settings"].get("metrics", ()) if "settings" in fields else ()
    for number, metric in enumerate(metrics):
        named = {key: metric[key] for key in ("name", "unit") if key in metric}
        record["settings"]["metrics"][number] |= named
    return record


def _clean(value: Any, redactor: Redactor) -> Any:
    """Without secrets; the keys on the first level are names of fields, and stay."""
    if isinstance(value, dict):
        return {key: redactor.data(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner, redactor) for inner in value]
    return redactor.data(value)


def _start_of(path: Path) -> dict[str, Any] | None:
    """The start that a journal begins with, where it can be read."""
    with contextlib.suppress(EvidenceError, OSError):
        return start_of(path)
    return None


def start_of(path: Path) -> dict[str, Any] | None:
    """The start that a journal begins with; None: it is of a worker, or torn.

    Raises:
        EvidenceError: its first line is no record.
    """
    with path.open("rb") as file:
        line = file.readline()
    try:
        record = _record(line)
        began(record)
    except (ValueError, KeyError, TypeError):
        if line.endswith(b"\n"):
            raise EvidenceError(f"{path}: line 1 is not a record") from None
        return None
    return record if record["type"] in STARTS else None


def read(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Read a run's records in order, and one sentence for each line that had to be dropped.

    Raises:
        EvidenceError: the folder does not exist or holds no journal; a line other than a last one is broken;
            the journal is of an unknown schema, or stands beside evidence that this version does not judge.
    """
    files = sorted(folder.glob("journal-*.jsonl"))
    if not files:
        raise EvidenceError(f"{folder}: no journal there; accepted is the folder of a run, or its id")
    records: list[dict[str, Any]] = []
    dropped: list[str] = []
    for file in files:
        lines = file.read_bytes().split(b"\n")
        for number, line in enumerate(lines, 1):
            if not line:
                continue
            try:
                records.append(_record(line))
            except (ValueError, KeyError):
                if number < len(lines):
                    raise EvidenceError(f"{file}: line {number} is not a record") from None
                dropped.append(f"{file.name}: its last line is torn and was dropped")
    if why := renames.unreadable(records, [path.name for path in folder.iterdir()]):
        raise EvidenceError(f"{folder}: {why}")
    records.sort(key=lambda record: (record["time"], record["process"], record["sequence"]))
    return renames.renamed(records), dropped


def _record(line: bytes) -> dict[str, Any]:
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("not an object")  # noqa: TRY004  # the caller treats every broken line alike
    for key in ("type", "time", "process", "sequence"):
        record[key]  # a KeyError says that the line is no record
    return record


def new_run_id(now: float) -> str:
    """A run's id: its start in UTC, and four hex digits against collisions."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)) + "-" + os.urandom(2).hex()


def start_run(reports: Path, run_id: str, *, latest: bool = True) -> Path:
    """Make the run's folder, its owner's alone, and point ``latest`` at it (one that is joined, too).

    Raises:
        EvidenceError: the folder cannot be written.
    """
    if not _RUN_ID.fullmatch(run_id) or run_id.lower() in _NAMES:
        raise EvidenceError(
            f"RAMPGATE_RUN: found {run_id!r}; accepted are letters, digits, '.', '_' and '-', and neither "
            + " nor ".join(_NAMES)
        )
    folder = reports / run_id
    link, fresh = reports / LATEST, reports / f".{LATEST}-{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # made by somebody else, or where there are no modes
            folder.chmod(0o700)
        if latest:
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(run_id)
            fresh.replace(link)
    except OSError as error:
        raise EvidenceError(f"{folder}: cannot be written: {error.strerror}") from None
    return folder


def find_run(reports: Path, run: str | None) -> Path:
    """The folder of a run: by id, by path, or the latest.

    Raises:
        EvidenceError: there is none.
    """
    for folder in [reports / (run or LATEST)] + ([Path(run)] if run else []):
        if folder.is_dir():
            return folder.resolve()
    known = sorted(path.name for path in reports.glob("*") if path.is_dir() and not path.is_symlink())[-5:]
    accepted = ", ".join(known) or "none yet: run a stage first"
    raise EvidenceError(f"{reports / (run or LATEST)}: no such run; accepted are {accepted}")
