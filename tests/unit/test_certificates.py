"""Authorities of one's own: what a browser is to trust that knows none of them."""

from __future__ import annotations

import ssl
import subprocess
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from tests.unit.fakes import send_json, serving
from tests.unit.tls import Authority, encrypted

from rampgate.io.browser_network import switches
from rampgate.io.certificates import certificates, trusted_keys
from rampgate.io.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SWITCH = "--ignore-certificate-errors-spki-list="


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One of our own."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, authority: Authority) -> Iterator[None]:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    certificates.cache_clear()
    yield
    certificates.cache_clear()


def key_of(certificate: Path) -> str:
    """As OpenSSL reads it."""
    asked = ["openssl", "x509", "-in", str(certificate), "-noout", "-pubkey"]
    pem = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    return b64encode(
        sha256(ssl.PEM_cert_to_DER_cert(pem.replace("PUBLIC KEY", "CERTIFICATE"))).digest()
    ).decode()


@pytest.mark.parametrize("kind", ["rsa:2048", "ec"])
def test_the_key_of_a_server_with_a_certificate_of_that_authority_is_trusted(
    authority: Authority, kind: str
) -> None:
    """Its own key and no other: whoever shows it has it, which is not so of an authority's."""
    made = authority.certificate("127.0.0.1", kind)
    with serving(lambda handler: send_json(handler, 200, {}), tls=encrypted(made)) as url:
        (switch,) = [each for each in switches(Guard(), [url], "127.0.0.1:4") if each.startswith(SWITCH)]
    assert switch == SWITCH + key_of(made.certificate)


@pytest.mark.parametrize("wrong", ["another authority", "another name", "no TLS", "variable not set"])
def test_no_other_key_is_trusted(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """Then Chromium says of the certificate what it would say without us."""
    signs = Authority(tmp_path) if wrong == "another authority" else authority
    made = signs.certificate("127.0.0.2" if wrong == "another name" else "127.0.0.1")
    if wrong == "variable not set":
        monkeypatch.delenv("SSL_CERT_FILE")
    tls = None if wrong == "no TLS" else encrypted(made)
    with serving(lambda handler: send_json(handler, 200, {}), tls=tls) as url:
        assert trusted_keys([("127.0.0.1", "127.0.0.1", int(url.rpartition(":")[2]))]) == []
