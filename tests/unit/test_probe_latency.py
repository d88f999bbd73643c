from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.fakes import Clients, always, in_turn, send_json, serving

from rampgate.config.subjects import EndpointSettings
from rampgate.errors import ProbeError
from rampgate.io.http import client
from rampgate.probes.latency import COLD_START, EndpointProbe, body_failure

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from rampgate.model.measurement import Measurement

GOOD = httpx.Response(200, json={"items": [1, 2]})
EDGES = {500.0: lambda ms: ms >= 500, 1000.0: lambda ms: ms >= 1000}


def endpoint(body: str | None = None, minimum: float = 1) -> EndpointSettings:
    """The endpoint /api/patients."""
    return EndpointSettings(name="patients", path="/api/patients", body=body, minimum=minimum)


def probe(clients: Clients, **more: Any) -> EndpointProbe:
    """A probe of it."""
    return EndpointProbe(clients, endpoint(**more), EDGES)


def by_metric(measurements: list[Measurement]) -> dict[str, Measurement]:
    """Measurements by their metric."""
    return {measurement.metric: measurement for measurement in measurements}


def test_a_good_endpoint_is_counted_exactly() -> None:
    """The times of exactly n requests count; the cold start counts among the errors only."""
    clients = always(GOOD)
    seen = by_metric(probe(clients).measure(201))
    assert len(clients.requests) == 201 + COLD_START
    assert (seen["error_rate"].n, seen["error_rate"].failures) == (221, 0)
    latency = seen["api_response_time"]
    assert (latency.n, latency.exceedances) == (201, {500.0: 0, 1000.0: 0})
    assert latency.histogram is not None
    assert sum(latency.histogram.counts.values()) == 201
    assert latency.details["cold_start"]["n"] == COLD_START
    assert 0 < latency.details["median_ms"] <= latency.details["worst_ms"]
    assert all(measurement.labels == {"endpoint": "patients"} for measurement in seen.values())
    assert "body_failure_rate" not in seen


def test_only_the_first_look_starts_cold() -> None:
    """Later looks only open their connections, one request each, and those count among the errors."""
    clients = always(GOOD)
    asked = probe(clients)
    asked.measure(10)
    seen = by_metric(asked.measure(30))
    assert (seen["error_rate"].n, seen["api_response_time"].n) == (34, 30)
    assert "cold_start" not in seen["api_response_time"].details


@pytest.mark.parametrize("status", [500, 401, 302, 404])
def test_a_fast_failure_lies_above_every_edge(status: int) -> None:
    """An error in 2 ms is no fast answer: it fails, and exceeds every limit."""
    seen = by_metric(probe(always(httpx.Response(status))).measure(40))
    assert seen["error_rate"].failures == seen["error_rate"].n == 60
    assert seen["api_response_time"].exceedances == {500.0: 40, 1000.0: 40}
    assert seen["api_response_time"].histogram is not None
    assert not seen["api_response_time"].histogram.counts
    assert seen["error_rate"].details == {
        "path": "/api/patients",
        "statuses": {str(status): 60},
        "errors": [f"HTTP {status}"],
    }
    assert seen["api_response_time"].details["statuses"] == {str(status): 40}


def test_no_answer_is_a_failure_of_the_target() -> None:
    """Refused connections are counted, all of them, and their text is cut."""
    seen = by_metric(probe(always(httpx.ConnectError("x" * 500))).measure(40))
    assert (seen["error_rate"].n, seen["error_rate"].failures) == (60, 60)
    assert seen["error_rate"].details["statuses"] == {"no answer": 60}
    assert len(seen["error_rate"].details["errors"][0]) == 120
    assert seen["api_response_time"].exceedances == {500.0: 40, 1000.0: 40}


