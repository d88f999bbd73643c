"""Fixtures of the tests of the plugin: pytest inside pytest, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import SETTINGS, Deployment, Project, deployed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    """A healthy deployment that a test may break."""
    with deployed() as one:
        yield one


@pytest.fixture
def project(tmp_path: Path, deployment: Deployment) -> Project:
    """A project that checks it."""
    return Project(tmp_path, SETTINGS.format(api=deployment.url))
