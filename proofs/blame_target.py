"""A small service that somebody deployed, and what can be wrong with it or with who asks."""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.unit.fakes import received, send

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.server import BaseHTTPRequestHandler

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
        tls: whether it speaks TLS, with a certificate of an authority that nobody knows.
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
    tls: bool = False
    tokens: dict[str, float] = field(default_factory=dict)
    locked: bool = False
    signing_in: int = 0
    asked: int = 0
    window: list[float] = field(default_factory=lambda: [0.0, 0.0])
    began: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        sent, path = received(handler), handler.path.partition("?")[0]
        if path != "/health" and self._hangs_up():
            handler.close_connection = True
            return
        status, body, headers = self._answer(path, handler.headers, sent)
        date = formatdate(time.time() + self.date, usegmt=True)
        kind = "text/html" if isinstance(body, str) else "application/json"
        text = body if isinstance(body, str) else json.dumps(body)
        send(handler, status, text, {"Content-Type": kind, "Date": date, **headers})

    def _answer(self, path: str, headers: Any, body: str) -> Answer:
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

    def _sign_in(self, body: str) -> Answer:
        with self.lock:
            self.signing_in += 1
            self.locked = self.locked or self.signing_in > self.sign_ins_at_once
        time.sleep(0.02)
        with self.lock:
            self.signing_in -= 1
        if self.locked or json.loads(body or "{}").get("password") != PASSWORD:
            return (423 if self.locked else 401), {"error": "refused"}, {}
        token = secrets.token_hex(8)
        self.tokens[token] = time.monotonic()
        return 200, {"token": token, "user": {"id": "u", "workspaceId": "w"}}, {}

    def _hangs_up(self) -> bool:
        """Whether it closes the connection in place of an answer to this request."""
        with self.lock:
            self.asked += 1
            return int(self.asked * self.closes) > int((self.asked - 1) * self.closes)
