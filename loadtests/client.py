"""HTTP for many users at once, without a greenlet per request.

One ``Multi`` drives all transfers of a process. Each user has a ``Session``: connections, cookies and TLS
sessions of its own, as a browser has. A session prepares its requests once and sends them again and again:

    session = Session(multi, "http://127.0.0.1:5000", headers, timeout_s=10)
    me, patients = session.prepare("GET", "/api/me"), session.prepare("GET", "/api/patients")
    answers = session.batch([me, patients])        # both at the same time; returns when both have ended

No redirect is followed and no request is sent twice, not even when a kept connection turns out to be dead.
"""

from __future__ import annotations

import json as jsonlib
import time
from typing import TYPE_CHECKING, Any

import pycurl  # type: ignore[import-untyped]  # it carries no types
from gevent.hub import Waiter

from .multi import Multi
from .transfer import Answer, Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableSequence, Sequence

__all__ = ["KEEP", "Answer", "Batch", "Multi", "Request", "Session"]

KEEP = 1 << 20
"""How many bytes of an answer are read where the answer is needed."""
_SHARED = (pycurl.LOCK_DATA_CONNECT, pycurl.LOCK_DATA_COOKIE, pycurl.LOCK_DATA_SSL_SESSION)


class Session:
    """One user's connections, cookies and prepared requests.

    Args:
        multi: drives them.
        base: the address that paths are relative to.
        headers: of every request.
        timeout_s: for a whole request.
        connect_timeout_s: for name look-up, connecting and TLS; None leaves it to ``timeout_s``.
    """

    def __init__(
        self,
        multi: Multi,
        base: str,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float,
        connect_timeout_s: float | None = None,
    ) -> None:
        self.multi = multi
        self.base = base.rstrip("/")
        self.headers = dict(headers or {})
        self.timeout_ms = max(1, round(timeout_s * 1000))
        self.connect_timeout_ms = max(1, round((connect_timeout_s or timeout_s) * 1000))
        self.share = pycurl.CurlShare()
        for kind in _SHARED:
            self.share.setopt(pycurl.SH_SHARE, kind)
        self._requests: list[Request] = []
        multi.enrol(self)

    def prepare(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        json: Any = None,
        keep: int = 0,
    ) -> Request:
        """A request that can be sent again and again.

        Args:
            method: GET, HEAD, POST and so on.
            path: relative to the base.
            headers: beside the session's.
            json: the body, unless None.
            keep: bytes of the answer's body that are read; a larger one is an error. 0 reads all, keeps none.
        """
        told = {**self.headers, **(headers or {})}
        body = None
        if json is not None:
            body = jsonlib.dumps(json).encode()
            told.setdefault("Content-Type", "application/json")
            told.setdefault(
                "Expect", ""
            )  # else libcurl sends a large body twice to those who do not expect it
        lines = [f"{name}: {value}" if value else f"{name}:" for name, value in told.items()]
        request = Request(self, method, self.base + path, lines, body, keep)
        self._requests.append(request)
        return request

    def send(self, requests: Sequence[Request]) -> Batch:
        """Send all of them at the same time; one may stand there several times."""
        return Batch(self, requests)

    def batch(self, requests: Sequence[Request]) -> list[Answer]:
        """Send all of them at the same time and wait for their answers, which are in the same order."""
        batch = self.send(requests)
        try:
            batch.join()
        finally:
            answers = batch.end()
        return answers

    def close(self) -> None:
        """Close the connections. What is under way ends without an answer."""
        ready: list[Waiter[None]] = []
        for request in self._requests:
            request.close(ready)
        self._requests.clear()
        self.share.close()
        self.multi.leave(self, ready)


class Request:
    """A prepared request, and the transfers that carry it: as many as were ever under way at once."""

    def __init__(
        self, session: Session, method: str, url: str, headers: list[str], body: bytes | None, keep: int
    ) -> None:
        self.session = session
        self.method, self.url, self.headers, self.body, self.keep = method, url, headers, body, keep
        self.spare: list[Transfer] = []
        self._made: list[Transfer] = []

    def take(self) -> Transfer:
        """A transfer that is not under way."""
        if self.spare:
            return self.spare.pop()
        transfer = Transfer(self)
        self._made.append(transfer)
        return transfer

    def close(self, ready: list[Waiter[None]]) -> None:
        """Give up its handles."""
        for transfer in self._made:
            transfer.close(ready)
        self._made.clear()
        self.spare.clear()


class Batch:
    """Requests of one user that are under way at the same time. Whoever makes one must ``end`` it."""

    def __init__(self, session: Session, requests: Sequence[Request]) -> None:
        self.begun = time.perf_counter()
        self._waiter: Waiter[None] = Waiter(session.multi.hub)
        self._transfers = [request.take() for request in requests]
        self._left = 0
        for transfer in self._transfers:
            transfer.begin(self)
            self._left += 1

    def count(self, ready: MutableSequence[Waiter[None]]) -> None:
        """One more has ended; with the last one who waits is ready to go on."""
        self._left -= 1
        if not self._left:
            ready.append(self._waiter)

    def join(self) -> None:
        """Wait until all have ended."""
        if self._left:
            self._waiter.get()

    def end(self) -> list[Answer]:
        """The answers; what has not ended is dropped here, and its answer says so."""
        return [transfer.release(self.begun) for transfer in self._transfers]
