"""Connections of redis-py go to the very addresses that the guard has checked, and no answer is endless."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rampgate.io.guard import Guard

_MEGABYTE = 1_000_000


class _Socket:
    """A socket that receives an answer in its time and within its size: redis-py limits each silence."""

    def __init__(self, plain: Any, most: int) -> None:
        self._plain, self._most = plain, most
        self._left, self._deadline = most, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    def begin(self, timeout_s: float) -> None:
        """An answer begins."""
        self._left, self._deadline = self._most, time.monotonic() + timeout_s

    def recv(self, *arguments: Any) -> bytes:
        data: bytes = self._received(self._plain.recv, arguments)
        self._count(len(data))
        return data

    def recv_into(self, *arguments: Any) -> int:
        size: int = self._received(self._plain.recv_into, arguments)
        self._count(size)
        return size

    def _received(self, receive: Any, arguments: tuple[Any, ...]) -> Any:
        waits, left = self._plain.gettimeout(), self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._plain.settimeout(min(waits, left))
        try:
            return receive(*arguments)
        finally:
            self._plain.settimeout(waits)

    def _count(self, size: int) -> None:
        from redis.exceptions import InvalidResponse

        self._left -= size
        if self._left < 0:
            raise InvalidResponse(f"too large: an answer is longer than {self._most / _MEGABYTE:,.0f} MB")


class _Answers:
    """What every class of connections is given: each answer ends in time, within its size, or is an error."""

    most: int

    def _connect(self) -> Any:
        return _Socket(super()._connect(), self.most)  # type: ignore[misc]  # of redis-py's class behind it

    def read_response(self, *arguments: Any, **named: Any) -> Any:
        from redis.exceptions import InvalidResponse

        here: Any = self
        if here._sock is not None:  # noqa: SLF001  # as above
            here._sock.begin(here.socket_timeout)  # noqa: SLF001
        try:
            return super().read_response(*arguments, **named)  # type: ignore[misc]  # as above
        except (MemoryError, RecursionError, ValueError) as error:
            raise InvalidResponse(f"no answer of Redis ({type(error).__name__})") from None


def connection_class(scheme: str, guard: Guard, most: int) -> type[Any]:
    """The class of connections to the addresses that the guard has checked: no name is looked up twice.

    Args:
        scheme: ``unix`` for a socket of this machine, ``rediss`` for TLS, else plain TCP.
        guard: of where it may connect to.
        most: bytes of one answer.
    """
    from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection

    class _Checked(Connection):
        def _connect(self) -> Any:
            host, trouble = self.host, OSError("the host has no address")
            try:
                for self.host in guard.resolve(host):
                    try:
                        return super()._connect()  # type: ignore[no-untyped-call]  # redis-py leaves it so
                    except OSError as error:
                        trouble = error
            finally:
                self.host = host
            raise trouble

    class _CheckedTLS(SSLConnection, _Checked):
        """TLS to the host's name: SSLConnection wraps what the class after it connects."""

    behind = {"unix": UnixDomainSocketConnection, "rediss": _CheckedTLS}.get(scheme, _Checked)
    return type(behind.__name__, (_Answers, behind), {"most": most})
