"""Requests of one user, from libcurl's handles to the answers."""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import certifi
import pycurl  # type: ignore[import-untyped]  # it carries no types
from gevent import monkey
from gevent.hub import Waiter

from rampgate.io.kept import RESET_PAUSES_S

from .answer import STOPPED, UNSENT, Answer, error_of, own_error

if TYPE_CHECKING:
    from collections.abc import MutableSequence, Sequence

    from .multi import Multi

_MS = 1e-3
_WELL = ("", False)
_socket = monkey.get_original("socket", "socket")


class Connections(NamedTuple):
    """What all requests of one user share.

    Args:
        multi: drives them.
        share: their connections, cookies and TLS sessions.
        timeout_ms: for a whole request.
        pinned: where their host is, as libcurl's RESOLVE has it; [] where it looks it up.
    """

    multi: Multi
    share: pycurl.CurlShare
    timeout_ms: int
    pinned: Sequence[str]


class Request:
    """A prepared request, and the transfers that carry it: as many as were ever under way at once."""

    def __init__(
        self, user: Connections, method: str, url: str, headers: list[str], body: bytes | None, keep: int
    ) -> None:
        self.user = user
        self.method, self.url, self.headers, self.body, self.keep = method, url, headers, body, keep
        self.spare: list[Transfer] = []
        self._all: list[Transfer] = []

    def take(self) -> Transfer:
        """A transfer that is not under way."""
        if self.spare:
            return self.spare.pop()
        transfer = Transfer(self)
        self._all.append(transfer)
        return transfer

    def close(self, ready: list[Waiter[None]]) -> None:
        """Give up its handles."""
        for transfer in self._all:
            transfer.close(ready)
        self._all.clear()
        self.spare.clear()


class Batch:
    """Requests of one user that are under way at the same time. Whoever makes one must ``end`` it."""

    def __init__(self, multi: Multi, requests: Sequence[Request]) -> None:
        self.begun = time.perf_counter()
        self._waiter: Waiter[None] = Waiter(multi.hub)
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


