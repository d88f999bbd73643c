"""The runs of a stage before this one, on the same target."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from rampgate.checks.frame.check import EarlierRun
from rampgate.evidence import baseline, journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rampgate.evidence.run import Run


def runs(run: Run, *stages: str) -> Iterator[EarlierRun]:
    """Those of its environment and API, the newest first.

    Args:
        run: this one.
        stages: that count; none: its own alone.

    Raises:
        EvidenceError: the journal of one that is read is broken.
    """
    settings = run.settings
    mine = settings.environment, settings.target.api
    found = sorted(baseline.headers(settings.reports), key=lambda each: float(each[1]["time"]), reverse=True)
    for folder, header in found:
        about = header["release"].get("environment"), header.get("target", {}).get("api")
        if (
            about == mine
            and header["stage"] in (stages or (run.stage,))
            and folder.resolve() != run.folder.resolve()
        ):
            yield EarlierRun(header.get("settings", {}), partial(_measurements, folder))


def _measurements(folder: Path) -> list[dict[str, Any]]:
    return [record["measurement"] for record in journal.read(folder)[0] if record["type"] == "measurement"]
