"""Reading stays on the target: two real servers, the first of which sends everybody to the second."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.unit.fakes import FakeClock, context, received, send_json, serving

from rampgate.checks import pages, version
from rampgate.checks.endpoints import EndpointSettings
from rampgate.checks.flag_service.probe import FlagProbe
from rampgate.checks.flag_service.request import FlagRequest
from rampgate.checks.flag_service.users import fresh_users
from rampgate.checks.latency.asking import Connections, send
from rampgate.checks.pages import PageSettings
from rampgate.checks.running_version.settings import VersionSettings
from rampgate.checks.sources import json_address
from rampgate.checks.sources.json_address import JsonAddress
from rampgate.config.subjects import LoginSettings
from rampgate.errors import ProbeError
from rampgate.io.http import client, get_here, site_of
from rampgate.probes.http import HealthProbe
from rampgate.probes.sign_in import sign_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler

    import httpx


class Sites(NamedTuple):
    """The target, another site, and what the other site was asked for."""

    target: str
    other: str
    asked: list[str]

    def client(self) -> httpx.Client:
        """A client of the target, with a secret of its settings."""
        return client(self.target, run_id="r", timeout_s=5, headers={"X-Secret": "canary"})


@pytest.fixture
def sites() -> Iterator[Sites]:
    """Both on loopback addresses of their own ports."""
    asked: list[str] = []

    def keep(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        send_json(handler, 200, {"version": "1.4.0", "enabled": True, "value": 1})

    with serving(keep) as other:

        def lead(handler: BaseHTTPRequestHandler) -> None:
            received(handler)
            inside = {"/in": "/deep?x=1", "/deep?x=1": "end", "/round": "/round", "/odd": "http://[x/"}
            if handler.path == "/end":
                send_json(handler, 200, {})
                return
            handler.send_response(302)
            handler.send_header("Location", inside.get(handler.path, f"{other}{handler.path}"))
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        with serving(lead) as target:
            yield Sites(target, other, asked)


LIST = EndpointSettings(name="list", path="/list")
LOGIN = LoginSettings(path="/signin", body={"password": "canary"})
VERSION = VersionSettings(path="/version", connections=2, expected="1.4.0")
LOOKS: dict[str, Callable[[Sites, httpx.Client], float | None]] = {
    "health": lambda s, _: HealthProbe(s.client, "/health", "api", FakeClock()).measure()[0].value,
    "page": lambda s, _: pages.measure(PageSettings(name="home", path="/page"), context(s.client))[0].value,
    "sign-in": lambda _, http: sign_in(http, LOGIN)[0].value,
    "plain GET": lambda _, http: float(get_here(http, "/page").ok),
    "endpoint": lambda s, _: _answered(Connections(s.client)),
}


def _answered(connections: Connections) -> float:
    """1 when a request of an endpoint counts as answered."""
    failed = send(LIST, connections, 5.0).error
    connections.close()
    return float(not failed)


@pytest.mark.parametrize("name", LOOKS)
def test_a_redirect_to_another_site_is_not_followed(sites: Sites, name: str) -> None:
    """The other site is never asked, though it answers well, and the target is not up because of it."""
    with sites.client() as http:
        assert LOOKS[name](sites, http) == 0
    assert sites.asked == []


def test_version_metric_and_flag_are_not_read_elsewhere(sites: Sites) -> None:
    """What another site tells is no evidence about the target: nothing is known, nobody else was asked."""
    seen = version.measure(VERSION, context(sites.client))[0]
    assert (seen.value, seen.details["versions"]) == (None, {})
    with pytest.raises(ProbeError, match="HTTP 302"):
        json_address.measure(JsonAddress(name="rows", path="/metric", value="value"), context(sites.client))
    decided = FlagProbe(sites.client, FlagRequest(path="/flags/{flag}?user={user}")).decisions(
        ["f"], fresh_users(3)
    )
    assert list(decided["f"]) == [None] * 3
    assert sites.asked == []


def test_redirects_within_the_site_are_followed(sites: Sites) -> None:
    """With their query; a circle comes to an end, and an address that is none is not asked."""
    with sites.client() as http:
        assert get_here(http, "/in").status == 200
        assert get_here(http, "/round").status is None
        assert get_here(http, "/odd").status == 302


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("http://a.test/x", "http://A.test:80/y?z", True),
        ("http://a.test", "https://a.test", False),
        ("http://a.test", "http://a.test:81", False),
        ("http://127.0.0.1:1", "http://127.0.0.2:1", False),
        ("http://a.test", "http://a.test.evil.test", False),
        ("http://a.test", "http://a.test@evil.test", False),
    ],
)
def test_a_site_is_scheme_host_and_port(one: str, two: str, *, same: bool) -> None:
    """Two addresses are of one site only when all three agree, however they are written."""
    assert (site_of(one) == site_of(two)) is same
