"""Stand-ins for the world of a probe: a clock that need not wait, a transport, a real server in a thread."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx

from rampgate.checks.frame.check import Context
from rampgate.clock import SystemClock
from rampgate.io.http import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


@contextmanager
def serving(
    handle: Callable[[BaseHTTPRequestHandler], None],
    host: str = "127.0.0.1",
    port: int = 0,
    tls: SSLContext | None = None,
) -> Iterator[str]:
    """A real HTTP/1.1 server on loopback, on a free port unless one is named; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        """Hands every request to the test."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            """Answer."""
            handle(self)

        do_POST = do_GET  # noqa: N815 - http.server looks for this name

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *request: Any) -> None:
            """A client that trusts no certificate of ours hangs up."""
            if not tls:
                super().handle_error(*request)

    server = Server((host, port), Handler)
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


def send_json(handler: BaseHTTPRequestHandler, status: int, data: Any) -> None:
    """Answer one request of a real server with JSON."""
    body = json.dumps(data).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
