"""Where Chromium may connect to: it looks no name up, and knows the addresses of allowed hosts alone."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rampgate.errors import RefusedError
from rampgate.io.certificates import trusted_keys
from rampgate.io.guard import bracketed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rampgate.io.guard import Guard

_CONNECT_S = 2.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NO_UDP = ("--webrtc-ip-handling-policy", "--force-webrtc-ip-handling-policy")
"""Its name now and before: else a page's WebRTC sends packets past all rules for names."""


def switches(guard: Guard, urls: Iterable[str], closed: str) -> list[str]:
    """Command-line switches by which it connects to allowed hosts alone, whatever a page asks for.

    A name is looked up here, once, when the browser starts. A network in the list stands for the hosts of
    these addresses alone: Chromium has no rule for one.

    Args:
        guard: of where it may connect to.
        urls: of pages, and of what they ask.
        closed: ``host:port`` that refuses every connection: where all other hosts lead.

    Raises:
        RefusedError: the host of one of the addresses is not allowed.
    """
    places = [*_own(guard, urls), *_listed(guard)]
    rules = [*(_rule(host, address) for host, address, _ in places), f"MAP * {closed}"]
    policy = ["--no-proxy-server", *(f"{switch}=disable_non_proxied_udp" for switch in _NO_UDP)]
    if keys := trusted_keys(place for place in places if place[2]):
        policy.append(f"--ignore-certificate-errors-spki-list={','.join(keys)}")
    return [f"--host-resolver-rules={', '.join(dict.fromkeys(rules))}", *policy]


def _own(guard: Guard, urls: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    """Host, address, and port of TLS, 0 where there is none."""
    for url in urls:
        parts = urlsplit(url)
        host = parts.hostname or ""
        with suppress(OSError, UnicodeError):  # what does not resolve answers nowhere
            addresses = guard.resolve(host)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            address = next((each for each in addresses if _answers(each, port)), addresses[0])
            yield host, address, port if parts.scheme == "https" else 0


def _listed(guard: Guard) -> Iterator[tuple[str, str, int]]:
    for host in (*_LOOPBACK, *guard.allowed):
        with suppress(OSError, UnicodeError, RefusedError):
            yield host.lower().rstrip("."), guard.resolve(host)[0], 443


def _rule(host: str, address: str) -> str:
    """Chromium knows localhost by itself; all else is at one address."""
    return "EXCLUDE localhost" if host == "localhost" else f"MAP {host} {bracketed(address)}"


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), _CONNECT_S).close()
    except OSError:
        return False
    return True
