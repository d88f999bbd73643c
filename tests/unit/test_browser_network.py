"""What Chromium is told of the network."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from rampgate.errors import RefusedError
from rampgate.io.browser_network import switches
from rampgate.io.guard import Guard

NAMES = {"shop.test": ["10.0.0.7", "10.0.0.8"], "six.test": ["fd00::1"], "evil.test": ["192.0.2.1"]}
CLOSED = "127.0.0.1:4"


@pytest.fixture(autouse=True)
def _resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    known = socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: Any, **named: Any) -> Any:
        return [entry for one in NAMES.get(host, [host]) for entry in known(one, *arguments, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(socket, "create_connection", lambda *_: (_ for _ in ()).throw(OSError))


def rules(allowed: list[str], *urls: str) -> list[str]:
    """The rules for names, in order."""
    first = switches(Guard(allowed), urls, CLOSED)[0]
    return first.removeprefix("--host-resolver-rules=").split(", ")


def test_by_default_a_browser_knows_this_machine_alone() -> None:
    """All other names and addresses lead to a port that refuses."""
    here = ["EXCLUDE localhost", "MAP 127.0.0.1 127.0.0.1", "MAP ::1 [::1]"]
    assert rules(["localhost", "127.0.0.0/8", "::1"]) == [*here, f"MAP * {CLOSED}"]


def test_what_is_allowed_is_looked_up_before_the_browser_starts() -> None:
    """A page's own host, and the names in the list, each at one of the addresses that were checked."""
    found = rules(["10.0.0.0/8", "six.test", "nowhere.invalid", "*"], "https://shop.test/x")
    assert found == ["MAP shop.test 10.0.0.7", "MAP six.test [fd00::1]", f"MAP * {CLOSED}"]


def test_a_page_elsewhere_starts_no_browser() -> None:
    """It is refused with what would have to be allowed."""
    with pytest.raises(RefusedError, match=r"'evil\.test' resolves to 192\.0\.2\.1"):
        switches(Guard(["10.0.0.0/8"]), ["http://evil.test/"], CLOSED)
