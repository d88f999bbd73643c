"""Kept connections that the other side closes just as a request is sent on them.

Clients send it again then, on a fresh connection (RFC 9112, section 9.3.1). Here only where the target never
had it, as TCP says: nobody acknowledged it, or it was thrown away unread, which resets the connection, though
a moment after its end may have come. A worker that dies of a request has read it, and that is a failure.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SENT_AGAIN = "requests were sent again: the target closed a kept connection without having read them"
REPEATABLE = {"GET", "HEAD"}
_CLOSED, _CLOSED_THERE = 7, 8
"""Linux's states of a connection: reset, and closed by the other side."""
_ACKNOWLEDGED, _SENT = (struct.Struct("=Q"), 120), (struct.Struct("=QQ"), 200)
"""Where Linux's struct tcp_info says how many bytes the other side has; how many were sent, and again."""
_SYN = 1
"""It counts among those that were acknowledged."""
RESET_PAUSES_S = tuple(0.001 * 2**step for step in range(7))
"""How long a reset is waited for after the end of a connection, from look to look."""


def unread(connection: Any) -> bool | None:
    """Whether the other side of a connection has closed it without having read what was sent last.

    Args:
        connection: its socket.

    Returns:
        None where it has not closed it, or that is not known.
    """
    if sys.platform != "linux":
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        if info[0] != _CLOSED_THERE:
            return True if info[0] == _CLOSED else None
        (there,), (sent, again) = (layout.unpack_from(info, at) for layout, at in (_ACKNOWLEDGED, _SENT))
    except (OSError, struct.error):  # closed here by now, or an older kernel
        return None
    return bool(there - _SYN < sent - again)


class Kept:
    """httpcore's trace of one client, which has one connection at a time.

    Args:
        count: called for each request that is sent again.
    """

    def __init__(self, count: Callable[[], None]) -> None:
        self._count = count
        self._socket: Any = None
        self._fresh = self._unread = False

    def begin(self) -> None:
        """A request is about to be sent."""
        self._fresh = self._unread = False

    def __call__(self, event: str, info: dict[str, Any]) -> None:
        """Take what httpcore is doing."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._socket, self._fresh = info["return_value"].get_extra_info("socket"), True
        elif event == "http11.receive_response_headers.failed" and self._socket and not self._fresh:
            self._unread = self._was_unread()

    def again(self, method: str) -> bool:
        """Whether the request that has failed is to be sent once more."""
        repeated = self._unread and method in REPEATABLE
        if repeated:
            self._count()
        return repeated

    def _was_unread(self) -> bool:
        for pause in RESET_PAUSES_S:
            if (state := unread(self._socket)) is not False:
                return bool(state)
            time.sleep(pause)
        return bool(unread(self._socket))
