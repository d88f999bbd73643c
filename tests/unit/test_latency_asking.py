from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from pydantic import ValidationError
from tests.unit.fakes import Clients, always, send_json, serving

from rampgate.checks.endpoints import EndpointSettings
from rampgate.checks.latency.asking import Connections, body_failure, send
from rampgate.errors import ProbeError
from rampgate.io.http import client

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from rampgate.checks.latency.open_model import Result


def endpoint(body: str | None = None, minimum: float = 1) -> EndpointSettings:
    """The endpoint /api/patients."""
    return EndpointSettings(name="patients", path="/api/patients", body=body, minimum=minimum)


def asked(clients: Clients, **more: Any) -> Result:
    """What one request comes to."""
    return send(endpoint(**more), Connections(clients), 5.0)


def over_http(url: str, number: int) -> list[Result]:
    """What requests to a real server come to, one after another."""
    connections = Connections(partial(client, url, run_id="r", timeout_s=5))
    found = [send(endpoint(), connections, 5.0) for _ in range(number)]
    connections.close()
    return found


def test_a_good_answer_is_no_failure() -> None:
    """Its status counts, its time is the server's, and nothing is wrong with it."""
    found = asked(always(httpx.Response(200, json={"items": [1]})), body="items")
    assert (found.outcome, found.error, found.body_error, found.limited) == ("200", "", "", None)
    assert found.ms > 0


@pytest.mark.parametrize("status", [500, 401, 302, 404])
def test_another_status_than_2xx_is_a_failure(status: int) -> None:
    """Whatever it says, it is not the answer; its body is not looked at."""
    found = asked(always(httpx.Response(status)), body="items")
    assert (found.outcome, found.error, found.body_error) == (str(status), f"HTTP {status}", "")


def test_no_answer_is_a_failure_of_the_target() -> None:
    """A refused connection is counted, and its text is cut."""
    found = asked(always(httpx.ConnectError("x" * 500)))
    assert (found.outcome, len(found.error)) == ("no answer", 120)


def test_our_own_trouble_is_no_evidence() -> None:
    """A missing socket on this machine is an error of ours."""
    wrapped = httpx.ConnectError("no")
    wrapped.__cause__ = OSError(24, "Too many open files")
    with pytest.raises(ProbeError):
        asked(always(wrapped))


@pytest.mark.parametrize(
    ("answer", "limited"),
    [
        (httpx.Response(429), 0),
        (httpx.Response(429, headers={"Retry-After": "30"}), 30),
        (httpx.Response(429, headers={"Retry-After": "86400"}), 60),
        (httpx.Response(503, headers={"Retry-After": "Mon, 30 Nov 2026 12:00:00 GMT"}), 0),
        (httpx.Response(503), None),
        (httpx.Response(500, headers={"Retry-After": "1"}), None),
        (httpx.Response(200), None),
    ],
)
def test_an_answer_may_mean_that_we_ask_too_often(answer: httpx.Response, limited: float | None) -> None:
    """HTTP 429, and 503 with Retry-After, for so many seconds; a plain 503 is a failure and nothing else."""
    assert asked(always(answer)).limited == limited


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"items": []}, "items is 0, below 1"),
        ({"items": None}, "items is missing"),
        ({}, "items is missing"),
        ({"items": {"a": 1}}, "items is dict"),
        ({"items": True}, "items is bool"),
        ({"items": "abc"}, "items is str"),
        ({"items": 0.5}, "items is 0.5, below 1"),
        (None, "items is missing"),
        ([], "items is missing"),
    ],
)
def test_an_empty_or_foreign_body_fails_its_check(body: Any, reason: str) -> None:
    """An empty list where there must be one fails, whatever shape the emptiness has."""
    assert body_failure(endpoint("items"), body) == reason


@pytest.mark.parametrize("body", [{"items": [0]}, {"items": 1}, {"items": 5000.0}])
def test_a_good_body_passes_its_check(body: Any) -> None:
    """A list that is long enough or a number that is large enough."""
    assert body_failure(endpoint("items"), body) == ""


