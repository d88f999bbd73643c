"""A client of Redis' replication protocol, just enough to be handed a snapshot (RDB).

Speaks RESP2 over TCP, TLS or a Unix socket: AUTH, REPLCONF, SYNC, and then the snapshot as it comes.
https://redis.io/docs/latest/operate/oss_and_stack/management/replication/
"""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from rampgate.backups.progress import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_CHUNK = 1 << 18
_MARK = 40
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
            StoreError: the answer is an error, or the connection ended or broke.
        """
        parts = [f"*{len(words)}\r\n".encode()]
        parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in map(str.encode, words)]
        try:
            self._stream.sendall(b"".join(parts))
        except OSError as error:
            raise StoreError(f"the connection broke: {error.strerror or error}") from None
        return self._line()

    def _line(self) -> str:
        """The next line that is not empty: while a snapshot is made, empty lines say that it goes on."""
        text = ""
        while not text:
            line = b""
            while b"\n" not in line:
                if len(line) > _LONGEST_LINE:
                    raise StoreError("it sent something that is not the protocol of Redis")
                line += self._receive()
            line, _, self._held = line.partition(b"\n")
            text = line.rstrip(b"\r").decode(errors="replace")
        if text.startswith("-"):
            raise StoreError(text[1:])
        return text

    def _receive(self) -> bytes:
        """The next bytes, at least one."""
        try:
            data = self._held or self._stream.recv(_CHUNK)
        except TimeoutError:
            raise StoreError(f"it sent nothing for {self._stream.gettimeout():g} s") from None
        except OSError as error:
            raise StoreError(f"the connection broke: {error.strerror or error}") from None
        if not data:
            raise StoreError("it ended the connection before everything was sent")
        self._held = b""
        return data

    def snapshot(self, write: Callable[[bytes], object], told: Callable[[int], object]) -> bool:
        """Be handed a snapshot.

        Args:
            write: takes its bytes.
            told: how many have come.

        Returns:
            Whether the server made it on its own disk first, where it leaves a file.

        Raises:
            StoreError: it is refused, or breaks off.
        """
        for words in (("capa", "eof"), ("rdb-only", "1")):
            with suppress(StoreError):  # an older server: it goes over its disk, and sends later writes too
                self.ask("REPLCONF", *words)
        answer = self.ask("SYNC")
        if answer.startswith("$EOF:") and len(answer) == len("$EOF:") + _MARK:
            self._until(answer[-_MARK:].encode(), write, told)
            return False
        if not answer.startswith("$") or not answer[1:].isdigit():
            raise StoreError(f"it answered SYNC with {answer[:_MARK]!r}")
        self._so_many(int(answer[1:]), write, told)
        return True

    def _so_many(self, size: int, write: Callable[[bytes], object], told: Callable[[int], object]) -> None:
        """A snapshot whose size is known; what follows are later writes."""
        done = 0
        while done < size:
            data = self._receive()[: size - done]
            write(data)
            done += len(data)
            told(done)

    def _until(self, mark: bytes, write: Callable[[bytes], object], told: Callable[[int], object]) -> None:
        """A snapshot that ends with a mark, after which the server waits for us."""
        done, held = 0, b""
        while held != mark:
            held += self._receive()
            write(held[:-_MARK])
            done += max(0, len(held) - _MARK)
            held = held[-_MARK:]
            told(done)


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
        except StoreError as error:
            raise StoreError(f"Redis refuses the account: {error}") from None
        yield wire


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
