"""One reading at a time, however many ask."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
PATIENCE_S = 8.0
"""So long whoever asks waits; controllers give up after 10 s."""


class Turn(Generic[T]):
    """Reads in a thread of its own, which nothing waits for at the end; whoever asks gets a turn.

    Args:
        read: reads; it decides by itself whether what it has kept is still so.
    """

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._free = asyncio.Lock()

    async def __call__(self) -> T:
        """What is read in a turn that begins now or later.

        Raises:
            TimeoutError: it takes longer; the reading goes on for whoever asks next.
        """
        async with asyncio.timeout(PATIENCE_S):
            await self._free.acquire()
            reading = self._begun()
            reading.add_done_callback(self._ended)
            return await asyncio.shield(reading)

    def _begun(self) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        reading: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            try:
                end = partial(reading.set_result, self._read())
            except BaseException as error:  # noqa: BLE001  # raised where the result is waited for
                end = partial(reading.set_exception, error)
            with suppress(RuntimeError):  # the loop is closed: the server has ended
                loop.call_soon_threadsafe(end)

        threading.Thread(target=run, daemon=True).start()
        return reading

    def _ended(self, reading: asyncio.Future[T]) -> None:
        self._free.release()
        if not reading.cancelled():
            reading.exception()  # seen: whoever asked may be gone
