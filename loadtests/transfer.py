"""One request of one user, from libcurl's handle to the answer."""

from __future__ import annotations

import errno
import json as jsonlib
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import certifi
import pycurl  # type: ignore[import-untyped]  # it carries no types
from gevent import monkey

from rampgate.load.times import CUT

if TYPE_CHECKING:
    from collections.abc import MutableSequence

    from gevent.hub import Waiter

    from .client import Batch, Request

_MS = 1e-3
_OWN = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL}
_OWN_CODES = {
    pycurl.E_COULDNT_RESOLVE_HOST: "the name of the target could not be looked up from here",
    pycurl.E_OUT_OF_MEMORY: "no memory left here",
    pycurl.E_INTERFACE_FAILED: "no port left here to connect from",
    pycurl.E_URL_MALFORMAT: "the address is none",
    pycurl.E_SSL_CACERT_BADFILE: "the certificates of the authorities cannot be read here",
}
_WORDS = {
    pycurl.E_GOT_NOTHING: "the connection was closed before an answer came",
    pycurl.E_SEND_ERROR: "the connection was closed while the request was sent",
    pycurl.E_ABORTED_BY_CALLBACK: "the kept connection was closed before an answer came",
    pycurl.E_PARTIAL_FILE: "the answer broke off",
    pycurl.E_UNSUPPORTED_PROTOCOL: "the answer is not HTTP",
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "the answer is not HTTP",
    pycurl.E_WRITE_ERROR: "the answer is larger than what is read of it",
    pycurl.E_BAD_CONTENT_ENCODING: "the answer cannot be decoded",
    pycurl.E_SSL_CONNECT_ERROR: "TLS could not be agreed on",
    pycurl.E_PEER_FAILED_VERIFICATION: "the certificate of the target is not trusted",
}
_WELL = ("", False)
_socket = monkey.get_original("socket", "socket")


