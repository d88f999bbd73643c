"""This repository's own tests are no checks of a deployment: a stage leaves them alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rampgate.stage.checks import STAGE_SESSION

if TYPE_CHECKING:
    import pytest

TESTS = Path(__file__).parent / "tests"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import tests/ while a stage is checked."""
    return True if STAGE_SESSION in config.stash and TESTS in collection_path.parents else None
