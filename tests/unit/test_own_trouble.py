"""What lies on the machine that asks is no evidence against whom it wanted to ask."""

from __future__ import annotations

import errno
import re
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rampgate.errors import ProbeError
from rampgate.io.certificates import certificates
from rampgate.io.http import client
from rampgate.io.own_trouble import lies_here, own_trouble

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EHOSTUNREACH])
def test_a_host_that_cannot_be_reached_though_there_is_a_route_is_evidence(number: int) -> None:
    """A router on the way says so, or nobody on its network: here there is a route."""
    assert not lies_here(number, "127.0.0.1")


def test_a_certificate_that_is_not_trusted_is_evidence() -> None:
    """Those who use the service do not trust it either; the number of its error is not one of the system."""
    refused = ssl.SSLCertVerificationError(1, "certificate verify failed: certificate has expired")
    assert own_trouble(refused, "127.0.0.1") == ""


NO_ROUTE = """
from rampgate.errors import ProbeError
from rampgate.io.guard import only
from rampgate.io.http import ask, client
with client("{url}", run_id="r", timeout_s=5, guard=only("{url}")) as http:
    try:
        print(ask(http, "GET", "/").trouble)
    except ProbeError as error:
        print("ours:", error)
"""


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://203.0.113.7", "http://[::1]:9"])
def test_a_machine_without_a_network_accuses_nobody(url: str) -> None:
    """The interface is down, there is no route: nothing could be sent from here."""
    command = ["unshare", "--net", "--map-root-user", sys.executable, "-c", NO_ROUTE.format(url=url)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "unshare failed" in done.stderr:
        pytest.skip("this machine makes no network namespaces")
    assert done.stdout.startswith("ours: GET / could not be sent from here: "), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("variable", "content"), [("SSL_CERT_FILE", None), ("SSL_CERT_FILE", "nothing"), ("SSL_CERT_DIR", None)]
)
def test_without_certificates_of_authorities_nobody_is_accused(
    variable: str, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is missing, empty or unreadable here says nothing about whose certificate is shown."""
    store = tmp_path / "store"
    if content is not None:
        store.write_text(content, encoding="utf-8")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(store))
    certificates.cache_clear()
    with pytest.raises(ProbeError, match=rf"cannot be read here: {variable}={re.escape(str(store))}: "):
        client("https://target.test", run_id="r", timeout_s=5)
    certificates.cache_clear()
