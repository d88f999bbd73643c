"""HTTP connections go to the very addresses that the guard has checked: no name is looked up twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpcore
import httpx

from rampgate.io.certificates import certificates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rampgate.io.guard import Guard

_CONNECTIONS, _IDLE, _IDLE_S = 100, 20, 5.0
"""At most so many at a time, so many of them idle, each so long: what httpx has by default."""


class _Network(httpcore.SyncBackend):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """As httpcore has it.

        Raises:
            RefusedError: the guard refuses the host.
        """
        trouble: Exception = httpcore.ConnectError("the host has no address")
        try:
            addresses = self._guard.resolve(host)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        for address in addresses:
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                trouble = error
        raise trouble


def transport(guard: Guard) -> httpx.HTTPTransport:
    """Connections of a client, without a proxy, a password or anything else from the environment.

    Args:
        guard: of where they may go to.
    """
    made = httpx.HTTPTransport(verify=certificates(), trust_env=False)
    made._pool = httpcore.ConnectionPool(  # noqa: SLF001  # httpx hands no network on
        certificates(),
        max_connections=_CONNECTIONS,
        max_keepalive_connections=_IDLE,
        keepalive_expiry=_IDLE_S,
        network_backend=_Network(guard),
    )
    return made
