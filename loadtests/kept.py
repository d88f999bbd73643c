"""The kept connections of a process: which of them the target closed without having read a request."""

from __future__ import annotations

import os
from contextlib import suppress
from socket import AF_INET, MSG_DONTWAIT, MSG_PEEK, SOCK_STREAM
from typing import Any

from gevent import monkey

from rampgate.io.kept import received, unread

_NO_ANSWER = 32
"""Fewer bytes are no answer: they are the end of a connection, or TLS takes leave."""
_socket = monkey.get_original("socket", "socket")


class Kept:
    """Those that requests went out on before."""

    def __init__(self) -> None:
        self.files: dict[int, int] = {}
        """Port of ours -> its socket's file."""
        self.looked_at: dict[int, Any] = {}
        """Port of ours -> its connection, in the turn in which libcurl sends on it and in the next one.

        In these libcurl reads unasked, and may close the connection before we have looked at it.
        """
        self._received: dict[int, int] = {}
        """A socket's file -> what had come on its connection when a further request went out."""
        self._dead: set[int] = set()
        """Our ports of connections that the target closed while they were idle, or as we sent: unread."""

    def fresh(self, port: int, fd: int) -> None:
        """A request goes out on a connection that has just been made."""
        self._dead.discard(port)
        self._received.pop(fd, None)
        self.files[port] = fd

    def sends(self, port: int) -> None:
        """A request goes out on one that had others."""
        self.leave(port)
        with suppress(OSError):  # no more files: it is not looked at then
            fd = self.files[port]
            ours = self.looked_at[port] = _of(fd)
            self._received[fd] = received(ours)
            if unread(ours) is not None:
                self._dead.add(port)

    def leave(self, port: int) -> None:
        """It is looked at no more."""
        if ours := self.looked_at.pop(port, None):
            ours.close()

    def was_unread(self, port: int) -> bool:
        """Whether the target has closed a connection without having read what was sent on it last."""
        return port in self._dead or (port in self.looked_at and bool(unread(self.looked_at[port])))

    def may_be_reset(self, fd: int) -> bool:
        """Whether one has ended without an answer, and what we sent may not have been read."""
        if fd not in self._received:
            return False
        with suppress(OSError), _of(fd) as ours:
            state = unread(ours)
            if state:
                self._dead.add(int(ours.getsockname()[1]))
            return state is False and received(ours) - self._received[fd] < _NO_ANSWER
        return False

    def idle(self, fd: int) -> bool:
        """Whether there is news of one that is idle: it has ended, or there is what nobody asked for."""
        with suppress(OSError), _of(fd) as ours:
            waiting = _waiting(ours)
            if waiting is None:
                return False
            if not waiting:
                self._dead.add(int(ours.getsockname()[1]))
        return True


def _of(fd: int) -> Any:
    return _socket(AF_INET, SOCK_STREAM, fileno=os.dup(fd))


def _waiting(connection: Any) -> bytes | None:
    """A byte that waits to be read, b"" when the other side has closed, None when there is nothing."""
    try:
        return bytes(connection.recv(1, MSG_PEEK | MSG_DONTWAIT))
    except BlockingIOError:
        return None
    except OSError:
        return b""
