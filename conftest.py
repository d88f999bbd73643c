"""This repository's own tests are no checks of a deployment: a stage leaves them alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rampgate.stage.items import STAGE_SESSION

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parent
TESTS = {ROOT / "tests", ROOT / "proofs" / "tests"}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import them while a stage is checked."""
    return True if STAGE_SESSION in config.stash and TESTS & set(collection_path.parents) else None
