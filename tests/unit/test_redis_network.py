from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pytest
from redis._parsers import _HiredisParser, _RESP2Parser
from redis.connection import Connection

from rampgate.io import stores
from rampgate.io.stores import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MEGABYTE = 1_000_000
DRIPS = 50


@pytest.fixture(params=[_HiredisParser, _RESP2Parser], autouse=True)
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What redis-py reads with: hiredis where it is installed, else its own."""
    chosen: Any = Connection.set_parser
    monkeypatch.setattr(Connection, "set_parser", lambda self, _: chosen(self, request.param))


@contextmanager
def answering(pieces: Iterable[bytes], pause_s: float = 0.0) -> Iterator[str]:
    """The address of whoever says this to everybody who asks, whatever is asked."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                with door.accept()[0] as client, suppress(OSError):
                    client.recv(4096)
                    for piece in pieces:
                        client.sendall(piece)
                        time.sleep(pause_s)

    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{door.getsockname()[1]}"
        with suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "pieces",
    [
        [b"$3000000000\r\n", *repeat(b"y" * MEGABYTE, 3)],
        [b"*3\r\n", *repeat(b"$900000\r\n" + b"z" * 900_000 + b"\r\n", 3)],
        [b"+", *repeat(b"no end" * 100_000, 5)],
    ],
    ids=["a value", "a list", "a line"],
)
def test_an_answer_of_redis_has_a_size(pieces: list[bytes]) -> None:
    """More than is asked for is not read, whatever length was announced; it is the store's failure."""
    with (
        answering(pieces) as url,
        pytest.raises(StoreError, match=r"Redis failed: too large: an answer is longer than 1 MB"),
        stores.redis(url, timeout_s=20),
    ):
        pass


def test_an_answer_of_redis_ends_in_its_time() -> None:
    """Whoever goes on saying a little is not waited for beyond the time-out of the whole answer."""
    with (
        answering([b"+", *repeat(b".", DRIPS), b"\r\n"], pause_s=0.1) as url,
        pytest.raises(StoreError, match=r"Redis does not answer: Timeout reading"),
        stores.redis(url, timeout_s=0.4),
    ):
        pass


@pytest.mark.parametrize("answer", [b"$what\r\n", b"*1\r\n" * 20_000 + b":1\r\n", b"*99999999999\r\n"])
def test_what_is_no_answer_of_redis_is_its_failure(answer: bytes) -> None:
    """No length that is none, no nesting and no announced list becomes an error of our own."""
    with (
        answering([answer]) as url,
        pytest.raises(StoreError, match=r"^Redis (failed|does not answer)"),
        stores.redis(url, timeout_s=20),
    ):
        pass
