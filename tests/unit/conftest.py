"""Fixtures of the unit tests: the embedded stores, one of each per session."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from tests.unit.stores_fixture import secantus, valkey

from rampgate.load.run import LoadRun

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


@pytest.fixture(autouse=True)
def _ended_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close the load runs that a test has left open, as the end of their process would: they hold locks."""
    with ExitStack() as left:
        begin = LoadRun._begin

        def begun(run: LoadRun, run_id: str) -> None:
            left.callback(run._stack.close)
            begin(run, run_id)

        monkeypatch.setattr(LoadRun, "_begin", begun)
        yield
