"""Whether the answers of an endpoint are what they say they are, and from now."""

from __future__ import annotations

from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.fakes import Clients, FakeClock, always
from tests.unit.test_run import started

from rampgate.checks.endpoints import EndpointSettings
from rampgate.checks.latency.asking import body_failure
from rampgate.checks.latency.probe import Probed
from rampgate.checks.latency.quality import Quality
from rampgate.config import policy
from rampgate.config.settings import Settings
from rampgate.evidence.run import Expect
from rampgate.io.http import ask
from rampgate.judging.judge import judge
from rampgate.model.measurement import Measurement
from rampgate.outcome import Outcome
from rampgate.stage.context import StageContext
from rampgate.stage.latency import expect_latency

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0
OK = httpx.Response(200, json={"items": [1], "at": 5})


def counted(clients: Clients, requests: int = 3, **settings: Any) -> dict[str, Measurement]:
    """What so many requests to an endpoint and one past caches came to, by metric."""
    endpoint = EndpointSettings.model_validate({"name": "items", "path": "/items", **settings})
    quality = Quality(endpoint, FakeClock(NOW), partial(body_failure, endpoint))
    with clients() as http:
        for _ in range(requests):
            quality.note(ask(http, "GET", "/items"))
        measured = quality.measurements(http)
    assert all(seen.labels == {"endpoint": "items"} for seen in measured)
    return {seen.metric: seen for seen in measured}


def typed(content_type: str, body: bytes) -> Clients:
    """Answers that are called this."""
    return always(
        httpx.Response(200, content=body, headers={"content-type": content_type} if content_type else {})
    )


@pytest.mark.parametrize(
    ("content_type", "body", "settings", "note"),
    [
        ("application/json", b'{"items": [1]}', {"body": "items"}, ""),
        (
            "text/html",
            b'{"items": [1]}',
            {"body": "items"},
            "/items: the content type is text/html, not JSON",
        ),
        ("", b'{"items": [1]}', {"body": "items"}, "/items: JSON without a content type"),
        ("application/json", b'{"items": ', {"body": "items"}, ""),
        (
            "a/b+json",
            b'{"items": ',
            {},
            "/items: the body is a JSON document without its end, though its content type is a/b+json",
        ),
    ],
)
def test_each_answer_is_what_its_content_type_says(
    content_type: str, body: bytes, settings: dict[str, Any], note: str
) -> None:
    """Of JSON that is due the body check says what it is; here it must be called so."""
    seen = counted(typed(content_type, body), **settings)
    assert list(seen) == ["answers_mislabelled"]
    found = seen["answers_mislabelled"]
    assert (found.n, found.value, found.note) == (3, 3.0 if note else 0.0, note)


@pytest.mark.parametrize(
    ("settings", "end"),
    [({}, "content type says: without `body` only the status was checked"), ({"body": "@"}, "type says")],
)
def test_it_says_where_only_the_status_was_checked(settings: dict[str, Any], end: str) -> None:
    """A sign-in page in place of the answers is called what it is, and is none of them."""
    seen = counted(typed("application/json", b"[1]"), **settings)["answers_mislabelled"]
    (threshold,) = policy.build(Settings(endpoints=[EndpointSettings(name="items", path="/items")])).of(
        "answers_mislabelled"
    )
    judged = judge(threshold, seen, alpha_fail=1e-3)
    assert (judged.outcome, judged.sentence.endswith(end)) == (Outcome.PASSED, True)


def test_of_no_answer_nothing_is_said() -> None:
    """What failed has failed already: one cause, one failure."""
    assert counted(always(httpx.Response(503)), fresh="1m", changes="at") == {}


