"""HTTP goes to the very addresses that the guard has checked, and no request outlasts its time-out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from rampgate.io.certificates import certificates

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from rampgate.io.guard import Guard

_CONNECTIONS, _IDLE, _IDLE_S = 100, 20, 5.0
"""At most so many at a time, so many of them idle, each so long: what httpx has by default."""


class _Stream(httpcore.NetworkStream):
    """A connection that waits no longer than its request may last: httpcore limits each silence alone."""

    def __init__(self, stream: httpcore.NetworkStream, left: Callable[[], float]) -> None:
        self._stream = stream
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # what is left counts
        return self._stream.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # as above
        self._stream.write(buffer, self._left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  # as above
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._left()), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Network(httpcore.SyncBackend):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._timeout_s = self._deadline = 0.0

    def begin(self, timeout_s: float) -> None:
        """A request begins."""
        self._timeout_s, self._deadline = timeout_s, time.monotonic() + timeout_s

    def left(self) -> float:
        """Seconds until the request must have been answered.

        Raises:
            ReadTimeout: none.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout(f"the answer had not ended after {self._timeout_s:g} s")
        return left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # as above
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """As httpcore has it; each of several addresses has an equal share of the time that is left.

        Raises:
            RefusedError: the guard refuses the host.
        """
        trouble: Exception = httpcore.ConnectError("the host has no address")
        try:
            addresses = self._guard.resolve(host)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        for tried, address in enumerate(addresses):
            share = self.left() / (len(addresses) - tried)
            try:
                made = super().connect_tcp(address, port, share, local_address, socket_options)
                return _Stream(made, self.left)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trouble = error
        raise trouble


class _Transport(httpx.HTTPTransport):
    def __init__(self, guard: Guard) -> None:
        super().__init__(verify=certificates(), trust_env=False)
        self._network = _Network(guard)
        self._pool = httpcore.ConnectionPool(
            certificates(),
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_IDLE,
            keepalive_expiry=_IDLE_S,
            network_backend=self._network,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._network.begin(request.extensions["timeout"]["read"])
        return super().handle_request(request)


def transport(guard: Guard) -> httpx.BaseTransport:
    """Connections of a client of one thread, without a proxy, a password or anything from the environment.

    A request has its time-out for everything: connecting, TLS, head and body.

    Args:
        guard: of where they may go to.
    """
    return _Transport(guard)
