"""The health of the monitoring and what Prometheus tells, asked of small real servers."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.unit.fakes import RUN_ID, send, serving

from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io.http import client
from rampgate.probes.monitoring import PATHS, PrometheusProbe, monitor_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.server import BaseHTTPRequestHandler

    from rampgate.model.measurement import Measurement

JSON, HTML, TEXT = "application/json", "text/html; charset=utf-8", "text/plain"
Answer = tuple[int, str, Any]
"""Status, type and body; a body that is no text is sent as JSON."""


@contextmanager
def answering(answers: Mapping[str, Answer]) -> Iterator[str]:
    """A server that knows these paths; the query of /api/v1/query belongs to its path."""

    def handle(handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = parse_qs(parts.query).get("query", [""])[0]
        path = f"{parts.path} {query}".rstrip()
        status, kind, body = answers.get(path, (404, TEXT, "404 page not found"))
        headers = {"Location": "/login?next=secret"} if 300 <= status < 400 else {}
        text = body if isinstance(body, str) else json.dumps(body)
        send(handler, status, text, {"Content-Type": kind, **headers})

    with serving(handle) as address:
        yield address


def health(service: str, answers: Mapping[str, Answer]) -> Measurement:
    """One look at a service."""
    with answering(answers) as address, client(address, run_id=RUN_ID, timeout_s=5) as http:
        return monitor_up(http, service, PATHS[service])


@contextmanager
def prometheus(answers: Mapping[str, Answer]) -> Iterator[PrometheusProbe]:
    """A probe of a Prometheus that gives these answers."""
    with answering(answers) as address, client(address, run_id=RUN_ID, timeout_s=5) as http:
        yield PrometheusProbe(http)


def data(**content: Any) -> Answer:
    """A successful answer of Prometheus."""
    return 200, JSON, {"status": "success", "data": content}


def vector(*samples: tuple[dict[str, str], str]) -> Answer:
    """A query's answer: labels and the value as text."""
    result = [{"metric": labels, "value": [1.0, value]} for labels, value in samples]
    return data(resultType="vector", result=result)


def target(job: str, state: str = "up", error: str = "") -> dict[str, Any]:
    """A scrape target as Prometheus tells it."""
    return {
        "labels": {"job": job, "instance": "i"},
        "scrapeUrl": f"http://{job}/metrics",
        "health": state,
        "lastError": error,
    }


def up(**jobs: str) -> Answer:
    """The series up of some jobs."""
    return vector(*(({"__name__": "up", "job": job}, value) for job, value in jobs.items()))


@pytest.mark.parametrize(
    ("service", "answers"),
    [
        ("prometheus", {"/-/ready": (200, TEXT, "Prometheus Server is Ready.\n")}),
        ("prometheus", {"/-/healthy": (200, TEXT, "ok")}),
        (
            "prometheus",
            {"/-/ready": (400, TEXT, "unsupported path"), "/api/v1/query vector(1)": (200, JSON, {})},
        ),
        ("alertmanager", {"/api/v2/status": (200, JSON, {})}),
        ("alertmanager", {"/-/ready": (200, TEXT, "OK")}),
        ("grafana", {"/api/health": (200, JSON, {"database": "ok", "version": "11.0.0"})}),
    ],
)
def test_healthy_service_is_up(service: str, answers: Mapping[str, Answer]) -> None:
    """Each service is asked where it tells its health, and a place that is not there is not the last."""
    seen = health(service, answers)
    assert (seen.metric, seen.n, seen.value, seen.note) == ("monitor_up", 1, 1.0, "")
    assert seen.labels == {"service": service}


@pytest.mark.parametrize(
    ("service", "answers", "says"),
    [
        ("prometheus", {"/-/ready": (503, TEXT, "Service Unavailable")}, "/-/ready: HTTP 503"),
        ("prometheus", {}, "/api/v1/query: HTTP 404"),
        ("alertmanager", {"/-/ready": (302, TEXT, "")}, "/-/ready: HTTP 302, a redirect to /login"),
        (
            "prometheus",
            {"/-/ready": (200, HTML, "<html>Sign in</html>")},
            "/-/ready: HTTP 200 with an HTML page: is there a sign-in page before it?",
        ),
        ("grafana", {"/api/health": (200, JSON, {"database": "failing"})}, "its database is 'failing'"),
        ("grafana", {"/api/health": (200, JSON, "[]")}, "a body that is not its JSON"),
        ("grafana", {"/api/health": (200, TEXT, "OK")}, "a body that is not its JSON"),
        ("grafana", {"/api/health": (503, JSON, {"status": "lost"})}, "HTTP 503, status 'lost'"),
    ],
)
def test_service_that_is_not_healthy_is_down(service: str, answers: Mapping[str, Answer], says: str) -> None:
    """A redirect, a page for people or an error is no health; one line says what came instead."""
    seen = health(service, answers)
    assert seen.value == 0.0
    assert seen.note.endswith(says)
    assert "secret" not in seen.note
    assert "\n" not in seen.note


