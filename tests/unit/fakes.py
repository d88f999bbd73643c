"""Stand-ins for the world of a probe: a clock that need not wait, a transport, a real server in a thread."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx

from rampgate.checks.frame.check import Context
from rampgate.clock import SystemClock
from rampgate.io.http import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from ssl import SSLContext

    from rampgate.clock import Clock

RUN_ID = "run-1"


class FakeClock:
    """A clock that moves only when somebody sleeps, or the test says so."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.time = now
        self.slept: list[float] = []

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.time

    def monotonic(self) -> float:
        """The same: this clock never runs backwards."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.slept.append(seconds)
        self.time += seconds


class Clients:
    """A client factory over a handler instead of the network; counts what it made and what was asked."""

    def __init__(self, handler: Callable[[httpx.Request], httpx.Response]) -> None:
        self._handler = handler
        self._lock = threading.Lock()
        self.made = 0
        self.requests: list[httpx.Request] = []

    def __call__(self) -> httpx.Client:
        """One more client."""
        with self._lock:
            self.made += 1
        return client(
            "http://target.test", run_id=RUN_ID, timeout_s=5.0, transport=httpx.MockTransport(self._handle)
        )

    def _handle(self, request: httpx.Request) -> httpx.Response:
        """Keep the request and answer it."""
        with self._lock:
            self.requests.append(request)
        return self._handler(request)


def gone(pid: int) -> bool:
    """Whether there is no such process any more, or soon."""
    for _ in range(400):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def always(response: httpx.Response | Exception) -> Clients:
    """Clients that get the same answer, or error, each time."""

    def handler(_request: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return httpx.Response(response.status_code, content=response.content, headers=response.headers)

    return Clients(handler)


def in_turn(*answers: httpx.Response | Exception) -> Clients:
    """Clients that get these answers one after another, the last one for ever."""
    left = list(answers)

    def handler(_request: httpx.Request) -> httpx.Response:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)

    return Clients(handler)


def context(
    make: Callable[[], httpx.Client] | None = None, clock: Clock | None = None, visit: Any = None, **more: Any
) -> Context:
    """What a check of a run of ``production`` is given; each client that it opens is one of these."""

    def opened(service: str, *, account: str = "user", at: str = "") -> httpx.Client:
        del service, account, at
        assert make
        return make()

    return Context(RUN_ID, "production", opened, visit, clock or SystemClock(), **more)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.idle_s)

    def do_GET(self) -> None:
        self.server.answer(self)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815  # http.server looks for these names

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 256

    def __init__(
        self, address: tuple[str, int], answer: Callable[[BaseHTTPRequestHandler], None], idle_s: float | None
    ) -> None:
        self.answer, self.idle_s = answer, idle_s
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or trusts no certificate of ours, is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def serving(
    handle: Callable[[BaseHTTPRequestHandler], None],
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    idle_s: float | None = None,
    tls: SSLContext | None = None,
) -> Iterator[str]:
    """A real HTTP/1.1 server on loopback; yields its address.

    Args:
        handle: answers a request, in a thread of its connection.
        host: where it listens.
        port: 0 for a free one.
        idle_s: how long it keeps a connection on which nothing comes, None for ever.
        tls: with which it encrypts, None for plain HTTP.
    """
    server = _Server((host, port), handle, idle_s)
    if tls:  # with each connection's own thread shaking hands
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def received(handler: BaseHTTPRequestHandler) -> str:
    """The body of a request to a real server."""
    length = int(handler.headers.get("Content-Length") or 0)
    return handler.rfile.read(length).decode(errors="replace")


def send(
    handler: BaseHTTPRequestHandler, status: int, body: str | bytes, headers: Mapping[str, str] | None = None
) -> None:
    """Answer one request of a real server: HTML, where the headers say nothing else."""
    data = body.encode() if isinstance(body, str) else body
    usual = {"Date": handler.date_time_string(), "Content-Type": "text/html"}
    length = {} if status == HTTPStatus.NO_CONTENT else {"Content-Length": str(len(data))}
    handler.send_response_only(status)
    for name, value in {**usual, **length, **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(data)


def send_json(handler: BaseHTTPRequestHandler, status: int, data: Any) -> None:
    """Answer one request of a real server with JSON."""
    send(handler, status, json.dumps(data), {"Content-Type": "application/json"})
