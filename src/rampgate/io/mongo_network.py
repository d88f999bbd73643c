"""Connections of pymongo, whoever names the server, go to the very addresses that the guard has checked."""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from rampgate.errors import RefusedError

if TYPE_CHECKING:
    from rampgate.io.guard import Guard

_reach: ContextVar[Reach] = ContextVar("reach")
_SOCKET = ".sock"


class Reach:
    """Where one client may connect to.

    Args:
        guard: of that.
    """

    def __init__(self, guard: Guard) -> None:
        self.refused = ""
        """Why it was refused a server, "" when it was not."""
        self._guard = guard

    def resolve(self, host: str) -> tuple[str, ...]:
        """As the guard's.

        Raises:
            RefusedError: as the guard; kept in ``refused``.
            OSError: it does not resolve.
        """
        try:
            return self._guard.resolve(host)
        except RefusedError as error:
            self.refused = self.refused or str(error)
            raise


def pool_class(reach: Reach) -> type[Any]:
    """The class of connection pools for a client, those of its monitors included.

    Args:
        reach: of the client. A server that is refused is as one that cannot be connected to.
    """
    from pymongo.synchronous.pool import Pool

    _install()

    class _Pool(Pool):
        def connect(self, *arguments: Any, **named: Any) -> Any:
            token = _reach.set(reach)
            try:
                return super().connect(*arguments, **named)
            finally:
                _reach.reset(token)

    return _Pool


@cache
def _install() -> None:
    """Let pymongo ask, as it connects for a pool of ours; for all others nothing changes."""
    from pymongo import pool_shared

    plainly = pool_shared._create_connection  # noqa: SLF001  # there is no other place between name and socket

    def create_connection(address: tuple[str, int | None], options: Any) -> Any:
        reach, trouble = _reach.get(None), OSError("the host has no address")
        if reach is None or address[0].endswith(_SOCKET):
            return plainly(address, options)
        for checked in reach.resolve(address[0]):
            try:
                return plainly((checked, address[1]), options)
            except OSError as error:
                trouble = error
        raise trouble

    pool_shared._create_connection = create_connection  # noqa: SLF001  # as above
