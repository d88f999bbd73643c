"""Which runs are old and used by nothing, so that their folders may go."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rampgate.errors import EvidenceError
from rampgate.evidence import baseline, journal, lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LATEST = "latest"


@dataclass
class Pruning:
    """What becomes of the runs of a folder.

    Args:
        old: folders that may go, oldest first, and when each run ended, seconds since the epoch.
        kept: folders of old runs that stay, and why.
        young: how many runs are not old.
    """

    old: list[tuple[Path, float]] = field(default_factory=list)
    kept: list[tuple[Path, str]] = field(default_factory=list)
    young: int = 0


def plan(reports: Path, before: float, in_use: Mapping[str, str]) -> Pruning:
    """What may go, and what may not.

    A folder without a journal is no run, and a link is none; neither is spoken of. The files in which a watch
    remembers are in such a folder.

    Args:
        reports: the folder of all runs.
        before: a run that ended earlier is old, seconds since the epoch.
        in_use: ids of runs that something outside of this folder uses, and what.

    Raises:
        EvidenceError: the folder, or a journal that a baseline is looked for in, cannot be read.
    """
    found = Pruning()
    starts: dict[Path, list[dict[str, Any]]] = {}
    for folder in _folders(reports):
        try:
            starts[folder] = [
                start for path in folder.glob("journal-*.jsonl") if (start := journal.start_of(path))
            ]
        except EvidenceError as error:
            found.kept.append((folder, str(error)))
    reasons = {**_used(reports, starts), **in_use}
    for folder, begun in starts.items():
        if not begun:
            continue
        try:
            ended = max(float(record["time"]) for record in journal.read(folder)[0])
        except EvidenceError as error:
            found.kept.append((folder, str(error)))
            continue
        if ended >= before:
            found.young += 1
        elif why := reasons.get(folder.name) or _goes_on(folder):
            found.kept.append((folder, why))
        else:
            found.old.append((folder, ended))
    found.old.sort(key=lambda run: run[1])
    return found


def remove(folder: Path) -> None:
    """Remove the folder of a run; of a link in it the link alone.

    Raises:
        EvidenceError: it cannot be removed.
    """
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise EvidenceError(f"{folder}: cannot be removed: {error.strerror}") from None


def _folders(reports: Path) -> list[Path]:
    try:
        return sorted(each for each in reports.iterdir() if each.is_dir() and not each.is_symlink())
    except OSError as error:
        raise EvidenceError(f"{reports}: cannot be read: {error.strerror}") from None


def _goes_on(folder: Path) -> str:
    owner = lock.running(folder.name)
    return f"still measured by {owner}" if owner else ""


def _used(reports: Path, starts: Mapping[Path, list[dict[str, Any]]]) -> dict[str, str]:
    """Id of each run that is used, and by what."""
    latest = (reports / LATEST).resolve()
    headers = [
        (folder, start) for folder, begun in starts.items() for start in begun if start["type"] == "header"
    ]
    environments = {_release(start)[0] for _, start in headers}
    found = {run: f"a baseline of {name}" for name in environments for run in _baselines(reports, name)}
    for name in environments:
        mine = [each for each in headers if _release(each[1])[0] == name]
        mine.sort(key=lambda each: float(each[1]["time"]))
        current, newest = _release(mine[-1][1]), dict[tuple[str, ...], str]()
        for folder, start in mine:
            parts = 2 if start["stage"] == baseline.STAGE else 3
            if _release(start)[:parts] == current[:parts]:
                newest[start["stage"], *start.get("steps", ())] = folder.name
        for (stage, *_), run in newest.items():
            found[run] = f"the newest {stage} of the release that {name} has now"
    return {**found, latest.name: "the latest run"} if latest.is_dir() else found


def _release(start: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    release = start.get("release", {})
    return release.get("environment"), release.get("version"), release.get("percentage")


def _baselines(reports: Path, environment: str) -> Iterator[str]:
    """The newest run before a deploy, and the newest of another version: a bundle grows against that."""
    newest = baseline.newest(reports, environment)
    if newest is None:
        return
    yield newest.run
    headers = baseline.headers(reports)
    version = next((h["release"].get("version") for folder, h in headers if folder.name == newest.run), None)
    other = baseline.newest(reports, environment, other_than=version) if version else None
    if other:
        yield other.run
