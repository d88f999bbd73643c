"""The sockets of the server with known truth: when a request came, and when its answer was handed over.

A request has come when the kernel had its bytes, however late this process reads them; its answer has been
handed over when the kernel has taken it. What waits here for its turn in a burst is in the time that is kept.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import socket
import struct
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

_SO_TIMESTAMPNS = 35
_STAMP = struct.Struct("qq")
_HEAD = b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_MOST = 65_536


class Answers(Protocol):
    """Says what is answered, and hears what was."""

    def answer(self, path: str) -> tuple[float, int]:
        """Seconds until the answer, and its status."""

    def served(self, path: str, seconds: float, status: int) -> None:
        """An answer was handed over, so many seconds after its request came."""

    def gone(self) -> None:
        """No one was there for an answer any more."""


class Sockets:
    """Serves GETs on kept connections, one process and one thread.

    Args:
        truth: what answers now; asked for each request.
        body: of each answer.
        own: paths that begin so are answered at once, by ``control``, and not kept.
        control: path -> body.
    """

    def __init__(
        self, truth: Callable[[], Answers], body: bytes, own: str, control: Callable[[str], bytes]
    ) -> None:
        self._truth, self._body, self._own, self._control = truth, body, own, control
        self._selector = selectors.DefaultSelector()
        self._unread: dict[socket.socket, bytes] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.settimeout(0)
        self._listener.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)  # what it accepts inherits it
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Serve for ever: read what has come, hand over what is due."""
        while True:
            wait = max(0.0, self._due[0][0] - time.time()) if self._due else None
            for key, _ in self._selector.select(wait):
                key.data(key.fileobj)
            while self._due and self._due[0][0] <= time.time():
                heapq.heappop(self._due)[2]()

    def _accept(self, listener: socket.socket) -> None:
        try:
            ours, _ = listener.accept()
        except OSError:
            return
        ours.settimeout(0)
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread[ours] = b""
        self._selector.register(ours, selectors.EVENT_READ, self._read)

    def _read(self, ours: socket.socket) -> None:
        try:
            data, ancillary, _, _ = ours.recvmsg(_MOST, _MOST)
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        if not data:
            self._close(ours)
            return
        unread = self._unread[ours] + data
        while (end := unread.find(b"\r\n\r\n")) >= 0:
            path = unread[:end].split(b" ", 2)[1].decode()
            unread = unread[end + 4 :]
            self._take(ours, path, ancillary)
        self._unread[ours] = unread

    def _take(self, ours: socket.socket, path: str, ancillary: list[tuple[int, int, bytes]]) -> None:
        if path.startswith(self._own):
            self._write(ours, 200, self._control(path))
            return
        truth, came = self._truth(), _came(ancillary)
        delay, status = truth.answer(path)

        def answer() -> None:
            if self._write(ours, status, self._body):
                truth.served(path, time.time() - came, status)
            else:
                truth.gone()

        heapq.heappush(self._due, (came + delay, next(self._order), answer))

    def _write(self, ours: socket.socket, status: int, body: bytes) -> bool:
        reason = b"OK" if status == 200 else b"Internal Server Error"  # noqa: PLR2004  # the only good one
        try:
            ours.send(_HEAD % (status, reason, len(body)) + body)
        except OSError:
            self._close(ours)
            return False
        return True

    def _close(self, ours: socket.socket) -> None:
        if self._unread.pop(ours, None) is not None:
            self._selector.unregister(ours)
            ours.close()


def _came(ancillary: list[tuple[int, int, bytes]]) -> float:
    """When the kernel had what was read, in seconds since the epoch.

    Raises:
        RuntimeError: the kernel does not say, and when we read it would be no truth.
    """
    for _, kind, data in ancillary:
        if kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _STAMP.unpack(data)
            return float(seconds + nanoseconds / 1e9)
    raise RuntimeError("the kernel does not say when a request came: this proof needs Linux")
