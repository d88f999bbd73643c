"""Floor 4. A client of Redis' replication protocol, just enough to be handed a snapshot (RDB).

Speaks RESP2 over TCP, TLS or a Unix socket: AUTH, REPLCONF, SYNC, and then the snapshot as it comes.
https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
"""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rampgate.backups.progress import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_CHUNK = 1 << 18
_LONGEST_LINE = 1 << 12
_VERIFY = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class Wire:
    """One connection.

    Args:
        stream: the open socket.
    """

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._held = b""

    def ask(self, *words: str) -> str:
        """Send a command, and its one-line answer.

        Raises:
            StoreError: the answer is an error, or the connection ended.
            OSError: the connection broke.
        """
        parts = [f"*{len(words)}\r\n".encode()]
        parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in map(str.encode, words)]
        self._stream.sendall(b"".join(parts))
        return self._line()

    def _line(self) -> str:
        """The next line that is not empty: while a snapshot is made, empty lines say that it goes on."""
        while True:
            while b"\n" not in self._held:
                if len(self._held) > _LONGEST_LINE:
                    raise StoreError("Redis sent something that is not its protocol")
                self._held += self._receive()
            line, _, self._held = self._held.partition(b"\n")
            if text := line.rstrip(b"\r").decode(errors="replace"):
                if text.startswith("-"):
                    raise StoreError(text[1:])
                return text

    def _receive(self) -> bytes:
        data = self._stream.recv(_CHUNK)
        if not data:
            raise StoreError("Redis ended the connection before everything was sent")
        return data

    def snapshot(self, write: Callable[[bytes], object], told: Callable[[int, int], object]) -> int:
        """Be handed a snapshot.

        Args:
            write: takes its bytes.
            told: how many have come, of how many.

        Returns:
            How many there were.

        Raises:
            StoreError: it is refused, or breaks off.
            OSError: the connection broke.
        """
        answer = self.ask("SYNC")
        if not answer.startswith("$") or not answer[1:].isdigit():
            raise StoreError(f"Redis answered SYNC with {answer[:40]!r}")
        size, done = int(answer[1:]), 0
        while done < size:
            data = self._held or self._receive()
            write(data[: size - done])
            done += len(data[: size - done])
            self._held = b""  # what follows are later writes, not of the snapshot
            told(done, size)
        return size


@contextmanager
def connected(place: Mapping[str, Any], timeout_s: float, answer_s: float) -> Iterator[Wire]:
    """A connection that is signed in.

    Args:
        place: host, port or path, username, password, and TLS options, as redis-py reads them from a URL.
        timeout_s: for connecting.
        answer_s: for each piece of an answer.

    Raises:
        StoreError: it does not answer, or refuses the account.
    """
    try:
        stream = _open(place, timeout_s)
    except (OSError, ValueError) as error:
        raise StoreError(f"Redis does not answer: {error}") from None
    with stream:
        stream.settimeout(answer_s)
        wire = Wire(stream)
        try:
            if place.get("password"):
                account = [place["username"]] if place.get("username") else []
                wire.ask("AUTH", *account, place["password"])
            yield wire
        except TimeoutError:
            raise StoreError(f"Redis sent nothing for {answer_s:g} s") from None


def _open(place: Mapping[str, Any], timeout_s: float) -> socket.socket:
    if path := place.get("path"):
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(timeout_s)
        try:
            stream.connect(path)
        except OSError:
            stream.close()
            raise
        return stream
    host = place.get("host", "localhost")
    plain = socket.create_connection((host, place.get("port", 6379)), timeout_s)
    if not place.get("tls"):
        return plain
    try:
        return _context(place).wrap_socket(plain, server_hostname=host)
    except (OSError, ValueError):
        plain.close()
        raise


def _context(place: Mapping[str, Any]) -> ssl.SSLContext:
    """TLS as the URL asks for it; without options as strict as Python's own defaults."""
    context = ssl.create_default_context(cafile=place.get("ssl_ca_certs"), capath=place.get("ssl_ca_path"))
    if "ssl_check_hostname" in place:
        context.check_hostname = place["ssl_check_hostname"]
    if told := place.get("ssl_cert_reqs"):
        if _VERIFY[told] is not ssl.CERT_REQUIRED:
            context.check_hostname = False
        context.verify_mode = _VERIFY[told]
    if certificate := place.get("ssl_certfile"):
        context.load_cert_chain(certificate, place.get("ssl_keyfile"), place.get("ssl_password"))
    return context
