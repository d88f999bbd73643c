"""Listening: one process, one request a connection, an end for each connection."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from rampgate.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio

    from starlette.applications import Starlette

LONGEST_S = 20.0
"""A connection ends then, whatever it has sent or read."""
MOST = 256
"""Connections at a time; beyond them 503, which promotes nothing."""
MOST_HEAD = 16 * 1024
_END_S = 2


class OneRequest(H11Protocol):
    """A connection with an end: uvicorn itself waits for a request for as long as it takes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, and set the end."""
        super().connection_made(transport)
        self._end = self.loop.call_later(LONGEST_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._end.cancel()
        super().connection_lost(exc)


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises:
        ConfigurationError: it cannot.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(MOST)
    except OSError as error:
        raise ConfigurationError(
            f"--host {host} --port {port}: cannot listen there: {error.strerror}"
        ) from None
    return listening


def configured(app: Starlette) -> uvicorn.Config:
    """How uvicorn serves it."""
    return uvicorn.Config(
        app,
        http=OneRequest,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # whoever is in the middle of a request at the end is no defect
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST,
        h11_max_incomplete_event_size=MOST_HEAD,
        timeout_graceful_shutdown=_END_S,
    )


def run(app: Starlette, listening: socket.socket) -> None:
    """Answer until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(configured(app)).run(sockets=[listening])
