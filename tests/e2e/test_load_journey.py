"""The users of the journey under Locust's own runner, each test in a process of its own."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections import Counter
from http.cookies import SimpleCookie
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from tests.e2e.scripted_server import Scripted, Seen
from tests.unit.fakes import serving

from rampgate.load.table import BAD, CUT, GOOD, NO_COHORT, OFF, ON, SIGN_IN, UNREAD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

ENDPOINTS = [
    {"name": "once", "path": "/json", "load": True},
    {"name": "thrice", "path": "/status/200", "load": True, "weight": 3},
    {"name": "seldom", "path": "/status/503", "load": True, "weight": 0.25, "sign_in": False},
]


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A server."""
    scripted = Scripted()
    yield scripted
    scripted.close()


def told(
    server: Any, accounts: list[dict[str, Any]] | None = None, stop_timeout: int = 20, **settings: Any
) -> dict[str, Any]:
    """What the users told."""
    base = {
        "target": {"api": server.url, "timeout": "20s"},
        "login": {"path": "/token", "body": {"email": "one@x.test", "password": "canary-one"}},
        "endpoints": ENDPOINTS,
        "load": {"pause": 0.01},
    }
    command = [sys.executable, "-m", "tests.e2e.journey_alone", json.dumps({**base, **settings})]
    done = subprocess.run(
        [*command, json.dumps(accounts or []), str(stop_timeout)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_weights_say_how_often_an_endpoint_is_asked(server: Scripted) -> None:
    """Weight 3 is three requests a visit, 0.25 one in every fourth on average; 503 is a failure."""
    said = told(server)
    asked = Counter(row["endpoint"] for row in said["rows"])
    assert asked[SIGN_IN] == 1, "the account that they share signs in once"
    assert asked[0] >= 40
    assert asked[1] == 3 * asked[0]
    assert 0 < asked[2] < 0.6 * asked[0]
    assert {row["status"] for row in said["rows"] if row["endpoint"] == 2} == {503}
    assert {row["cohort"] for row in said["rows"]} == {NO_COHORT}
    failed = [event["error"] for event in said["events"] if event["name"] == "seldom"]
    assert set(failed) == {"HTTP 503"}
    assert said["counted"] == [len(said["rows"]), asked[2]]


def test_every_request_is_told_once_to_recorder_and_listeners(server: Scripted) -> None:
    """What the server was asked, what was recorded and what Locust's listeners heard is the same."""
    said = told(server)
    assert len(said["rows"]) == len(said["events"]) == len(server.seen)
    for row, event in zip(said["rows"], said["events"], strict=True):
        assert event["response_time"] == pytest.approx(row["duration_ms"], abs=1e-3), "without connecting"
    assert {event["name"] for event in said["events"]} == {"sign-in", "once", "thrice", "seldom"}
    assert (said["troubles"], said["left"]) == ([], 0)
    assert {request.headers["x-rampgate-run"] for request in server.seen} == {"r1"}


def test_a_sample_of_bodies_is_checked_and_asked_for_like_the_others(server: Scripted) -> None:
    """Some answers of an endpoint with a check are read, unpacked and checked; no request shows which."""
    server.chosen["/json"] = b"{}"
    endpoints = [
        {"name": name, "path": path, "load": True, "body": "items"}
        for name, path in (("good", "/gzip"), ("empty", "/json"), ("large", "/big"))
    ]
    endpoints.append({"name": "free", "path": "/status/204", "load": True})
    said = told(server, endpoints=endpoints, load={"pause": 0.01, "users": 1, "ramp_up": 0, "plateau": 200})
    found = {index: {row["body"] for row in said["rows"] if row["endpoint"] == index} for index in range(4)}
    assert found == {0: {UNREAD, GOOD}, 1: {UNREAD, BAD}, 2: {UNREAD, BAD}, 3: {UNREAD}}
    assert said["facts"]["body_failure_rate"] == {
        "1": "items is missing",
        "2": "the body is not JSON: Expecting value at character 1",
    }
    assert {row["status"] for row in said["rows"]} == {200, 204}, "a bad body is no failed request"
    asked = {tuple(sorted(request.headers.items())) for request in server.seen if request.path != "/token"}
    assert len(asked) == 1


def test_signed_in_requests_carry_the_token(server: Scripted) -> None:
    """The token of the sign-in goes with the endpoints that want one, and with no other."""
    told(server)
    tokens = {request.path: request.headers.get("authorization") for request in server.seen}
    assert tokens == {
        "/token": None,
        "/json": "Bearer t0ken",
        "/status/200": "Bearer t0ken",
        "/status/503": None,
    }


def test_an_endpoint_may_be_asked_by_post_under_load(server: Scripted) -> None:
    """The same JSON each time, with the headers of the endpoint."""
    sent = {"query": "{ items { id } }"}
    query = {"name": "query", "path": "/json", "method": "POST", "send": sent, "load": True, "body": "items"}
    said = told(server, allow_writes=True, endpoints=[{**query, "headers": {"X-Tenant": "one"}}])
    asked = server.of("/json")
    assert {(request.method, request.headers["x-tenant"]) for request in asked} == {("POST", "one")}
    assert all(json.loads(request.body) == sent for request in asked)
    assert {row["status"] for row in said["rows"] if row["endpoint"] == 0} == {200}


class CookieSite:
    """A site below /shop that knows its users by a cookie alone, which a form or JSON brings."""

    def __init__(self) -> None:
        self.opened = 0
        self.refused = 0
        self.lasts = 10**6
        self.bodies: list[str] = []

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        cookies = SimpleCookie(handler.headers.get("Cookie", ""))
        if handler.path == "/shop/login" and handler.command == "GET":
            form = '<form action="session" method=post><input type=hidden name=csrf value=c1>'
            self._send(
                handler, 200, form + "<input type=password name=password></form>", "csrf=c1; Path=/shop"
            )
        elif handler.path in {"/shop/session", "/shop/json"}:
            self.bodies.append(body)
            fields = dict(parse_qsl(body)) if handler.path.endswith("session") else json.loads(body)
            forged = (
                handler.path.endswith("session") and not fields.get("csrf") == cookies["csrf"].value == "c1"
            )
            if forged or fields["password"] != "canary-one":
                self._send(handler, 302, "", location="/shop/login?error")
                return
            self.opened += 1
            self._send(handler, 303, "", f"sid=s{self.opened}; Path=/shop; HttpOnly", location="/shop/")
        else:
            session = cookies["sid"].value if "sid" in cookies else ""
            self.lasts -= session == "s1"
            mine = handler.path == "/shop/" or handler.headers["X-Tenant"] == "one"
            known = mine and bool(session) and (session != "s1" or self.lasts > 0)
            self.refused += not known
            if known:
                self._send(handler, 200, "{}")
            else:
                self._send(handler, 302, "", location="/shop/login?next=mine")

    @staticmethod
    def _send(
        handler: BaseHTTPRequestHandler, status: int, body: str, cookie: str = "", location: str = ""
    ) -> None:
        handler.send_response(status)
        for name, value in (("Set-Cookie", cookie), ("Location", location), ("Content-Type", "text/html")):
            if value:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body.encode())


def at_cookie_site(site: CookieSite, password: str = "canary-one", **login: Any) -> dict[str, Any]:
    """What users told who signed in there and asked for a page of theirs."""
    asked = {"name": "mine", "path": "/mine", "load": True, "headers": {"X-Tenant": "one"}}
    body = {"user": "a", "password": password}
    with serving(site) as address:
        return told(SimpleNamespace(url=f"{address}/shop"), login={"body": body, **login}, endpoints=[asked])


@pytest.mark.parametrize(
    "login",
    [{"path": "/login", "encoding": "form"}, {"path": "/json", "cookie": "sid"}],
    ids=["form", "json"],
)
def test_users_may_have_a_cookie_for_their_session(login: dict[str, Any]) -> None:
    """By a form with its CSRF field or by JSON, below a path: all that they ask carries the cookie."""
    site = CookieSite()
    said = at_cookie_site(site, **login)
    asked = [row["status"] for row in said["rows"] if row["endpoint"] == 0]
    assert set(asked) == {200}
    assert (site.opened, site.refused) == (1, 0)
    assert [row["status"] for row in said["rows"] if row["endpoint"] == SIGN_IN] == [303]


@pytest.mark.parametrize(
    "login",
    [{"path": "/login", "encoding": "form"}, {"path": "/json", "cookie": "sid"}],
    ids=["form", "json"],
)
def test_a_wrong_password_at_a_form_is_the_accounts_trouble(login: dict[str, Any]) -> None:
    """It is tried three times, and nothing is asked without a session."""
    site = CookieSite()
    said = at_cookie_site(site, "canary-wrong", **login)
    (trouble, renewed) = said["facts"]["accounts"]["0"]
    why = "sent back to the form" if "encoding" in login else "without the cookie 'sid'"
    assert (why in trouble, renewed, len(site.bodies)) == (True, 0, 3), trouble
    assert not [row for row in said["rows"] if row["endpoint"] == 0]
    assert "canary" not in json.dumps(said)


def test_a_session_in_a_cookie_that_runs_out_is_renewed() -> None:
    """Whoever is sent to the form, where the same was served before, signs in again: no request fails."""
    site = CookieSite()
    site.lasts = 30
    said = at_cookie_site(site, path="/login", encoding="form")
    assert {row["status"] for row in said["rows"] if row["endpoint"] == 0} == {200}
    assert site.opened == 2
    assert said["facts"]["accounts"]["0"] == ["", 1]


def test_each_user_has_an_account_and_its_cohort(server: Scripted) -> None:
    """Half of the users are of each cohort, no two have one account, and a session may be open already."""
    accounts: list[dict[str, Any]] = [{"body": {}, "cohort": ON, "token": "open"}]
    accounts += [{"body": {"email": f"on-{n}@x.test"}, "cohort": ON} for n in (1, 2)]
    accounts += [{"body": {"email": f"off-{n}@x.test"}, "cohort": OFF} for n in (0, 1, 2)]
    said = told(server, [{**account, "number": number} for number, account in enumerate(accounts, 1)])
    emails = [json.loads(request.body) for request in server.of("/token")]
    assert {body["email"] for body in emails} == {"on-1@x.test", "off-0@x.test", "off-1@x.test"}
    assert {body["password"] for body in emails} == {"canary-one"}
    assert "Bearer open" in {request.headers.get("authorization") for request in server.of("/json")}
    signed_in = Counter(row["cohort"] for row in said["rows"] if row["endpoint"] == SIGN_IN)
    assert signed_in == {ON: 1, OFF: 2}
    assert {row["cohort"] for row in said["rows"]} == {ON, OFF}


def test_too_few_accounts_are_our_trouble(server: Scripted) -> None:
    """A user for whom no account is left is no failure of the target."""
    said = told(server, [{"body": {"email": "only@x.test"}}])
    assert any("no account left" in trouble for trouble in said["troubles"])


def test_an_account_is_tried_three_times(server: Scripted) -> None:
    """A refused sign-in is recorded as one, and where all are refused nothing else is asked."""
    login = {"path": "/status/401", "body": {"email": "one@x.test"}}
    said = told(server, login=login)
    assert [(row["endpoint"], row["status"]) for row in said["rows"]] == [(SIGN_IN, 401)] * 3
    assert said["facts"]["accounts"] == {"0": ["HTTP 401", 0]}
    assert len(server.seen) == 3


def test_a_session_that_ran_out_is_renewed(server: Scripted) -> None:
    """A token lives for 30 requests: each is followed by another, and no request failed for it."""
    issued: list[str] = []
    used: Counter[str] = Counter()

    def answer(request: Seen) -> tuple[bytes, bytes] | None:
        if request.path == "/token":
            issued.append(f"t{len(issued)}")
            return b"200 OK", json.dumps({"token": issued[-1]}).encode()
        token = request.headers["authorization"].removeprefix("Bearer ")
        used[token] += 1
        return (b"401 Unauthorized", b"{}") if used[token] > 30 else None

    server.answers = answer
    said = told(server, endpoints=ENDPOINTS[:1])
    assert {row["status"] for row in said["rows"]} == {200}
    trouble, renewed = said["facts"]["accounts"]["0"]
    assert (trouble, len(issued)) == ("", 1 + renewed)
    assert renewed >= 1


def test_a_session_that_lasts_and_is_refused_is_a_failure(server: Scripted) -> None:
    """Every third request is refused, the next within the same session is not: no renewal hides it."""
    asked = itertools.count()

    def answer(request: Seen) -> tuple[bytes, bytes] | None:
        return (b"401 Unauthorized", b"{}") if request.path == "/json" and next(asked) % 3 == 2 else None

    server.answers = answer
    said = told(server, endpoints=ENDPOINTS[:1])
    assert 401 in {row["status"] for row in said["rows"] if row["endpoint"] == 0}


def test_what_a_new_session_is_refused_is_a_failure(server: Scripted) -> None:
    """An endpoint that never served the account is no session that ran out: no storm of sign-ins."""
    said = told(server, endpoints=[ENDPOINTS[0], {"name": "closed", "path": "/status/401", "load": True}])
    assert {row["status"] for row in said["rows"] if row["endpoint"] == 1} == {401}
    assert len(server.of("/token")) == 1


def test_users_who_are_stopped_take_their_requests_along(server: Scripted) -> None:
    """Requests that are under way when the users are stopped are recorded as cut, and no handle stays."""
    hang = {"name": "hang", "path": "/hang", "load": True}
    said = told(server, endpoints=[hang, ENDPOINTS[0]], login=None, stop_timeout=0)
    server.go_on.set()
    hung = [row for row in said["rows"] if row["endpoint"] == 0]
    assert {row["status"] for row in hung} == {CUT}
    assert len(hung) == len(server.of("/hang")) == 4
    assert said["left"] == 0


def test_what_is_refused_here_is_no_failure_of_the_target(server: Scripted) -> None:
    """An address that is not allowed: no packet, no row, and the run is told why."""
    said = told(server, allowed_hosts=["192.0.2.0/24"])
    assert (said["rows"], said["events"], server.accepted) == ([], [], 0)
    assert any("not allowed" in trouble for trouble in said["troubles"])