def test_service_that_never_answers_is_down_and_its_password_is_not_told() -> None:
    """A hanging service costs its time-out, and the address in the sentence carries no credentials."""
    go_on = threading.Event()

    def hang(_handler: BaseHTTPRequestHandler) -> None:
        go_on.wait(30)

    with serving(hang) as address:
        secret = address.replace("://", "://me:s3cret@")
        with client(secret, run_id=RUN_ID, timeout_s=0.1) as http:
            seen = monitor_up(http, "prometheus", ("/-/ready",))
        go_on.set()
    assert seen.value == 0.0
    assert seen.note.startswith(f"{address}/-/ready: ReadTimeout")
    assert "s3cret" not in str(seen)


def test_jobs_that_are_up() -> None:
    """Without expected names all jobs count; their number is how much evidence there is."""
    targets = data(activeTargets=[target("api"), target("api"), target("web")])
    with prometheus({"/api/v1/targets": targets, "/api/v1/query up": up(api="1", web="1")}) as probe:
        seen = probe.jobs([])
        assert (seen.metric, seen.n, seen.value, seen.note) == ("jobs_down", 2, 0.0, "")
        assert probe.jobs(["web"]).n == 1


@pytest.mark.parametrize(
    ("targets", "series", "says"),
    [
        ([], up(), "api: no target"),
        ([target("web")], up(api="1"), "api: no target"),
        (
            [target("api"), target("api", "down", "connection refused")],
            up(api="1"),
            "api: http://api/metrics: connection refused",
        ),
        ([target("api", "unknown")], up(api="1"), "api: http://api/metrics: health unknown"),
        ([target("api")], up(), "api: no series up"),
        ([target("api")], up(api="0"), "api: its series up is not 1"),
        ([target("api")], up(api="NaN"), "api: its series up is not 1"),
    ],
)
def test_job_that_is_down_is_named(targets: list[dict[str, Any]], series: Answer, says: str) -> None:
    """One target of a job that does not answer is a job that is down, and the reader learns which and why."""
    answers = {"/api/v1/targets": data(activeTargets=targets), "/api/v1/query up": series}
    with prometheus(answers) as probe:
        seen = probe.jobs(["api"])
    assert (seen.n, seen.value, seen.note) == (1, 1.0, says)


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_jobs_are_judged_by_their_series_where_targets_are_not_offered(status: int) -> None:
    """What speaks the API and scrapes nothing itself has no targets: its series decide, which is said."""
    answers = {
        "/api/v1/targets": (status, TEXT, "unsupported path"),
        "/api/v1/query up": up(api="1", web="0"),
    }
    with prometheus(answers) as probe:
        seen, every, lost = probe.jobs(["api"]), probe.jobs([]), probe.jobs(["gone"])
    assert (seen.n, seen.value) == (1, 0.0)
    assert seen.note == "/api/v1/targets is not offered: their series up say so"
    assert (every.n, every.value, every.note) == (2, 1.0, "web: its series up is not 1")
    assert (lost.n, lost.value, lost.note) == (1, 1.0, "gone: no series up")


def test_targets_that_may_not_be_asked_for_are_an_error() -> None:
    """Refused is not the same as not offered: the account lacks a right, or the token ran out."""
    answers = {"/api/v1/targets": (403, TEXT, "no"), "/api/v1/query up": up(api="1")}
    with prometheus(answers) as probe, pytest.raises(ProbeError, match="HTTP 403"):
        probe.jobs(["api"])


def test_where_everything_is_pushed_the_cure_is_named() -> None:
    """Neither targets nor series up: nothing was judged, and the setting that says so is named."""
    with prometheus({"/api/v1/query up": up()}) as probe:
        seen = probe.jobs([])
    assert (seen.n, seen.value) == (0, None)
    assert "jobs = false" in seen.note


def test_prometheus_without_any_job_is_no_evidence() -> None:
    """Nobody is asked, so nobody is down: that is nothing seen, never a pass."""
    with prometheus({"/api/v1/targets": data(activeTargets=[]), "/api/v1/query up": up()}) as probe:
        seen = probe.jobs([])
    assert (seen.n, seen.value) == (0, None)