def test_a_failure_in_the_cold_start_counts_as_an_error() -> None:
    """A cold start excuses slowness, not errors."""
    answers = [httpx.Response(503)] * 3
    seen = by_metric(probe(in_turn(*answers, GOOD)).measure(20))
    assert (seen["error_rate"].n, seen["error_rate"].failures) == (40, 3)
    assert seen["api_response_time"].exceedances == {500.0: 0, 1000.0: 0}


def test_when_all_time_out_the_rest_is_not_sent() -> None:
    """Twelve time-outs in a row end the look; n is what was sent, and the note says so."""
    clients = always(httpx.ReadTimeout("slow"))
    seen = by_metric(probe(clients).measure(200))
    sent = len(clients.requests)
    assert 12 <= sent < COLD_START
    assert (seen["error_rate"].n, seen["error_rate"].failures) == (sent, sent)
    assert seen["api_response_time"].n == 0
    assert seen["api_response_time"].note == "0 of 200 sent: one request after another timed out"


def test_a_single_answer_renews_the_patience() -> None:
    """Time-outs that are not in a row do not end the look."""
    count = iter(range(10_000))

    def handler(_request: httpx.Request) -> httpx.Response:
        if next(count) % 5:
            raise httpx.ReadTimeout("slow")
        return httpx.Response(200)

    seen = by_metric(probe(Clients(handler)).measure(100))
    assert seen["api_response_time"].n == 100


def test_our_own_trouble_is_no_evidence() -> None:
    """A missing socket on this machine ends the look with an error."""
    wrapped = httpx.ConnectError("no")
    wrapped.__cause__ = OSError(24, "Too many open files")
    with pytest.raises(ProbeError):
        probe(always(wrapped)).measure(20)


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


def test_bodies_are_counted_among_good_answers_only() -> None:
    """A 500 has no body to check; an empty 200 has."""
    count = iter(range(10_000))

    def handler(_request: httpx.Request) -> httpx.Response:
        return [httpx.Response(500), httpx.Response(200, json={"items": []}), GOOD, GOOD][next(count) % 4]

    def fresh(request: httpx.Request) -> httpx.Response:
        answer = handler(request)
        return httpx.Response(answer.status_code, content=answer.content)

    seen = by_metric(probe(Clients(fresh), body="items").measure(60))
    body = seen["body_failure_rate"]
    assert (body.n, body.failures) == (60, 20)
    assert body.details == {"check": "items >= 1", "failed": ["items is 0, below 1"]}
    assert seen["error_rate"].failures == 20


def test_a_body_that_is_not_json_fails() -> None:
    """A page of HTML with status 200 is no answer of an API."""
    seen = by_metric(probe(always(httpx.Response(200, text="<html>")), body="items").measure(4))
    assert seen["body_failure_rate"].failures == 24


def test_requests_run_at_once_over_open_connections() -> None:
    """Four requests are under way together, over four connections in all, and the time is the server's."""
    ports: set[int] = set()
    together = threading.Barrier(4)

    def handle(handler: BaseHTTPRequestHandler) -> None:
        ports.add(handler.client_address[1])
        together.wait(timeout=10)
        time.sleep(0.02)
        send_json(handler, 200, {"items": [1]})

    with serving(handle) as url:
        clients, edges = partial(client, url, run_id="r", timeout_s=5), {15.0: lambda ms: ms >= 15}
        asked = EndpointProbe(clients, endpoint(), edges)
        seen = by_metric(asked.measure(8))
    assert len(ports) == 4
    assert (seen["error_rate"].n, seen["error_rate"].failures) == (28, 0)
    assert seen["api_response_time"].exceedances == {15.0: 8}


def test_a_server_that_cuts_the_answer_off_has_failed() -> None:
    """A body shorter than announced is no answer, though its status was 200."""

    def handle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"short")
        handler.close_connection = True

    with serving(handle) as url:
        asked = EndpointProbe(partial(client, url, run_id="r", timeout_s=5), endpoint(), EDGES)
        seen = by_metric(asked.measure(4))
    assert seen["error_rate"].failures == 24
    assert seen["error_rate"].details["statuses"] == {"no answer": 24}
