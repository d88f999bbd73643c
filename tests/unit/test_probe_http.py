from __future__ import annotations

import errno
import gzip
import socket
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.fakes import Clients, FakeClock, always, in_turn, serving
from tests.unit.stores_fixture import free_port

from rampgate.errors import ProbeError
from rampgate.io.http import ask, client
from rampgate.probes.http import HealthProbe

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from rampgate.model.measurement import Measurement

OK = httpx.Response(200, json={"status": "ok", "version": "1.0.0", "instance": "a"})
REFUSED = httpx.ConnectError("Connection refused")
PASSWORD = "canary-password-1"
TOKEN = "canary-token-1"


def health(clients: Clients, patience_s: float, clock: FakeClock | None = None) -> list[Measurement]:
    """One look at the health of an API."""
    return HealthProbe(clients, "/health", "api", clock or FakeClock(), patience_s).measure()


def test_healthy_at_once_takes_one_attempt() -> None:
    """A service that is up is asked once, without waiting."""
    clock = FakeClock()
    up, healthy = health(always(OK), 60, clock)
    assert (up.metric, up.value, up.labels) == ("up", 1.0, {"service": "api"})
    assert (healthy.metric, healthy.value, healthy.unit) == ("time_to_healthy", 0.0, "s")
    assert len(up.details["attempts"]) == 1
    assert clock.slept == []


def test_patience_ends_at_the_first_healthy_answer_and_keeps_each_attempt() -> None:
    """A restart is waited for, and every attempt before it stays on record."""
    up, healthy = health(in_turn(REFUSED, httpx.Response(503), OK), 60)
    assert up.value == 1.0
    assert healthy.value == 1.0
    assert [attempt["status"] for attempt in up.details["attempts"]] == [None, 503, 200]
    assert "Connection refused" in up.details["attempts"][0]["error"]


def test_nothing_but_429_is_no_evidence_against_the_target() -> None:
    """Whoever limits our rate answers; whether it is healthy is not known."""
    up, healthy = health(always(httpx.Response(429)), 2.0)
    assert (up.value, healthy.value) == (None, None)
    assert up.note.endswith("/health answered HTTP 429 (expected 2xx), for 2.0 s: it limits our rate")


@pytest.mark.parametrize("answer", [REFUSED, httpx.Response(500), httpx.Response(302), httpx.Response(401)])
def test_never_healthy_is_evidence_against_the_target(answer: httpx.Response | Exception) -> None:
    """When patience ends, the value is 0 and there is no time to healthy; it is no error of ours."""
    clock = FakeClock()
    up, healthy = health(always(answer), 2.0, clock)
    assert up.value == 0.0
    assert healthy.value is None
    assert sum(clock.slept) == 2.0
    assert up.note.startswith("http://target.test/health ")
    assert up.note.endswith(", for 2.0 s")


def test_without_patience_there_is_one_attempt() -> None:
    """Patience 0 asks once."""
    clients = always(REFUSED)
    health(clients, 0)
    assert len(clients.requests) == 1


def test_a_closed_port_is_evidence() -> None:
    """A real refused connection is the target's failure."""
    port = free_port()

    def factory() -> httpx.Client:
        return client(f"http://127.0.0.1:{port}", run_id="r", timeout_s=1)

    up, _ = HealthProbe(factory, "/health", "api", FakeClock(), 0).measure()
    assert up.value == 0.0
    assert "refused" in up.note


@pytest.mark.parametrize("trouble", [OSError(errno.EMFILE, "Too many open files"), "resolver"])
def test_trouble_of_our_own_machine_is_no_evidence(trouble: OSError | str) -> None:
    """Without sockets or a resolver here we cannot look, and the target is not blamed."""
    cause = socket.gaierror(socket.EAI_AGAIN, "try later") if isinstance(trouble, str) else trouble
    wrapped = httpx.ConnectError("could not connect")
    wrapped.__cause__ = cause
    with pytest.raises(ProbeError, match="could not be sent from here"):
        health(always(wrapped), 10)


@pytest.mark.parametrize(
    "sent",
    [
        {"headers": {"Authorization": f"Bearer {TOKEN}\r\nX: y"}},
        {"headers": {"Authorization": f"Bearer {TOKEN}ß"}},
        {"headers": {"no name": TOKEN}},
        {"body": {"key": f"{TOKEN}\ud800"}},
    ],
)
def test_what_cannot_be_sent_is_our_trouble(sent: dict[str, Any]) -> None:
    """It is no failure of a target that was asked nothing, and what it holds stands in no error."""
    unsent = pytest.raises(ProbeError, match="POST / could not be sent from here")
    with serving(lambda _: None) as url, client(url, run_id="r", timeout_s=5) as http, unsent as raised:
        ask(http, "POST", "/", **sent)
    assert TOKEN not in str(raised.value)


def test_a_name_that_does_not_exist_is_evidence() -> None:
    """Only a resolver that asks to try later is our own trouble."""
    wrapped = httpx.ConnectError("unknown")
    wrapped.__cause__ = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert health(always(wrapped), 0)[0].value == 0.0


def test_an_address_that_is_none_is_our_trouble() -> None:
    """A path that httpx cannot send is reported as such."""
    with pytest.raises(ProbeError, match="no address"), always(OK)() as http:
        ask(http, "GET", "/a\x00b")


@pytest.mark.parametrize(
    ("scheme", "first", "piece"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        ("http", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        ("http", b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99999\r\n\r\n", b""),
        ("https", b"\x16\x03\x03\x40\x00", b"\x02"),
    ],
    ids=["body", "head", "interim answers", "silence", "TLS"],
)
def test_an_answer_that_trickles_in_is_cut_off(scheme: str, first: bytes, piece: bytes) -> None:
    """A server that sends a little now and then cannot hold a check for ever, whatever it sends."""

    def trickle(door: socket.socket) -> None:
        connection, _ = door.accept()
        with connection, suppress(OSError):
            connection.sendall(first)
            for _ in range(100):
                connection.sendall(piece)
                time.sleep(0.02)

    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        thread = threading.Thread(target=trickle, args=(door,))
        thread.start()
        with client(f"{scheme}://127.0.0.1:{door.getsockname()[1]}", run_id="r", timeout_s=5) as http:
            answer = ask(http, "GET", "/", timeout_s=0.1)
        thread.join()
    assert (answer.status, answer.outcome, answer.ok) == (None, "time-out", False)


def test_each_request_of_a_kept_connection_has_its_own_time() -> None:
    """What the ones before it took is not taken from it."""

    def slowly(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.3)
        handler.send_response(204)
        handler.end_headers()

    with serving(slowly) as url, client(url, run_id="r", timeout_s=5) as http:
        statuses = [ask(http, "GET", "/", timeout_s=s).status for s in (20.0, 0.01, 20.0)]
    assert statuses == [204, None, 204]


PACKED = gzip.compress(bytes(50_000_000))
TOO_LONG = "too large: the body, unpacked, is longer than 10 MB"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"content": b"x" * 10_000_001}, TOO_LONG),
        ({"stream": httpx.ByteStream(PACKED), "headers": {"Content-Encoding": "gzip"}}, TOO_LONG),
        ({"headers": {"X": "x" * 70_000}}, "too large: the headers are longer than 64 KiB"),
    ],
    ids=["body", "packed body", "headers"],
)
def test_an_answer_that_is_too_large_is_none(answer: dict[str, Any], says: str) -> None:
    """It is not read to its end, and counts as a failure of the target with its reason."""
    with Clients(lambda _: httpx.Response(200, **answer))() as http:
        came = ask(http, "GET", "/")
    assert (came.ok, came.error) == (False, says)
