"""What was measured before a deploy: the newest predeploy run of an environment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rampgate.evidence import journal
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAGE = "predeploy"


@dataclass(frozen=True)
class Baseline:
    """What one run measured before a deploy.

    Args:
        run: its id.
        time: when it began, seconds since the epoch.
        measurements: of its checks, in the order in which they were made.
    """

    run: str
    time: float
    measurements: tuple[Measurement, ...]

    def of(self, metric: str, **labels: str) -> Measurement | None:
        """The last measurement of a metric that carries these labels, None when there is none."""
        found = (
            m
            for m in reversed(self.measurements)
            if m.metric == metric and labels.items() <= dict(m.labels).items()
        )
        return next(found, None)


def newest(reports: Path, environment: str, *, other_than: str | None = None) -> Baseline | None:
    """The newest predeploy run of an environment that came to its end; None when there is none.

    What it came to does not matter: a number that was too bad to deploy on is a baseline all the same.

    Args:
        reports: the folder of all runs.
        environment: as in the settings.
        other_than: a version; only runs that name another one then count.

    Raises:
        EvidenceError: its journal is broken.
    """
    found = (
        (folder, header)
        for folder, header in headers(reports)
        if _is_of(header, environment) and (other_than is None or _version(header) not in {None, other_than})
    )
    for folder, header in sorted(found, key=lambda run: float(run[1]["time"]), reverse=True):
        records = journal.read(folder)[0]
        if any(r["type"] == "end" and r["process"] == header["process"] for r in records):
            measured = tuple(
                Measurement.from_json(record["measurement"])
                for record in records
                if record["type"] == "measurement" and record["check"].startswith(f"{STAGE}/")
            )
            return Baseline(folder.name, header["time"], measured)
    return None


def headers(reports: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The headers of all runs with their folders. A header is the first line of its journal."""
    for path in reports.glob("*/journal-*.jsonl"):
        if path.parent.is_symlink():
            continue  # ``latest`` is one of the others
        with path.open("rb") as file:
            line = file.readline()
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("type") == "header":
            yield path.parent, record


def _is_of(header: dict[str, Any], environment: str) -> bool:
    return bool(header["stage"] == STAGE and header["release"]["environment"] == environment)


def _version(header: dict[str, Any]) -> str | None:
    version: str | None = header["release"].get("version")
    return version
