"""A small service that somebody deployed, and what can be wrong with it or with who asks."""

from __future__ import annotations

import json
import random
import secrets
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Answer: TypeAlias = tuple[int, Any, dict[str, str]]
    """Status, body and headers."""

TOKEN = "Bearer of-the-settings"  # noqa: S105  # of no real service
PASSWORD = "right"  # noqa: S105  # of no real service

_CONTENT: Mapping[str, object] = {
    "/": "<!doctype html><title>home</title><h1>home</h1>",
    "/health": {"status": "ok", "version": "1.0.0", "instance": "one"},
    "/api/items": {"items": [1, 2, 3]},
    "/api/mine": {"items": [1, 2, 3]},
}


@dataclass
class Target:
    """How the service behaves.

    Args:
        status: of every path but those in ``whole``, None for what is right.
        whole: paths that ``status`` spares.
        lifetime: seconds of a session.
        from_settings: whether only ``TOKEN`` is let in, until ``revoked``.
        limit: requests a second beyond which it answers 429, and which paths that counts for.
        keep: seconds that it keeps an idle connection.
        refuses: the share of requests with a session that are refused for it, though it lasts.
        closes: the share of requests after which it closes the connection without an answer.
        sign_ins_at_once: more at once, or ``sign_ins`` in all, lock the account.
        slow: seconds that an answer takes.
        redirect: where everything leads to.
        date: seconds by which its clock is wrong.
        tls: whose certificate it shows, "" for plain HTTP.
    """

    status: int | None = None
    whole: tuple[str, ...] = ()
    lifetime: float = 1e9
    from_settings: bool = False
    revoked: float = 1e9
    limit: int = 0
    limited: str = "/"
    keep: float = 60.0
    refuses: float = 0.0
    closes: float = 0.0
    sign_ins_at_once: int = 1000
    slow: float = 0.0
    redirect: str = ""
    date: float = 0.0
    tls: str = ""
    tokens: dict[str, float] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    locked: bool = False
    signing_in: int = 0
    asked: int = 0
    window: list[float] = field(default_factory=lambda: [0.0, 0.0])
    began: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        """Status, body and headers."""
        with self.lock:
            self.seen[f"{method} {path}"] += 1
        if refusal := self._refusal(path, headers):
            return refusal
        if path == "/login":
            return self._sign_in(body)
        if path.startswith("/api/"):
            time.sleep(self.slow)
        flag = {"enabled": True} if path.startswith("/flags/") else None
        found = _CONTENT.get(path, flag)
        return (404, {"error": "not found"}, {}) if found is None else (200, found, {})

    def _refusal(self, path: str, headers: Any) -> Answer | None:
        if self.redirect:
            return 302, {}, {"Location": self.redirect}
        if self.status and path not in self.whole:
            return self.status, {"error": self.status}, {}
        if self._over(path):
            return 429, {"error": "too many requests"}, {"Retry-After": "1"}
        foreign = self.from_settings and not self._let_in(headers)
        if foreign or (path == "/api/mine" and not self._has_session(headers)):
            return 401, {"error": "token expired"}, {"WWW-Authenticate": "Bearer"}
        return None

    def _has_session(self, headers: Any) -> bool:
        token = (headers.get("Authorization") or "").removeprefix("Bearer ")
        lasts = time.monotonic() - self.tokens.get(token, -1e9) <= self.lifetime
        return lasts and random.random() >= self.refuses  # noqa: S311  # no secret

    def _let_in(self, headers: Any) -> bool:
        return headers.get("Authorization") == TOKEN and time.monotonic() - self.began < self.revoked

    def _over(self, path: str) -> bool:
        if not self.limit or not path.startswith(self.limited):
            return False
        with self.lock:
            now = time.monotonic()
            if now - self.window[0] > 1:
                self.window[:] = [now, 0.0]
            self.window[1] += 1
            return self.window[1] > self.limit

    def _sign_in(self, body: bytes) -> Answer:
        with self.lock:
            self.signing_in += 1
            self.locked = self.locked or self.signing_in > self.sign_ins_at_once
        time.sleep(0.02)
        with self.lock:
            self.signing_in -= 1
        if self.locked or json.loads(body or b"{}").get("password") != PASSWORD:
            return (423 if self.locked else 401), {"error": "refused"}, {}
        token = secrets.token_hex(8)
        self.tokens[token] = time.monotonic()
        return 200, {"token": token, "user": {"id": "u", "workspaceId": "w"}}, {}

    def hangs_up(self) -> bool:
        """Whether it closes the connection in place of an answer to this request."""
        with self.lock:
            self.asked += 1
            return int(self.asked * self.closes) > int((self.asked - 1) * self.closes)


@contextmanager
def serving(target: Target, folder: Path) -> Iterator[str]:
    """The service at a free port of loopback.

    Args:
        target: how it behaves.
        folder: for its certificate.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = target.keep

        def do_GET(self) -> None:
            """Answer as the target does."""
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            if path != "/health" and target.hangs_up():
                self.close_connection = True
                return
            status, body, headers = target.answer(self.command, path, self.headers, sent)
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            kind = "text/html" if isinstance(body, str) else "application/json"
            for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data if self.command != "HEAD" else b"")

        do_POST = do_HEAD = do_GET  # noqa: N815  # http.server looks for these names

        def date_time_string(self, timestamp: float | None = None) -> str:
            """The time by the service's own clock."""
            return super().date_time_string((timestamp or time.time()) + target.date)

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, *_args: Any) -> None:
            """A client that went away is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    if target.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate(folder, target.tls))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"{'https' if target.tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that it signed itself, and its key."""
    found = folder / "certificate.pem", folder / "key.pem"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    files = ["-addext", f"subjectAltName=DNS:{name}", "-out", str(found[0]), "-keyout", str(found[1])]
    subprocess.run([*new, *files], check=True, capture_output=True)
    return found


def closed_port() -> str:
    """An address of loopback that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"