class Transfer:
    """One easy handle with all that its request needs, used again and again, for one request at a time."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._multi = request.user.multi
        self._chunks: list[bytes] = []
        self._size = 0
        self._port, self._fd, self._address = 0, 0, ""
        self._tls = request.url.lower().startswith("https:")
        self._batch: Batch | None = None
        self.answer: Answer | None = None
        self._failure: Answer | None = None
        self._undecided: Any = None
        """The socket of a kept connection that ended without an answer, until it is known why."""
        self._prepare()

    def begin(self, batch: Batch) -> None:
        """Send the request."""
        self._batch = batch
        self._sent = self._connected = self._opening = False
        self._trouble = ""
        self.answer = self._failure = self._undecided = None
        self._multi.start(self)

    def end(self, ready: MutableSequence[Waiter[None]], code: int = 0, text: str = "") -> None:
        """Libcurl says that it has ended: read what came."""
        info = self.easy.getinfo
        total, before = info(pycurl.TOTAL_TIME_T) * _MS, info(pycurl.PRETRANSFER_TIME_T) * _MS
        size = int(info(pycurl.SIZE_DOWNLOAD_T))
        status, connect = info(pycurl.RESPONSE_CODE), 0.0
        if self._opening and (not self._sent or self._connected):
            connect = before if self._sent else total
        if code == 0 and not self._chunks:
            self.answer = Answer(status, total - before, connect, *_WELL, size)
        else:
            error, own = self._error(code, text) if code else ("", False)
            after = max(0.0, total - before) if self._sent else 0.0
            self.answer = Answer(status, after, connect, error, own, size, b"".join(self._chunks))
        self._multi.drop(self)
        if self._undecided:
            self._failure, self.answer = self.answer, None
            self._multi.await_reset(self, self._undecided, iter(RESET_PAUSES_S))
        elif self._batch:
            self._batch.count(ready)

    def settle(self, ours: Any, ready: MutableSequence[Waiter[None]], *, was_unread: bool) -> None:
        """Its connection was closed by the target: send it again where nothing of it was read."""
        if self._undecided is not ours or self._batch is None:
            return  # nobody waits for it any more
        if was_unread:
            self._multi.count_sent_again()
            self.begin(self._batch)
        else:
            self.answer, self._undecided = self._failure, None
            self._batch.count(ready)

    def release(self, begun: float) -> Answer:
        """Its answer; the transfer is free for the next request."""
        if self.answer is None:
            self._multi.collect()  # it may have been read in this very turn
        answer = self.answer
        if answer is None:
            self._multi.drop(self)
            answer = STOPPED._replace(duration_ms=(time.perf_counter() - begun) * 1000)
            if not (self._opening or self._sent):
                answer = UNSENT
        self._batch = self._undecided = None
        if self._chunks:
            self._chunks.clear()
        self._size = 0
        self._request.spare.append(self)
        return answer

    def close(self, ready: list[Waiter[None]]) -> None:
        """Give up the handle; whoever waits for its answer gets STOPPED."""
        if self.answer is None and self._batch is not None:
            self._multi.collect()
        if self.answer is None and self._batch is not None:
            self._multi.drop(self)
            self.answer, self._undecided = STOPPED, None
            self._batch.count(ready)
        self.easy.close()

    def _prepare(self) -> None:
        request, user = self._request, self._request.user
        self.easy = easy = pycurl.Curl()
        put = easy.setopt
        put(pycurl.SHARE, user.share)
        put(pycurl.URL, request.url)
        put(pycurl.RESOLVE, user.pinned)
        put(pycurl.HTTPHEADER, request.headers)
        put(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        put(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        put(pycurl.PROXY, "")  # the environment has no say in where load goes
        put(pycurl.NOSIGNAL, 1)
        put(pycurl.COOKIEFILE, "")  # no file: it turns cookies on
        file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        put(*((pycurl.CAPATH, folder) if folder and not file else (pycurl.CAINFO, file or certifi.where())))
        put(pycurl.TIMEOUT_MS, user.timeout_ms)
        put(pycurl.CONNECTTIMEOUT_MS, user.timeout_ms)
        put(pycurl.OPENSOCKETFUNCTION, self._open)
        put(pycurl.SOCKOPTFUNCTION, self._opened)
        put(pycurl.PREREQFUNCTION, self._send)
        if request.keep:
            put(pycurl.ACCEPT_ENCODING, "")
        put(pycurl.WRITEFUNCTION, self._keep if request.keep else deque[bytes](maxlen=0).append)
        if request.method == "HEAD":
            put(pycurl.NOBODY, 1)
        elif request.body is not None:
            put(pycurl.POSTFIELDS, request.body)
        if request.method not in {"GET", "HEAD"}:
            put(pycurl.CUSTOMREQUEST, request.method)

    def _open(self, _: int, address: Any) -> Any:
        """Make a socket for an address, unless it may not be; what fails here fails on this machine."""
        self._opening = True
        if self._sent and not self._may_send_again():
            return pycurl.SOCKET_BAD
        self._address = str(address.addr[0])
        self._trouble = self._multi.refusal(self._address)
        if self._trouble:
            return pycurl.SOCKET_BAD
        try:
            self._socket = _socket(address.family, address.socktype, address.protocol)
        except OSError as error:
            self._trouble = own_error(error)
            return pycurl.SOCKET_BAD
        return self._socket

    def _opened(self, fd: int, _: int) -> Any:
        """Libcurl has a duplicate of the socket, which needs a file descriptor too."""
        self._multi.fresh(fd)
        self._connected, self._fd = True, fd
        self._socket.close()
        return pycurl.SOCKOPT_OK

    def _send(self, _address: str, _ours: str, _port: int, our_port: int) -> Any:
        """Forbid what libcurl does by itself when a kept connection is dead: it sends the request again.

        Where the target had closed the connection before it had read the request, that is in order.
        """
        multi = self._multi
        if self._sent:
            if not self._may_send_again():
                return pycurl.PREREQFUNC_ABORT
            multi.count_sent_again()
        multi.kept.sends(our_port, self._fd if self._connected else None, self.easy, tls=self._tls)
        self._sent, self._port = True, our_port
        return pycurl.PREREQFUNC_OK

    def _may_send_again(self) -> bool:
        kept = self._multi.kept
        if kept.was_unread(self._port):
            return True
        self._undecided = self._undecided or kept.take(self._port)
        return False

    def _keep(self, chunk: bytes) -> int | None:
        self._size += len(chunk)
        if self._size > self._request.keep:
            return 0
        self._chunks.append(chunk)
        return None

    def _error(self, code: int, text: str) -> tuple[str, bool]:
        if self._trouble:
            return self._trouble, True
        if code == pycurl.E_COULDNT_CONNECT and self._opening and not (self._connected or self._sent):
            self._socket.close()
            return own_error(OSError(errno.EMFILE, os.strerror(errno.EMFILE))), True
        number = int(self.easy.getinfo(pycurl.OS_ERRNO))
        return error_of(code, text, number, sent=self._sent, address=self._address)
