"""A server on loopback that does what the path says, and keeps what it was asked on which connection."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BIG = b"x" * 2_000_000


class Seen(NamedTuple):
    """One request."""

    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Scripted:
    """Answers ``/status/404``, ``/json``, ``/hang`` and so on; ``/once`` leaves a dead connection."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.seen: list[Seen] = []
        self.accepted = 0
        self.closed = threading.Semaphore(0)
        self.asked = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.chosen: dict[str, bytes] = {}
        self.answers: Callable[[Seen], tuple[bytes, bytes] | None] = lambda _: None
        self._listener = socket.create_server((host, port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._accepting = self._start(self._accept)

    def of(self, path: str) -> list[Seen]:
        """What was asked there."""
        return [request for request in self.seen if request.path == path]

    def close(self) -> None:
        """End all of it."""
        self.go_on.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            with _quietly():
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: object, *args: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]  # any callable
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        with _quietly():
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                self._open.add(connection)
                self._start(self._serve, connection, self.accepted)

    def _serve(self, connection: socket.socket, number: int) -> None:
        once = False
        with connection, _quietly():
            reader = connection.makefile("rb")
            while (head := _head(reader)) is not None:
                method, path, headers = head
                body = reader.read(int(headers.get("content-length", "0")))
                self.seen.append(request := Seen(number, method, path, headers, body))
                self.asked.release()
                if once or not self._answer(connection, method, path, self.answers(request)):
                    break
                once = path == "/once"
        self._open.discard(connection)
        self.closed.release()

    def _fail(self, connection: socket.socket, path: str) -> None:
        """What a broken server does before it closes the connection."""
        if path == "/reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif path == "/hang":
            self.go_on.wait(30)
        elif path == "/junk":
            connection.sendall(b"220 mail.example.test ESMTP\r\n")
        elif path == "/half":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    def _answer(
        self, connection: socket.socket, method: str, path: str, answer: tuple[bytes, bytes] | None
    ) -> bool:
        """Whether the connection stays."""
        if path in {"/drop", "/reset", "/hang", "/junk", "/half"}:
            self._fail(connection, path)
            return False
        status, body, headers = b"200 OK", b'{"items": [1]}', b""
        if path.startswith("/status/"):
            status = path.removeprefix("/status/").encode() + b" Told"
        elif path == "/redirect":
            status, headers = b"302 Found", b"Location: /json\r\n"
        elif path == "/big":
            body = BIG
        elif path == "/token":
            body = b'{"token": "t0ken"}'
        elif path == "/cookie":
            headers = b"Set-Cookie: session=s3; Path=/\r\n"
        elif path == "/gzip":
            body, headers = gzip.compress(body), b"Content-Encoding: gzip\r\n"
        body = self.chosen.get(path, body)
        status, body = answer or (status, body)
        head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n" % (status, len(body), headers)
        connection.sendall(head + (b"" if method == "HEAD" else body))
        return path != "/bye"


def _head(reader: object) -> tuple[str, str, dict[str, str]] | None:
    """Method, path and headers; None at the end of the connection."""
    lines: list[str] = []
    for line in reader:  # type: ignore[attr-defined]  # a socket's file
        text = line.decode("latin-1").strip()
        if not text:
            break
        lines.append(text)
    if not lines:
        return None
    method, path, _ = lines[0].split()
    pairs = (line.partition(":") for line in lines[1:])
    return method, path, {name.lower(): value.strip() for name, _, value in pairs}


@contextmanager
def _quietly() -> Iterator[None]:
    """A connection that breaks is what the tests are about."""
    with suppress(OSError):
        yield
