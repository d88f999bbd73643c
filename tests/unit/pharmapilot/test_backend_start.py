import asyncio
from typing import Any

import pytest
from pymongo import _csot
from pymongo.errors import AutoReconnect

from pharmapilot import backend as module
from pharmapilot.backend import Backend
from pharmapilot.config import ApiConfig
from pharmapilot.errors import StoreDownError
from pharmapilot.flags import Rules


class Start:
    """A start whose parts are replaced: filling loses its connection as often as told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, losses: int) -> None:
        self.filled = 0
        self.time = 0.0
        self.losses = losses
        nowhere = "mongodb://127.0.0.1:1/?directConnection=true"
        config = ApiConfig(nowhere, "redis://127.0.0.1:1/0", "t", "p", "1", False, Rules(), ())  # noqa: FBT003 - no faults
        self.backend = Backend.build(config)
        monkeypatch.setattr(module, "REFRESH_SECONDS", 0.0)
        monkeypatch.setattr(module, "fill", self.fill)
        monkeypatch.setattr(module, "fill_accounts", self.nothing)
        monkeypatch.setattr(self.backend.connections, "wait_for_mongodb", self.nothing)
        monkeypatch.setattr(self.backend.flags, "start", self.nothing)

    async def fill(self, *_: Any) -> bool:
        """Fill, or lose the connection."""
        self.filled += 1
        self.time = _csot.remaining() or 0.0
        if self.filled <= self.losses:
            raise AutoReconnect
        return True

    async def nothing(self, *_: Any, **__: Any) -> None:
        """Work at once."""

    def run(self) -> None:
        """Start the API."""

        async def started() -> None:
            try:
                await self.backend.start()
            finally:
                await self.backend.connections.close()

        asyncio.run(started())


def test_lost_connection_costs_time_and_not_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filling begins again where the driver took a busy store for gone."""
    start = Start(monkeypatch, losses=2)
    start.run()
    assert start.filled == 3


def test_filling_has_more_time_than_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow write is not sent twice: the second would meet what the first one wrote."""
    start = Start(monkeypatch, losses=0)
    start.run()
    assert start.time > module.MONGODB_PATIENCE_SECONDS


def test_store_that_stays_away_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience ends, and the start fails by the name of the store."""
    monkeypatch.setattr(module, "MONGODB_PATIENCE_SECONDS", -1.0)
    start = Start(monkeypatch, losses=1)
    with pytest.raises(StoreDownError, match="mongodb"):
        start.run()
    assert start.filled == 1