@pytest.mark.parametrize(
    ("headers", "n", "value", "note"),
    [
        ({"age": "5"}, 3, 0.0, ""),
        ({"age": "90"}, 3, 3.0, "/items is 2 min old, older than its fresh of 1 min"),
        (
            {"date": formatdate(NOW - 7200)},
            3,
            3.0,
            (
                "/items is 2 h old, older than its fresh of 1 min"
                ", by its Date: or the clock of this machine is wrong"
            ),
        ),
        ({"age": "x"}, 3, 3.0, "/items sends the Age 'x', which cannot be read"),
        ({}, 0, 0.0, "/items sends neither Date nor Age, and no nonce was allowed"),
    ],
)
def test_answers_that_must_be_fresh_are_counted_by_their_age(
    headers: dict[str, str], n: int, value: float, note: str
) -> None:
    """Of an age that nothing says there is no evidence, and no pass."""
    clients = always(httpx.Response(200, json={}, headers=headers))
    stale = counted(clients, fresh="1m", nonce=False)["answers_stale"]
    assert (stale.n, stale.value, stale.note) == (n, value, note)
    assert len(clients.requests) == 3


def test_a_service_that_stopped_behind_a_cache_is_not_fresh() -> None:
    """Asked once so that no cache can answer."""
    clients = Clients(lambda request: httpx.Response(502) if request.url.query else OK)
    stale = counted(clients, fresh="1m")["answers_stale"]
    assert (stale.n, stale.value) == (1, 1.0)
    assert stale.note == "/items answered HTTP 502 (expected 2xx), asked past caches"


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (httpx.Response(200, json={"items": []}), "answered HTTP 200, but items is 0, below 1"),
        (httpx.Response(200, text="<p>"), "answered HTTP 200, but the body is HTML or XML, not JSON"),
        (
            httpx.Response(200, json={"items": [1]}, headers={"age": "90000"}),
            "is 25 h old, older than its fresh of 1 min",
        ),
    ],
)
def test_what_the_service_behind_a_cache_answers_is_looked_into(answer: httpx.Response, note: str) -> None:
    """A good answer is good though it is asked past caches: its body and its age as of any other."""
    clients = Clients(lambda request: answer if request.url.query else OK)
    stale = counted(clients, body="items", fresh="1m")["answers_stale"]
    assert (stale.n, stale.value, stale.note) == (1, 1.0, f"/items {note}, asked past caches")


@pytest.mark.parametrize(
    ("expression", "bodies", "note"),
    [
        ("at", [{"at": 1}, {"at": 2}, {"at": 3}], ""),
        ("at", [{"at": 1}], "/items says the same at 'at' in each of 3 answers"),
        (
            "[at, items]",
            [{"at": 1, "items": [1]}],
            "/items says the same at '[at, items]' in each of 3 answers",
        ),
        ("gone", [{"at": 1}], "/items has nothing at 'gone' that could change"),
    ],
)
def test_what_must_change_must_not_stay_the_same(expression: str, bodies: list[Any], note: str) -> None:
    """An answer that a proxy replays for ever says the same for ever, whatever its headers say."""
    left = list(bodies)
    clients = Clients(lambda _: httpx.Response(200, json=left.pop(0) if len(left) > 1 else left[0]))
    stale = counted(clients, changes=expression)["answers_stale"]
    assert (stale.n, stale.value, stale.note) == (1, float(bool(note)), note)


def test_what_answers_say_counts_on_a_starved_machine_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times say nothing then; that JSON came as a page does."""
    labels = {"endpoint": "items"}
    errors = Measurement("error_rate", n=600, failures=600, labels=labels)
    wrong = Measurement("answers_mislabelled", n=600, value=600.0, labels=labels)
    probed = Probed([[errors, wrong]], Measurement("api_outage", "s", n=600, value=0.0), "starved")
    items = EndpointSettings(name="items", path="/items")
    settings = Settings.model_validate({"target": {"api": "http://127.0.0.1:9"}, "endpoints": [items]})
    run = started(tmp_path, settings=settings)
    found = {"left_out": [""], "error": "", "down": False, "probed": probed.to_json()}
    monkeypatch.setattr(run, "shared", lambda *_: found)
    expect = Expect(run, "immediate/latency::endpoint_answers_in_time[items]")
    expect_latency(StageContext(run), items, expect)
    outcomes = {each.metric: each.outcome for each in expect.judgements}
    assert outcomes == {"error_rate": Outcome.UNDECIDED, "answers_mislabelled": Outcome.FAILED}
