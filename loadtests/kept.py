"""The kept connections of a process: which of them the target closed without having read a request.

Libcurl closes them, and what libev watches must not outlive that: a duplicate of a socket is held while
libcurl works, and longer only where epoll has forgotten it.
"""

from __future__ import annotations

import fcntl
import os
from _socket import socket  # without what Python's own adds, which costs more than the look
from contextlib import closing, suppress
from socket import AF_INET, MSG_DONTWAIT, MSG_PEEK, SOCK_STREAM
from typing import Any

import pycurl  # type: ignore[import-untyped]  # it carries no types
from gevent import monkey

from rampgate.io.kept import unread

_NO_ANSWER = 32
"""Fewer bytes at the end of a connection are no answer: with them TLS takes its leave."""
_epoll = monkey.get_original("select", "epoll")


class Kept:
    """Those that requests went out on before.

    Args:
        watching: the file of the epoll that watches them.
    """

    def __init__(self, watching: int) -> None:
        self._watching = _epoll.fromfd(os.dup(watching))
        self._files: dict[int, int] = {}
        """Port of ours -> its socket's file."""
        self._requests: dict[int, pycurl.Curl] = {}
        """A socket's file -> what was sent last on it, where that was not the first."""
        self._dead: set[int] = set()
        """Our ports of connections that the target closed while they were idle, or as we sent: unread."""
        self._held: tuple[int, Any] | None = None
        """The connection that a request has just gone out on: libcurl reads at once, and may close it."""

    def fresh(self, fd: int) -> None:
        """A socket has just been made."""
        self._requests.pop(fd, None)

    def sends(self, port: int, fd: int | None, easy: pycurl.Curl, *, tls: bool) -> None:
        """A request goes out on the connection of this port of ours.

        Args:
            port: of the connection.
            fd: its socket's file where it is a fresh one.
            easy: the request's.
            tls: whether libcurl sends something when it closes it.
        """
        self.leave()
        if fd is not None:
            self._dead.discard(port)
            self._files[port] = fd
        elif port in self._files:
            self._requests[self._files[port]] = easy
            with suppress(OSError):  # no more files: it is not looked at then
                ours = _of(self._files[port])
                self._held = (port, ours)
                if unread(ours) is not None:
                    self._dead.add(port)
            if tls:
                self.leave()

    def leave(self) -> None:
        """Libcurl has done its work."""
        if self._held:
            self._held[1].close()
            self._held = None

    def was_unread(self, port: int) -> bool:
        """Whether the target has closed a connection without having read what was sent on it last."""
        if self._held and self._held[0] == port and unread(self._held[1]):
            self._dead.add(port)
        return port in self._dead

    def take(self, port: int) -> Any:
        """The socket of a connection that has ended, and what was sent may yet prove to be unread; or None.

        Libcurl has closed it by now, which a duplicate hides from epoll.
        """
        if self._held is None or self._held[0] != port or unread(self._held[1]) is None:
            return None
        ours, fd = self._held[1], self._files[port]
        with suppress(OSError):
            same = fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD_CLOEXEC, fd)
            try:
                if same == fd:
                    with suppress(FileNotFoundError):  # it was not watched
                        self._watching.unregister(fd)
                    self._held = None
                    return ours
            finally:
                os.close(same)
        return None

    def may_be_reset(self, fd: int) -> bool:
        """Whether one has ended without a byte of an answer, and what was sent may yet prove to be unread."""
        try:
            ours = socket(AF_INET, SOCK_STREAM, 0, fd)
        except OSError:  # no socket: by this a thread of libcurl says that it has looked a name up
            return False
        try:
            state = unread(ours)
            if state:
                self._dead.add(int(ours.getsockname()[1]))
            if state is not False or fd not in self._requests:
                return False
            few = len(_waiting(ours) or b"") < _NO_ANSWER
            return few and not self._requests[fd].getinfo(pycurl.HEADER_SIZE)
        finally:
            ours.detach()

    def close(self) -> None:
        """Nothing is watched any more."""
        self.leave()
        self._watching.close()

    def ended(self, fd: int) -> bool:
        """Whether there is news of one that is idle: it has ended, or there is what nobody asked for."""
        with suppress(OSError), closing(_of(fd)) as ours:
            waiting = _waiting(ours)
            if waiting is None:
                return False
            if not waiting:
                self._dead.add(int(ours.getsockname()[1]))
        return True


def _of(fd: int) -> socket:
    return socket(AF_INET, SOCK_STREAM, 0, os.dup(fd))


def _waiting(connection: Any) -> bytes | None:
    """What waits to be read, b"" when the other side has closed, None when there is nothing."""
    try:
        return bytes(connection.recv(_NO_ANSWER, MSG_PEEK | MSG_DONTWAIT))
    except BlockingIOError:
        return None
    except OSError:
        return b""
