"""Fixtures of the unit tests: the embedded stores, one of each per session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.stores_fixture import secantus, valkey

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running SecantusDB."""
    with secantus(tmp_path_factory.mktemp("mongodb")) as uri:
        yield uri


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running Valkey."""
    with valkey(tmp_path_factory.mktemp("redis")) as url:
        yield url
