"""How much of an answer is read, and whether it is whole."""

from __future__ import annotations

import gzip
import tracemalloc
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.unit.fakes import serving

from rampgate.config.settings import Settings
from rampgate.io.body import Limits
from rampgate.io.http import Answer, ask, client

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.server import BaseHTTPRequestHandler

TEXT = b'{"items": [1, 2, 3]}'
PACKED = gzip.compress(TEXT, mtime=0)


def served(body: bytes, limits: Limits | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """One answer of a real server with this body, as these headers announce it; it hangs up afterwards."""

    def handle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        length = {} if headers and "transfer_encoding" in headers else {"content_length": str(len(body))}
        for name, value in (length | dict(headers or {})).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    with serving(handle) as url, client(url, run_id="r", timeout_s=5, limits=limits) as http:
        return ask(http, "GET", "/")


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        (TEXT[:9], {"content_length": "20"}, "peer closed connection without sending complete message body"),
        (b'5\r\n{"ite\r\n', {"transfer_encoding": "chunked"}, "peer closed connection without sending"),
        (PACKED[:-9], {"content_encoding": "gzip"}, "cut off: the packed body has no end"),
        (PACKED[:-1], {"content_encoding": "gzip"}, "cut off: the packed body has no end"),
        (PACKED[:5], {"content_encoding": "gzip"}, "cut off: the packed body has no end"),
        (PACKED + b"!!", {"content_encoding": "gzip"}, "the packed body is damaged"),
        (PACKED[:-5] + b"!!!!!", {"content_encoding": "gzip"}, "the packed body is damaged"),
        (TEXT, {"content_encoding": "gzip"}, "the packed body is damaged"),
        (TEXT, {"content_encoding": "br"}, "the body is packed as 'br', though gzip was asked for"),
    ],
)
def test_a_body_that_is_not_whole_is_none(body: bytes, headers: dict[str, str], says: str) -> None:
    """Whatever was read of it, the answer is a failure that says what is wrong."""
    answer = served(body, headers=headers)
    assert (answer.ok, answer.status, answer.body) == (False, None, b"")
    assert says in answer.error
    assert answer.sentence == f"gave a broken answer ({answer.error})"
    assert answer.outcome == "broken answer"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (TEXT, {}),
        (TEXT, {"content_encoding": "identity"}),
        (PACKED, {"content_encoding": "gzip"}),
        (PACKED, {"content_encoding": "X-GZip"}),
        (gzip.compress(TEXT[:7], mtime=0) + gzip.compress(TEXT[7:], mtime=0), {"content_encoding": "gzip"}),
        (b"", {"content_encoding": "gzip"}),
    ],
)
def test_a_whole_body_is_read(body: bytes, headers: dict[str, str]) -> None:
    """As it is, packed, packed in two members, or none at all."""
    assert served(body, headers=headers).body == (TEXT if body else b"")


def test_a_body_that_was_packed_twice_over_is_two_documents() -> None:
    """What stands behind the first end is read too."""
    answer = served(PACKED + PACKED, headers={"content_encoding": "gzip"})
    assert answer.no_json == "the body holds more than one JSON document"


@pytest.mark.parametrize("length", [2_000, 70_000, 98_000, 300_000])
def test_headers_over_their_limit_are_named(length: int) -> None:
    """However long they are; the parser of HTTP gives up on those beyond 100 KiB."""
    answer = served(TEXT, Limits(headers=1024), {"x_long": "x" * length})
    assert answer.error == "too large: the headers are longer than 1 KiB"


def test_settings_say_how_much_is_read() -> None:
    """In the units that people write; past the size the answer is too large, at it it is not."""
    target = Settings.model_validate({"target": {"max_body": "2kB", "max_headers": "2 KiB"}}).target
    limits = Limits(target.max_body, target.max_headers)
    assert (limits.body, limits.headers) == (2000, 2048)
    assert served(b"x" * 2000, limits).ok
    assert served(b"x" * 2001, limits).error == "too large: the body, unpacked, is longer than 2 kB"


@pytest.mark.parametrize("size", ["10", "10 Mb", "MB", "-1MB", True, 1.5, "1e3kB", 3, "2GB"])
def test_a_size_that_is_none_is_refused(size: object) -> None:
    """Before anything is asked."""
    with pytest.raises(ValueError, match="max_body"):
        Settings.model_validate({"target": {"max_body": size}})


def test_memory_stays_flat_while_a_bomb_is_unpacked() -> None:
    """200 MB in one piece of 200 kB: no more of it is held than may be read."""
    bomb = gzip.compress(bytes(200_000_000), 1)
    handler = httpx.MockTransport(
        lambda _: httpx.Response(200, stream=httpx.ByteStream(bomb), headers={"Content-Encoding": "gzip"})
    )
    with client("http://t.test", run_id="r", timeout_s=5, transport=handler) as http:
        tracemalloc.start()
        answer = ask(http, "GET", "/")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert answer.error.startswith("too large")
    assert peak < 12_000_000