class Answer(NamedTuple):
    """What came of one request.

    Args:
        status: as received, 0 when none was, CUT when it was not waited for.
        duration_ms: from sending to the last byte or the failure: k6's http_req_duration.
        connect_ms: name look-up, connecting and TLS before it; 0 on a connection that was open.
        error: in plain words why there is no whole answer, or "".
        own: whether the error lies on this machine and says nothing about the target.
        size: bytes of the body.
        body: as far as it was to be kept.
    """

    status: int
    duration_ms: float
    connect_ms: float
    error: str = ""
    own: bool = False
    size: int = 0
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON, None when it is not JSON."""
        try:
            return jsonlib.loads(self.body)
        except (ValueError, RecursionError):
            return None


STOPPED = Answer(CUT, 0.0, 0.0, "stopped before the answer came")
UNSENT = Answer(0, 0.0, 0.0, "stopped before the request was sent", own=True)


class Transfer:
    """One easy handle with all that its request needs, used again and again, for one request at a time."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._multi = request.session.multi
        self._chunks: list[bytes] = []
        self._size = 0
        self._port = 0
        self._batch: Batch | None = None
        self.answer: Answer | None = None
        self._prepare()

    def begin(self, batch: Batch) -> None:
        """Send the request."""
        self._batch = batch
        self._sent = self._connected = self._opening = False
        self._trouble = ""
        self.answer = None
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
            error, own = self._words(code, text) if code else ("", False)
            after = max(0.0, total - before) if self._sent else 0.0
            self.answer = Answer(status, after, connect, error, own, size, b"".join(self._chunks))
        self._multi.drop(self)
        if self._batch:
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
        self._batch = None
        if self._chunks:
            self._chunks.clear()
        self._size = 0
        self._request.spare.append(self)
        return answer

    def close(self, ready: list[Waiter[None]]) -> None:
        """Give up the handle; who waits for its answer is told that it was stopped."""
        if self.answer is None and self._batch is not None:
            self._multi.collect()
        if self.answer is None and self._batch is not None:
            self._multi.drop(self)
            self.answer = STOPPED
            self._batch.count(ready)
        self.easy.close()

    def _prepare(self) -> None:
        request, session = self._request, self._request.session
        self.easy = easy = pycurl.Curl()
        put = easy.setopt
        put(pycurl.SHARE, session.share)
        put(pycurl.URL, request.url)
        put(pycurl.HTTPHEADER, request.headers)
        put(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        put(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        put(pycurl.PROXY, "")  # the environment has no say in where load goes
        put(pycurl.NOSIGNAL, 1)
        put(pycurl.COOKIEFILE, "")  # no file: it turns cookies on
        put(pycurl.CAINFO, os.environ.get("SSL_CERT_FILE") or certifi.where())
        put(pycurl.TIMEOUT_MS, session.timeout_ms)
        put(pycurl.CONNECTTIMEOUT_MS, session.connect_timeout_ms)
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
        if self._sent and self._port not in self._multi.dead:
            return pycurl.SOCKET_BAD
        self._trouble = self._multi.refusal(str(address.addr[0]))
        if self._trouble:
            return pycurl.SOCKET_BAD
        try:
            self._socket = _socket(address.family, address.socktype, address.protocol)
        except OSError as error:
            self._trouble = own_words(error)
            return pycurl.SOCKET_BAD
        return self._socket

    def _opened(self, fd: int, _: int) -> Any:
        """Libcurl has a duplicate of the socket, which needs a file descriptor too."""
        self._multi.fresh(fd)
        self._connected = True
        self._socket.close()
        return pycurl.SOCKOPT_OK

    def _send(self, _address: str, _ours: str, _port: int, our_port: int) -> Any:
        """Forbid what libcurl does by itself when a kept connection is dead: it sends the request again.

        Where the target had closed the connection before, it never had the request, and that is in order.
        """
        dead = self._multi.dead
        if self._sent and self._port not in dead:
            return pycurl.PREREQFUNC_ABORT
        if self._connected and dead:
            dead.discard(our_port)
        self._sent, self._port = True, our_port
        return pycurl.PREREQFUNC_OK

    def _keep(self, chunk: bytes) -> int | None:
        self._size += len(chunk)
        if self._size > self._request.keep:
            return 0
        self._chunks.append(chunk)
        return None

    def _words(self, code: int, text: str) -> tuple[str, bool]:
        if self._trouble:
            return self._trouble, True
        if code == pycurl.E_COULDNT_CONNECT and self._opening and not (self._connected or self._sent):
            self._socket.close()
            return own_words(OSError(errno.EMFILE, os.strerror(errno.EMFILE))), True
        return words(code, text, int(self.easy.getinfo(pycurl.OS_ERRNO)), sent=self._sent)


def own_words(error: OSError) -> str:
    """Why this machine could not send, for a reader."""
    return f"requests could not be sent from here: {(error.strerror or str(error)).lower()}"


def words(code: int, text: str, number: int, *, sent: bool) -> tuple[str, bool]:
    """Why there is no whole answer, in plain words, and whether the cause lies on this machine.

    Args:
        code: libcurl's.
        text: libcurl's, for a code without words here.
        number: the errno of the connection, 0 when there was none.
        sent: whether the request had been sent.
    """
    if number in _OWN and not sent:
        return own_words(OSError(number, os.strerror(number))), True
    if code in _OWN_CODES:
        return f"requests could not be sent from here: {_OWN_CODES[code]}", True
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return ("time-out: no whole answer" if sent else "time-out: no connection"), False
    if code == pycurl.E_COULDNT_CONNECT:
        why = os.strerror(number).lower() if number else "no connection"
        return (why if not sent else _WORDS[pycurl.E_ABORTED_BY_CALLBACK]), False
    if code == pycurl.E_RECV_ERROR:
        return (os.strerror(number).lower() if number else "the connection broke"), False
    return _WORDS.get(code, text), False
