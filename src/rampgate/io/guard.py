"""Where we may go: an allow-list that is checked on the address that a socket connects to."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import httpx

from rampgate.clock import Clock, SystemClock
from rampgate.errors import ConfigurationError, RefusedError
from rampgate.io.own_trouble import unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK = ("localhost", "127.0.0.0/8", "::1")
"""What is allowed unless the settings say more."""
_LOOPBACK_NETWORKS: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1"))
_CACHE_S = 5.0


def only(url: str) -> Guard:
    """A guard of the hosts that this address names: somebody has named them, and for this alone."""
    return Guard(_hosts_in(url))


def addresses_of(host: str, look_up: Callable[..., Any] | None = None) -> tuple[Address, ...]:
    """Every address that a host name resolves to, none when it does not resolve.

    Args:
        host: a name or an address.
        look_up: what to ask in place of ``socket.getaddrinfo``.
    """
    try:
        found = (look_up or socket.getaddrinfo)(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple({_plain(ipaddress.ip_address(str(entry[4][0]).split("%")[0])): None for entry in found})


class Guard:
    """Refuses every host that resolves to an address outside the allow-list.

    Args:
        allowed: host names, addresses, and networks in CIDR form. A name stands for the addresses that it
            resolves to when asked; ``localhost`` stands for loopback, whatever it resolves to.
        resolve: host -> its addresses; a resolution is kept for five seconds.
        clock: for the age of a resolution.

    Raises:
        ConfigurationError: an entry is none of these.
    """

    def __init__(
        self,
        allowed: Sequence[str] = LOOPBACK,
        *,
        resolve: Callable[[str], Sequence[Address]] = addresses_of,
        clock: Clock | None = None,
    ) -> None:
        self.allowed = tuple(allowed)
        self._resolve = resolve
        self._clock = clock or SystemClock()
        self._cache: dict[str, tuple[float, Sequence[Address]]] = {}
        self._networks: list[Network] = []
        self._names: list[str] = []
        for entry in self.allowed:
            self._admit(entry)

    def check(self, url_or_host: str) -> None:
        """Return when every address of the host is allowed. A MongoDB address may name several hosts.

        Raises:
            RefusedError: it names no host, does not resolve, or one of its addresses is not allowed.
        """
        hosts = _hosts_in(url_or_host)
        if not hosts:
            raise RefusedError(f"no host to be checked against allowed_hosts ({self._listing()})")
        for host in hosts:
            self._check_host(host)

    def check_address(self, address: str) -> None:
        """Return when one address, to which a connection is about to be made, is allowed.

        Raises:
            RefusedError: it is not, or it is no address.
        """
        try:
            plain = _plain(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            raise RefusedError(f"{address!r} is no address; allowed_hosts: {self._listing()}") from None
        if not self._allows(plain):
            raise RefusedError(
                f"the target resolves to {plain}, which is not allowed; allowed_hosts: {self._listing()}"
            )

    def resolve(self, host: str) -> tuple[str, ...]:
        """The addresses of a host, looked up once, each allowed: connect to these, and to no name.

        An allowed name stands for whatever it resolves to, ``localhost`` for loopback alone.

        Raises:
            RefusedError: one of them is not allowed, or there is no such name, and it is not an allowed one.
            OSError: it does not resolve.
        """
        listed = host.lower().rstrip(".") in self._names
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError as error:
            if listed or not unknown_name(error):
                raise
            raise RefusedError(
                f"{host!r} resolves to no address, and is not listed; allowed_hosts: {self._listing()}"
            ) from None
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not listed:
            for address in addresses:
                self._check_one(host, _plain(ipaddress.ip_address(address.partition("%")[0])))
        return addresses

    def _check_host(self, host: str) -> None:
        """Raise RefusedError unless every address of this one host is allowed."""
        addresses = self._addresses(host)
        if not addresses:
            raise RefusedError(f"{host!r} resolves to no address; allowed_hosts: {self._listing()}")
        for address in addresses:
            self._check_one(host, address)

    def _check_one(self, host: str, address: Address) -> None:
        if not self._allows(address):
            raise RefusedError(
                f"{host!r} resolves to {address}, which is not allowed; allowed_hosts: {self._listing()}"
            )

    def _admit(self, entry: str) -> None:
        """File one entry of the allow-list under networks or names."""
        if entry.lower() == "localhost":
            self._networks.extend(_LOOPBACK_NETWORKS)
            return
        try:
            self._networks.append(ipaddress.ip_network(entry, strict=False))
        except ValueError:
            if not entry or any(mark in entry for mark in "/:@ \\"):
                raise ConfigurationError(
                    f"allowed_hosts: found {entry!r}; accepted are host names, addresses, "
                    "and networks such as 10.0.0.0/8"
                ) from None
            self._names.append(entry.lower().rstrip("."))

    def _allows(self, address: Address) -> bool:
        """Whether an address lies in an allowed network or belongs to an allowed name."""
        return any(address in network for network in self._networks) or any(
            address in self._addresses(name) for name in self._names
        )

    def _addresses(self, host: str) -> Sequence[Address]:
        """The addresses of a host, from the cache while they are fresh."""
        key = host.lower().rstrip(".")
        kept = self._cache.get(key)
        if kept is None or self._clock.monotonic() - kept[0] > _CACHE_S:
            kept = (self._clock.monotonic(), [_plain(address) for address in self._resolve(key)])
            self._cache[key] = kept
        return kept[1]

    def _listing(self) -> str:
        """The allow-list for a message."""
        return ", ".join(self.allowed) or "nothing"


def bracketed(address: str) -> str:
    """An address as it stands before a port."""
    return f"[{address}]" if ":" in address else address


def _plain(address: Address) -> Address:
    """An IPv4 address in IPv6 clothes is an IPv4 address."""
    return getattr(address, "ipv4_mapped", None) or address


def _hosts_in(url_or_host: str) -> list[str]:
    """The hosts that an address names; [] when it names none."""
    if "://" not in url_or_host:
        return [_without_port(url_or_host)] if url_or_host else []
    try:
        parts = urlsplit(url_or_host)
    except ValueError:
        return []
    if parts.scheme in ("http", "https"):
        try:
            host = httpx.URL(url_or_host).raw_host.decode("ascii")  # the host that httpx will connect to
        except httpx.InvalidURL:
            return []
        return [host] if host else []
    return [_without_port(part) for part in parts.netloc.rpartition("@")[2].split(",") if part]


def _without_port(part: str) -> str:
    """``host:port``, ``[v6]:port`` or either without its port -> host."""
    if part.startswith("["):
        return part[1:].partition("]")[0]
    return part.partition(":")[0] if part.count(":") == 1 else part