def test_not_a_number_fails_a_body_check() -> None:
    """NaN is not at least anything."""
    assert body_failure(endpoint("total", 5), {"total": float("nan")}) != ""


def test_an_expression_that_does_not_fit_the_data_is_a_body_failure() -> None:
    """JMESPath functions refuse null; that is the body's fault."""
    assert body_failure(endpoint("length(items)"), {}) == "length(items) is missing"


def test_a_body_that_is_not_json_fails() -> None:
    """A page of HTML with status 200 is no answer of an API."""
    assert asked(always(httpx.Response(200, text="<html>")), body="items").body_error


def test_requests_go_over_open_connections_that_are_renewed() -> None:
    """One after another 8 to 12 share one: the next goes to whichever instance a balancer picks."""
    ports: list[int] = []

    def handle(handler: BaseHTTPRequestHandler) -> None:
        ports.append(handler.client_address[1])
        send_json(handler, 200, {"items": [1]})

    with serving(handle) as url:
        found = over_http(url, 60)
    assert {result.outcome for result in found} == {"200"}
    changes = sum(one != two for one, two in pairwise(ports))
    assert 60 / 12 <= changes + 1 <= 60 / 8 + 1


def test_a_client_serves_so_many_requests_at_most_and_is_counted() -> None:
    """A minute of 600 requests takes 50 clients at least, each closed after its last request."""
    connections, made = Connections(always(httpx.Response(200))), Counter[httpx.Client]()
    for _ in range(600):
        with connections.one() as client:
            made[client] += 1
    assert connections.opened == len(made) >= 50
    assert sum(not each.is_closed for each in made) <= 1
    assert max(made.values()) <= 12


def test_a_server_that_cuts_the_answer_off_has_failed() -> None:
    """A body shorter than announced is no answer, though its status was 200."""

    def handle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"short")
        handler.close_connection = True

    with serving(handle) as url:
        (found,) = over_http(url, 1)
    assert found.outcome not in {"200", "time-out"}
    assert found.error


def test_clients_are_closed_once_they_are_out_of_use() -> None:
    """One that is under way when all are closed is closed after its request."""
    connections = Connections(always(httpx.Response(200)))
    with connections.one() as busy:
        with connections.one() as idle:
            pass
        connections.close()
        assert (busy.is_closed, idle.is_closed) == (False, True)
    assert busy.is_closed


def test_an_endpoint_has_headers_of_its_own() -> None:
    """Beside those of the target, and in the place of one that has the same name, however it is written."""
    clients = always(httpx.Response(200))
    wanted = EndpointSettings(name="a", path="/a", headers={"x-tenant": "one", "Accept-Language": "de"})

    def make() -> httpx.Client:
        made = clients()
        made.headers["X-Tenant"] = "everybody"
        return made

    send(wanted, Connections(make), 5.0)
    (request,) = clients.requests
    assert request.headers.get_list("X-Tenant") == ["one"]
    assert request.headers["Accept-Language"] == "de"


def test_an_endpoint_may_be_asked_by_post() -> None:
    """As GraphQL has it: the same JSON each time, and the answer's body is checked as any other."""
    clients = always(httpx.Response(200, json={"data": {"items": [1]}}))
    query = EndpointSettings(
        name="items", path="/graphql", method="POST", send={"query": "{ items { id } }"}, body="data.items"
    )
    found = send(query, Connections(clients), 5.0)
    (request,) = clients.requests
    assert (request.method, request.content) == ("POST", b'{"query":"{ items { id } }"}')
    assert (found.outcome, found.body_error) == ("200", "")


@pytest.mark.parametrize(
    "wrong", [{"method": "HEAD", "body": "items"}, {"send": {"a": 1}}, {"method": "DELETE"}]
)
def test_an_endpoint_that_no_answer_could_satisfy_is_refused(wrong: dict[str, Any]) -> None:
    """What is sent needs a POST, a body that is checked must come, and nothing else is ever asked for."""
    with pytest.raises(ValidationError):
        EndpointSettings(name="a", path="/a", **wrong)
