from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.unit.fakes import FakeClock

from rampgate.errors import ConfigurationError, RefusedError
from rampgate.io.guard import Guard
from rampgate.io.http import RUN_HEADER, ask, client

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.io.guard import Address

NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "staging.test": ["10.0.0.5", "10.0.0.6"],
    "half.test": ["127.0.0.1", "192.0.2.9"],
    "evil.test": ["192.0.2.9"],
    "sneaky.test": ["127.0.0.1"],
}


def resolve(host: str) -> list[Address]:
    """A resolver with known names; an address resolves to itself."""
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        return [ipaddress.ip_address(address) for address in NAMES.get(host, [])]


def guard(*allowed: str) -> Guard:
    """A guard over the known names."""
    return Guard(allowed, resolve=resolve) if allowed else Guard(resolve=resolve)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:5000/api",
        "http://localhost:5000",
        "http://LOCALHOST.:5000",
        "http://[::1]:5000/",
        "http://[::ffff:127.0.0.1]/",
        "localhost",
        "localhost:27017",
        "[::1]:6379",
        "::1",
        "127.9.9.9",
        "redis://:secret@127.0.0.1:6379/0",
        "mongodb://user:p%40ss@127.0.0.1:27017,localhost:27018/db?replicaSet=r",
        "http://sneaky.test/",
    ],
)
def test_loopback_is_allowed_by_default(address: str) -> None:
    """Load on the own machine needs no setting, however its address is written."""
    guard().check(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://192.0.2.9/",
        "http://evil.test/",
        "http://half.test/",
        "http://0.0.0.0:5000/",
        "http://127.0.0.1@evil.test/",
        "http://evil.test#@127.0.0.1/",
        "http://evil.test?@127.0.0.1/",
        "http://[::ffff:192.0.2.9]/",
        "mongodb://127.0.0.1:27017,evil.test:27017/db",
        "mongodb://127.0.0.1,@evil.test/db",
        "redis://localhost@evil.test:6379",
        "http://no-such-host.test/",
        "http://",
        "http://[::1",
        "unix:///var/run/redis.sock",
        "",
    ],
)
def test_anything_else_is_refused_by_default(address: str) -> None:
    """One address outside the allow-list, or none at all, is enough to refuse."""
    with pytest.raises(RefusedError):
        guard().check(address)


def test_refusal_names_host_address_and_what_is_allowed() -> None:
    """Whoever is refused sees why, and which setting to change."""
    with pytest.raises(RefusedError) as refused:
        guard("localhost", "10.0.0.0/8").check("http://half.test/")
    for part in ("half.test", "192.0.2.9", "allowed_hosts", "localhost, 10.0.0.0/8"):
        assert part in str(refused.value)


def test_one_address_is_checked_where_a_connection_is_made() -> None:
    """What a name resolves to at that moment counts, in whatever form the address comes."""
    allowed = guard("localhost", "staging.test")
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.5"):
        allowed.check_address(address)
    for address in ("192.0.2.9", "::ffff:192.0.2.9", "fe80::1%lo", "/run/x.sock", ""):
        with pytest.raises(RefusedError, match=r"allowed_hosts: localhost, staging\.test"):
            allowed.check_address(address)


@pytest.mark.parametrize("entry", ["staging.test", "10.0.0.0/8", "10.0.0.5/8"])
def test_names_and_networks_may_be_allowed(entry: str) -> None:
    """A name stands for its addresses, a network for all of its own; loopback then needs its own entry."""
    allowed = guard(entry)
    allowed.check("http://staging.test/")
    with pytest.raises(RefusedError):
        allowed.check("http://localhost/")


def test_localhost_means_loopback_whatever_it_resolves_to() -> None:
    """A poisoned hosts file does not open the door."""

    def poisoned(_host: str) -> list[Address]:
        return [ipaddress.ip_address("192.0.2.9")]

    with pytest.raises(RefusedError):
        Guard(["localhost"], resolve=poisoned).check("http://localhost/")


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "http://staging.test", "a b", "", "host:80"])
def test_an_entry_that_is_none_is_a_configuration_error(entry: str) -> None:
    """A typing error in the allow-list is told, not taken for a host name."""
    with pytest.raises(ConfigurationError, match="allowed_hosts"):
        guard(entry)


def test_resolution_is_kept_for_seconds_only() -> None:
    """A load does not resolve per request, and a name that moves away is refused soon."""
    clock = FakeClock()
    asked: list[str] = []

    def moving(host: str) -> list[Address]:
        asked.append(host)
        return [ipaddress.ip_address("127.0.0.1" if len(asked) == 1 else "192.0.2.9")]

    moved = Guard(resolve=moving, clock=clock)
    moved.check("http://moving.test/")
    moved.check("http://moving.test/")
    assert asked == ["moving.test"]
    clock.time += 6
    with pytest.raises(RefusedError):
        moved.check("http://moving.test/")


def unknown(*_arguments: object, **_named: object) -> list[object]:
    """A resolver that answers: there is no such name."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_name_that_does_not_exist_is_refused_unless_it_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is at no allowed address; a listed one is a target that has no address, and that is its fault."""
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(RefusedError, match=r"'stagin.test' resolves to no address, .*; allowed_hosts: 127"):
        Guard(["127.0.0.1"]).resolve("stagin.test")
    with pytest.raises(socket.gaierror):
        Guard(["Stagin.test"]).resolve("stagin.test")
    refused, listed = (
        client("http://stagin.test", run_id="r", timeout_s=2, guard=Guard([host]))
        for host in ("127.0.0.1", "stagin.test")
    )
    with refused, pytest.raises(RefusedError):
        ask(refused, "GET", "/")
    with listed:
        assert ask(listed, "GET", "/").error == "the name does not exist"


def test_a_resolver_that_does_not_answer_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the name may be is then not known: that is trouble of this machine."""

    def silent(*_arguments: object, **_named: object) -> list[object]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    with pytest.raises(socket.gaierror):
        Guard(["127.0.0.1"]).resolve("stagin.test")


def test_real_resolver_knows_localhost_and_no_invalid_name() -> None:
    """The resolver of the machine is what stands behind the default."""
    Guard().check("http://localhost:1/")
    with pytest.raises(RefusedError, match="resolves to no address"):
        Guard().check("http://nowhere.invalid/")


@pytest.mark.parametrize("spoil", [dict, lambda: {RUN_HEADER.lower(): "x", "user-agent": "x", "a": "b"}])
def test_every_request_names_its_run(spoil: Callable[[], dict[str, str]]) -> None:
    """The owner of a target can tell our requests, whatever further headers the settings add."""
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"location": "/away"})

    transport = httpx.MockTransport(handler)
    with client("http://t.test", run_id="run-7", timeout_s=1, headers=spoil(), transport=transport) as http:
        assert http.get("/").status_code == 302
    assert len(seen) == 1
    assert seen[0].headers.get_list("x-rampgate-run") == ["run-7"]
    assert seen[0].headers["user-agent"].startswith("rampgate/")


def test_proxy_settings_of_the_environment_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would answer in place of the target, and would undo the guard."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:1")
    with client("http://t.test", run_id="r", timeout_s=1) as http:
        assert not any(http._mounts.values())
