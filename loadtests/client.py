"""HTTP for many users at once, without a greenlet per request.

One ``Multi`` drives all transfers of a process. Each user has a ``Session``: connections, cookies and TLS
sessions of its own, as a browser has. A session prepares its requests once and sends them again and again:

    session = Session(multi, "http://127.0.0.1:5000", headers, timeout_s=10)
    me, patients = session.prepare("GET", "/api/me"), session.prepare("GET", "/api/patients")
    answers = session.batch([me, patients])        # both at the same time; returns when both have ended

No redirect is followed. A request is sent twice only where the target had closed a kept connection without
having read it, as TCP says.
"""

from __future__ import annotations

import json as jsonlib
from typing import TYPE_CHECKING, Any

import pycurl  # type: ignore[import-untyped]  # it carries no types

from .transfer import Batch, Connections, Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gevent.hub import Waiter

    from .answer import Answer
    from .multi import Multi

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
    """

    def __init__(
        self,
        multi: Multi,
        base: str,
        headers: Mapping[str, str] | None = None,
        *,
        timeout_s: float,
    ) -> None:
        self.base = base.rstrip("/")
        self.headers = dict(headers or {})
        share = pycurl.CurlShare()
        for kind in _SHARED:
            share.setopt(pycurl.SH_SHARE, kind)
        self._connections = Connections(multi, share, max(1, round(timeout_s * 1000)), multi.pinned(base))
        self._requests: list[Request] = []
        multi.add_session(self)

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
            keep: bytes of the answer's body, unpacked, that are read; a larger one is an error. 0 reads all,
                keeps none. What is sent is the same in either case.
        """
        own = {name.lower() for name in headers or {}}
        every = {name: value for name, value in self.headers.items() if name.lower() not in own}
        every |= headers or {}
        if keep and "accept-encoding" not in {name.lower() for name in every}:
            every["Accept-Encoding"] = ""  # libcurl is ready to unpack, and does not ask for it
        body = None
        if json is not None:
            body = jsonlib.dumps(json).encode()
            every.setdefault("Content-Type", "application/json")
            # Else libcurl sends a large body twice to those who do not expect it.
            every.setdefault("Expect", "")
        lines = [f"{name}: {value}" if value else f"{name}:" for name, value in every.items()]
        request = Request(self._connections, method, self.base + path, lines, body, keep)
        self._requests.append(request)
        return request

    def cookies(self, lines: Sequence[str] = ()) -> list[str]:
        """The user's cookies, with these among them; each a line as in a file of Netscape's."""
        easy = pycurl.Curl()
        easy.setopt(pycurl.SHARE, self._connections.share)
        easy.setopt(pycurl.COOKIEFILE, "")
        for line in lines:
            easy.setopt(pycurl.COOKIELIST, line.encode(errors="surrogateescape"))
        found: list[bytes] = easy.getinfo_raw(pycurl.INFO_COOKIELIST)  # a target may set whatever bytes
        easy.close()
        return [line.decode(errors="surrogateescape") for line in found]

    def send(self, requests: Sequence[Request]) -> Batch:
        """Send all of them at the same time; one may stand there several times."""
        return Batch(self._connections.multi, requests)

    def batch(self, requests: Sequence[Request]) -> list[Answer]:
        """Send all of them at the same time and wait for their answers, which are in the same order."""
        batch = self.send(requests)
        try:
            batch.join()
        finally:
            answers = batch.end()
        return answers

    def discard(self, request: Request) -> None:
        """Give up a request that is not under way and will not be sent again."""
        request.close([])
        self._requests.remove(request)

    def close(self) -> None:
        """Close the connections. What is under way ends without an answer."""
        ready: list[Waiter[None]] = []
        for request in self._requests:
            request.close(ready)
        self._requests.clear()
        self._connections.share.close()
        self._connections.multi.remove_session(self, ready)
