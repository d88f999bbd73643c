"""A server that closes a kept connection as the second request comes."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def closing_kept(*, read: bool, reset: threading.Event | None = None) -> Iterator[str]:
    """Its address. Each connection serves one request, and dies of the next, read or not.

    Args:
        read: whether it has read it.
        reset: the connection's end is sent first, and it is closed when this is set.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        thread = threading.Thread(target=_serve, args=(door,), kwargs={"read": read, "reset": reset})
        thread.start()
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            door.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(door: socket.socket, *, read: bool, reset: threading.Event | None) -> None:
    with suppress(OSError):
        while True:
            connection, _ = door.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(_OK)
                connection.recv(65536, 0 if read else socket.MSG_PEEK)
                if reset:
                    connection.shutdown(socket.SHUT_WR)
                    reset.wait(20)
