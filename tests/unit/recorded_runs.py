"""The runs in tests/recorded that can be judged."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parents[1] / "recorded"
ALL = sorted(folder.name for folder in RECORDED.iterdir() if folder.is_dir())


def expected(run: str) -> dict[str, Any]:
    """What is expected of a recorded run."""
    read: dict[str, Any] = json.loads((RECORDED / run / "expected.json").read_text(encoding="utf-8"))
    return read


RUNS = [run for run in ALL if "refused" not in expected(run)]


def unpack(run: str, to: Path) -> None:
    """Unpack a recorded run into a folder."""
    for file in sorted((RECORDED / run).iterdir()):
        if file.suffix == ".gz":
            (to / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        else:
            shutil.copy(file, to)
