"""Errors of the network that lie on this machine, and say nothing about whom it wanted to ask."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import Any

_HERE = {
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOBUFS,
    errno.EADDRNOTAVAIL,
    errno.ENETDOWN,
    errno.EPERM,
    errno.EACCES,
}
_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH}
"""What this machine says that has no route, and a router on the way whose next hop is gone."""
_UNKNOWN = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
"""A resolver that answers: there is no such name. All else is a resolver that does not."""


def lies_here(number: int, host: str, sockets: Any = socket) -> bool:
    """Whether an error of a connection lies on this machine.

    Args:
        number: its errno.
        host: the name or address that was to be reached.
        sockets: the module ``socket``, or what stands for it.
    """
    return number in _HERE or (number in _NO_WAY and not _has_route(host, sockets))


def unknown_name(error: BaseException | None) -> bool:
    """Whether a resolver answered that there is no such name."""
    while error is not None:
        if isinstance(error, socket.gaierror):
            return error.errno in _UNKNOWN
        error = error.__cause__ or error.__context__
    return False


def own_trouble(error: BaseException | None, host: str) -> str:
    """Why an error and its causes lie on this machine, "" where they do not.

    Args:
        error: of a request.
        host: the name or address that was to be reached.
    """
    while error is not None:
        if isinstance(error, socket.gaierror):
            return "" if error.errno in _UNKNOWN else f"no resolver answers for {host} ({error.strerror})"
        of_tls = isinstance(error, ssl.SSLError)  # whose numbers are its own: 1 is no EPERM
        if isinstance(error, OSError) and error.errno and not of_tls and lies_here(error.errno, host):
            return os.strerror(error.errno)
        error = error.__cause__ or error.__context__
    return ""


def _has_route(host: str, sockets: Any) -> bool:
    """Whether this machine knows a way to any address of a host; nothing is sent to find out."""
    try:
        places = sockets.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    for family, kind, protocol, _, place in places:
        with sockets.socket(family, kind, protocol) as door:
            if door.connect_ex(place) == 0:
                return True
    return False
