"""How long a percentage has been observed: the rounds of every watch of its release, and nothing else."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rampgate.evidence import journal
from rampgate.judging.invocations import addresses
from rampgate.model.redact import Redactor
from rampgate.rollout.transitions import Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rampgate.config.settings import Settings
    from rampgate.rollout.records import Rollout

_WATCH, _READING = "watch", b'"reading"'


def observed(settings: Settings, rollout: Rollout) -> float:
    """Seconds that were observed at the percentage in force, pauses left out.

    A round counts as the watch has counted it: close enough to the one before, everything that is required
    read. Where requests of ours are counted as users' are, minutes in which we measured do not count.

    Args:
        settings: name the reports, and how metrics count our requests.
        rollout: as it stands.

    Raises:
        EvidenceError: the reports cannot be read.
    """
    if rollout.status is Status.PAUSED:
        return rollout.soaked
    mixed = any(each.counted and each.own_traffic == "mixed" for each in settings.table("metrics"))
    release: dict[str, Any] = {"environment": settings.environment, "version": rollout.version}
    release["percentage"] = rollout.percentage
    watches = _watches(settings.reports, release, target_of(settings))
    seconds = sum(each for path in watches for each in _rounds(path, rollout.since, mixed=mixed))
    return rollout.soaked + seconds


def target_of(settings: Settings) -> str:
    """Where the target answers, as the header of a run has it."""
    target = settings.target
    return addresses(Redactor().data({"target": {"web": target.web, "api": target.api}}))


def _watches(reports: Path, release: dict[str, Any], target: str) -> Iterator[Path]:
    """The journals of the watches of a release at a target, those within a stage and copies left out."""
    seen = set[tuple[Any, ...]]()
    for path in sorted(reports.glob("*/journal-watch-*.jsonl")):
        header = journal.start_of(path)
        if path.parent.name == journal.LATEST or not header or header.get("within"):
            continue
        about = (header.get("stage"), header.get("release"), addresses(header))
        mark = (header.get("process"), header["time"])
        if about == (_WATCH, release, target) and mark not in seen:
            seen.add(mark)
            yield path


def _rounds(path: Path, since: float, *, mixed: bool) -> Iterator[float]:
    """What each round of a watch has observed."""
    with path.open("rb") as file:
        for line in file:
            with suppress(ValueError):
                record = json.loads(line) if _READING in line else {}
                counts = record.get("type") == "reading" and record["at"] >= since
                if counts and not (mixed and record.get("measuring")):
                    # The first round after the change looks back to before it.
                    yield min(record["observed"], record["at"] - since)
