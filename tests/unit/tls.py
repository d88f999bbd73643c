"""An authority of one's own, whose certificates no machine trusts that was not told to."""

from __future__ import annotations

import ssl
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Pair(NamedTuple):
    """A certificate, and the key to it."""

    certificate: Path
    key: Path


class Authority:
    """It signs certificates.

    Args:
        folder: where its files are made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pair = self._made("authority", "rsa:2048", "-subj", "/CN=an authority of a test")

    @property
    def file(self) -> Path:
        """Its own certificate: what SSL_CERT_FILE names."""
        return self._pair.certificate

    def certificate(self, address: str, kind: str = "rsa:2048") -> Pair:
        """One for a server at an IP address."""
        signed = ["-CA", str(self._pair.certificate), "-CAkey", str(self._pair.key), "-subj", "/CN=a server"]
        return self._made("server", kind, *signed, "-addext", f"subjectAltName=IP:{address}")

    def _made(self, name: str, kind: str, *options: str) -> Pair:
        made = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        curve = ["-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else []
        new = ["openssl", "req", "-x509", "-newkey", kind, *curve, "-nodes", "-days", "2", *options]
        files = ["-keyout", str(made.key), "-out", str(made.certificate)]
        subprocess.run([*new, *files], check=True, capture_output=True)
        return made


def encrypted(pair: Pair) -> ssl.SSLContext:
    """What a server speaks TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context