def test_rules_are_counted_by_their_names() -> None:
    """A rule that is not loaded, only records, or cannot be evaluated is missing, whatever has its name."""
    rules = [
        {"type": "alerting", "name": "Good", "health": "ok"},
        {"type": "alerting", "name": "Fresh", "health": "unknown"},
        {"type": "alerting", "name": "Broken", "health": "err", "lastError": "many-to-many"},
        {"type": "alerting", "name": "Broken", "health": "ok"},
        {"type": "recording", "name": "Recorded", "health": "ok"},
    ]
    with prometheus({"/api/v1/rules": data(groups=[{"rules": rules[:1]}, {"rules": rules[1:]}])}) as probe:
        seen = probe.rules(["Good", "Fresh", "Broken", "Recorded", "Absent"])
        assert probe.rules(["Good", "Fresh"]).value == 0.0
    assert (seen.metric, seen.n, seen.value) == ("rules_missing", 5, 3.0)
    assert seen.note == "Broken: cannot be evaluated: many-to-many; Recorded: not loaded; Absent: not loaded"


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        (vector(({}, "0")), ""),
        (vector(({}, "NaN"), ({}, "2.5e-3")), ""),
        (data(resultType="scalar", result=[1.0, "7"]), ""),
        (vector(), "rate: no sample"),
        (vector(({}, "NaN"), ({}, "+Inf")), "rate: only inf, nan"),
        (data(resultType="scalar", result=[1.0, "NaN"]), "rate: only nan"),
        (
            data(resultType="matrix", result=[{"values": [[1.0, "1"]]}]),
            "rate: its query gives a matrix; accepted is a number for this moment",
        ),
        (
            data(resultType="string", result=[1.0, "7"]),
            "rate: its query gives a string; accepted is a number for this moment",
        ),
    ],
)
def test_metric_needs_one_finite_number(answer: Answer, missing: str) -> None:
    """A metric that nobody delivers is named now, not when a threshold would need it."""
    answers = {"/api/v1/query a+b": answer, "/api/v1/query other": vector(({}, "1"))}
    with prometheus(answers) as probe:
        seen = probe.metrics({"rate": "a+b", "other": "other"})
    assert (seen.metric, seen.n, seen.value) == ("metrics_missing", 2, 1.0 if missing else 0.0)
    assert seen.note == missing


def test_many_missing_metrics_make_no_endless_sentence() -> None:
    """The sentence names some and counts the rest; the evidence has all."""
    names = {f"m{number}": "nothing" for number in range(8)}
    with prometheus({"/api/v1/query nothing": vector()}) as probe:
        seen = probe.metrics(names)
    assert seen.note.endswith("m4: no sample and 3 more")
    assert set(seen.details["bad"]) == set(names)


def test_queries_that_are_no_promql_are_told_all_at_once() -> None:
    """The setting, the query, and what Prometheus says of it: a mistake of ours, not a missing metric."""
    wrong = {"status": "error", "errorType": "bad_data", "error": "parse error: unclosed left parenthesis"}
    answers = {"/api/v1/query sum(": (400, JSON, wrong), "/api/v1/query up": vector(({}, "1"))}
    with prometheus(answers) as probe, pytest.raises(ConfigurationError) as refused:
        probe.metrics({"one": "sum(", "two": "up", "three": "sum("})
    assert refused.value.problems == [
        f"monitoring.metrics.{name}: found 'sum('; Prometheus says: {wrong['error']}"
        for name in ("one", "three")
    ]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ((500, TEXT, "boom"), "HTTP 500"),
        ((503, JSON, {"status": "error", "error": "query timed out"}), "(query timed out)"),
        ((302, HTML, ""), "HTTP 302, a redirect to /login"),
        ((200, HTML, "<html>"), "HTTP 200 with an HTML page"),
        ((200, JSON, "{torn"), "the body is not JSON: Expecting property name"),
        ((200, JSON, "[]"), "no object"),
        ((200, JSON, {"status": "error", "data": {}}), "status 'error'"),
        ((200, JSON, {"status": "success", "data": []}), "status 'success'"),
        ((403, TEXT, "nothing here"), "HTTP 403"),
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/targets", "/api/v1/rules", "/api/v1/query up"])
def test_answer_that_cannot_be_read_is_the_instruments_failure(path: str, answer: Answer, found: str) -> None:
    """It says nothing about the deployment, good or bad: an error in one line that names the place."""
    answers = {"/api/v1/targets": data(activeTargets=[target("api")]), path: answer}
    with prometheus(answers) as probe:
        asked = probe.rules if path.endswith("rules") else probe.jobs
        with pytest.raises(ProbeError) as refused:
            asked(["api"])
    message = str(refused.value)
    assert message.startswith(f"Prometheus, {path.partition(' ')[0]}: found ")
    assert found in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [{}, {"activeTargets": None}, {"activeTargets": ["x"]}])
def test_answer_without_its_list_is_an_error(content: dict[str, Any]) -> None:
    """Something that answers like Prometheus but is none never passes."""
    with (
        prometheus({"/api/v1/targets": data(**content)}) as probe,
        pytest.raises(ProbeError, match="no list"),
    ):
        probe.jobs([])
