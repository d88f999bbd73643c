"""The certificates of the authorities by which targets are trusted."""

from __future__ import annotations

import os
import socket
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from rampgate.errors import ProbeError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

_CONNECT_S = 2.0
_VERSIONED, _KEY = 0xA0, 5
"""The tag of a certificate's version, which may be left out, and which field the key is without it."""


@cache
def certificates() -> ssl.SSLContext:
    """Those of SSL_CERT_FILE, else of SSL_CERT_DIR, else certifi's. Loading them costs some 20 ms.

    Raises:
        ProbeError: there are none here: no certificate of any target could be trusted.
    """
    file, folders = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    where = f"SSL_CERT_FILE={file}" if file else f"SSL_CERT_DIR={folders}" if folders else "certifi's"
    why = "there are none"
    try:
        context = httpx.create_ssl_context()
        # Those of folders are loaded when they are needed.
        if context.cert_store_stats()["x509"] or (not file and folders and _any(folders)):
            return context
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or str(error)
    raise ProbeError(f"the certificates of the authorities cannot be read here: {where}: {why}")


def _any(folders: str) -> bool:
    return any(any(each.iterdir()) for each in map(Path, folders.split(os.pathsep)) if each.is_dir())


def trusted_keys(places: Iterable[tuple[str, str, int]]) -> list[str]:
    """What Chromium is to trust, which knows nothing of an authority in SSL_CERT_FILE or SSL_CERT_DIR.

    Args:
        places: host, address and port of servers.

    Returns:
        SHA-256, in base64, of the public key of each server that has a certificate for its host of such an
        authority, and the key to it. No other server has that key; none where neither variable is set.

    Raises:
        ProbeError: the certificates of the authorities cannot be read.
    """
    if not (os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")):
        return []
    trusted = [found for place in places if (found := _certificate(certificates(), *place))]
    return list(dict.fromkeys(b64encode(sha256(_public_key(each)).digest()).decode() for each in trusted))


def _certificate(context: ssl.SSLContext, host: str, address: str, port: int) -> bytes | None:
    """That of a server, None where it is not trusted, or nothing answers."""
    try:
        with (
            socket.create_connection((address, port), _CONNECT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as encrypted,
        ):
            return encrypted.getpeercert(binary_form=True)
    except (OSError, ValueError):  # ssl.SSLError is the first, a name that no certificate can have the second
        return None


def _public_key(certificate: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate (RFC 5280, section 4.1), both in DER."""
    fields = _inside(_inside(certificate)[0])
    return fields[_KEY + (fields[0][0] == _VERSIONED)]


def _inside(element: bytes) -> list[bytes]:
    """The elements that one is made of."""
    at, end = _content(element, 0)
    found = []
    while at < end:
        _, until = _content(element, at)
        found.append(element[at:until])
        at = until
    return found


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element that begins there does, and where it ends."""
    length, begins = der[at + 1], at + 2
    if length & 0x80:  # the long form: how many bytes the length has
        begins += length & 0x7F
        length = int.from_bytes(der[at + 2 : begins])
    return begins, begins + length
