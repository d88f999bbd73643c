"""A page: whether it comes, shows what it must, is fresh, and brings what it asks for."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.fakes import Clients, FakeClock, always, context

from rampgate.checks import pages
from rampgate.checks.pages import PageSettings
from rampgate.errors import ProbeError
from rampgate.io.page_load import PageLoad
from rampgate.judging.sentences import stated
from rampgate.judging.threshold import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.model.measurement import Measurement

REFUSED = httpx.ConnectError("Connection refused")
TOKEN = "canary-token-1"
NOW = 1_800_000_000.0


def checked(clients: Clients, visit: Any = None, **settings: Any) -> dict[str, Measurement]:
    """What is measured of a page, by metric; no browser but the one that is given."""
    page = PageSettings.model_validate({"name": "patients", "path": "/patients", **settings})
    measured = pages.measure(page, context(clients, FakeClock(NOW), visit))
    assert all(seen.labels == {"page": "patients"} for seen in measured)
    return {seen.metric: seen for seen in measured}


def page(answer: httpx.Response | Exception, **settings: Any) -> Measurement:
    """Whether it is up."""
    return checked(always(answer), **settings)["page_up"]


def test_a_page_that_comes_is_up() -> None:
    """Status, size and time are on record."""
    seen = page(httpx.Response(200, text="hello"))
    assert (seen.metric, seen.value, seen.labels) == ("page_up", 1.0, {"page": "patients"})
    assert (seen.details["status"], seen.details["bytes"]) == (200, 5)
    assert seen.details["ms"] >= 0


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (httpx.Response(404), "/patients answered HTTP 404 (expected 2xx)"),
        (httpx.Response(500), "/patients answered HTTP 500 (expected 2xx)"),
        (REFUSED, "/patients gave no answer (ConnectError: Connection refused)"),
        (httpx.ReadTimeout("slow"), "/patients gave no answer in time (ReadTimeout: slow)"),
    ],
)
def test_a_page_that_does_not_come_is_down(answer: httpx.Response | Exception, note: str) -> None:
    """Anything but 2xx is no page, and the note says what came in its place."""
    seen = page(answer)
    assert (seen.value, seen.note, seen.details["path"]) == (0.0, note, "/patients")


FORM = (
    b"<!doctype html><title>Sign in</title><style>Patients</style><script>var x = 'Patients'</script>"
    b"<template>Patients</template><h1>Sign   in</h1><input value='Patients'>"
)
PAGE = (
    b"<title>All patients &ndash;\n Clinic</title><svg><title>Logo</title></svg>"
    b"<body><h1>Patients</h1><p>Ada &amp;\n <b>Grace</b></p>"
)


@pytest.mark.parametrize(
    ("body", "shows", "note"),
    [
        (b"", {}, "/patients answered HTTP 200 with an empty page"),
        (b" \n", {"text": "Patients"}, "/patients answered HTTP 200 with an empty page"),
        (FORM, {"text": "Patients"}, "/patients answered HTTP 200 without the text 'Patients'"),
        (
            FORM,
            {"text": "Patients", "title": "Clinic"},
            "/patients answered HTTP 200 without the title 'Clinic' and the text 'Patients'",
        ),
        (
            b"<title>Sign in - Clinic</title><svg><title>Clinic</title></svg>",
            {"title": "Clinic"},
            "/patients answered HTTP 200 without the title 'Clinic'",
        ),
    ],
)
def test_a_page_without_what_it_must_show_is_down(body: bytes, shows: dict[str, str], note: str) -> None:
    """A sign-in form and an empty page answer 200 too; what scripts and attributes say is no text."""
    seen = page(httpx.Response(200, content=body), **shows)
    assert (seen.value, seen.note) == (0.0, note)


@pytest.mark.parametrize(
    ("shows", "note"),
    [
        ({"text": "Ada & Grace"}, "/patients answered HTTP 200, with the text 'Ada & Grace'"),
        (
            {"title": "All  patients \N{EN DASH} Clinic"},
            "/patients answered HTTP 200, with the title 'All  patients \N{EN DASH} Clinic'",
        ),
        ({}, "/patients answered HTTP 200, and only its status was checked"),
    ],
)
def test_a_page_says_what_was_checked(shows: dict[str, str], note: str) -> None:
    """Whoever reads that it passed reads how little was looked at."""
    seen = page(httpx.Response(200, content=PAGE), **shows)
    assert (seen.value, seen.note) == (1.0, note)


def test_a_redirect_is_no_page_and_its_query_stays_out() -> None:
    """A page that sends to the sign-in is down; the secret in the redirect is not evidence."""
    seen = page(httpx.Response(302, headers={"location": f"/signin?token={TOKEN}"}))
    assert seen.value == 0.0
    assert "a redirect to /signin" in seen.note
    assert TOKEN not in json.dumps(seen.to_json())


@pytest.mark.parametrize(
    ("content_type", "body", "note"),
    [
        ("text/html; charset=utf-8", PAGE, ""),
        ("text/html", b"<p>caf\xe9", ""),
        ("text/html; charset=iso-8859-1", b"<p>caf\xe9", ""),
        ("text/html; charset=x-of-our-own", b"<p>caf\xe9", ""),
        ("text/plain", b"User-agent: *", ""),
        ("", PAGE, ""),
        ("text/html; charset=utf-8", b"<p>caf\xe9", "the body is not UTF-8, though its content type says so"),
        ("text/plain", b" <!DOCTYPE html><p>", "HTML, though its content type is text/plain"),
        ("application/octet-stream", b"<html>", "HTML, though its content type is application/octet-stream"),
        (
            "application/json",
            b"<p>",
            "the body is HTML or XML, not JSON, though its content type is application/json",
        ),
    ],
)
def test_a_page_is_what_its_content_type_says(content_type: str, body: bytes, note: str) -> None:
    """A page that a browser would offer to save is no page, though it came."""
    headers = {"content-type": content_type} if content_type else {}
    seen = checked(always(httpx.Response(200, content=body, headers=headers)))
    assert seen["page_up"].value == 1.0
    mislabelled = seen["page_mislabelled"]
    assert (mislabelled.value, mislabelled.note) == (float(bool(note)), note)


def aged(**headers: str) -> Clients:
    """A page with these headers, whatever is asked."""
    return always(httpx.Response(200, content=PAGE, headers=headers))


@pytest.mark.parametrize(
    ("headers", "note"),
    [
        ({"age": "59"}, ""),
        ({"date": formatdate(NOW - 80, usegmt=True)}, ""),
        ({"date": formatdate(NOW + 500, usegmt=True)}, ""),
        ({"age": "61"}, "/patients is 2 min old, older than its fresh of 1 min"),
        (
            {"date": formatdate(NOW - 7_300, usegmt=True)},
            (
                "/patients is 2.1 h old, older than its fresh of 1 min"
                ", by its Date: or the clock of this machine is wrong"
            ),
        ),
        (
            {"age": "5", "date": formatdate(NOW - 100, usegmt=True)},
            "/patients is 2 min old, older than its fresh of 1 min",
        ),
        ({}, "/patients has neither Date nor Age, and no nonce was allowed"),
        ({"age": "5", "date": "yesterday"}, "/patients sends the Date 'yesterday', which cannot be read"),
    ],
)
def test_a_page_that_must_be_fresh_is_judged_by_its_age(headers: dict[str, str], note: str) -> None:
    """By Age as it stands, by Date with 30 s for clocks; of an unknown age nothing is known, never a pass."""
    clients = aged(**headers)
    stale = checked(clients, fresh="60s", nonce=False)["page_stale"]
    assert (stale.n, stale.value, stale.note) == (
        0 if "neither" in note else 1,
        float(bool(note) and "neither" not in note),
        note,
    )
    assert len(clients.requests) == 1


def test_what_a_cache_answers_in_place_of_a_stopped_service_is_not_fresh() -> None:
    """A query that no cache knows reaches the service, or shows that nothing does; no two are alike."""

    def cached(request: httpx.Request) -> httpx.Response:
        hit = not request.url.query or request.url.query == b"a=1"
        return httpx.Response(200, content=PAGE) if hit else httpx.Response(502)

    clients = Clients(cached)
    for path in ("/patients", "/patients?a=1"):
        stale = checked(clients, path=path, fresh="1h")["page_stale"]
        assert (stale.n, stale.value) == (1, 1.0)
        assert stale.note == f"{path} answered HTTP 502 (expected 2xx), asked past caches"
    asked = [str(request.url.query, "ascii") for request in clients.requests[1::2]]
    assert asked[0].startswith("rampgate=")
    assert asked[1].startswith("a=1&rampgate=")
    assert len({query.rpartition("=")[2] for query in asked}) == 2


def test_a_fresh_page_is_fresh_in_both_ways() -> None:
    """Its headers say so, and the service behind the caches answers."""
    stale = checked(aged(age="3"), fresh="60s")["page_stale"]
    assert (stale.n, stale.value, stale.note) == (2, 0.0, "")


def opens(load: PageLoad) -> Callable[..., PageLoad]:
    """A browser that finds this."""

    def visit(_path: str, _work: Any, *, signed_in: bool) -> PageLoad:
        assert not signed_in
        return load

    return visit


OK = httpx.Response(200, content=PAGE)


def test_no_browser_opens_a_page_that_asks_for_none() -> None:
    """A plain page needs none, and what does says so when there is none: an error, not a pass."""

    def none(*_: Any, **__: Any) -> PageLoad:
        raise ProbeError("chromium is missing")

    assert set(checked(always(OK), none)) == {"page_up", "page_mislabelled"}
    for settings in ({"selector": "h1"}, {"lighthouse": True}, {"console_errors": "refuse"}):
        with pytest.raises(ProbeError, match="chromium is missing"):
            checked(always(OK), none, **settings)


@pytest.mark.parametrize(
    ("load", "note"),
    [
        (PageLoad(200, found=False), "/patients without '#list', as a browser renders it"),
        (PageLoad(503, found=False), "/patients answered HTTP 503 in the browser (expected 2xx)"),
    ],
)
def test_what_a_browser_must_find_decides_whether_a_page_is_up(load: PageLoad, note: str) -> None:
    """The page as it is served may be an empty shell: what scripts make of it counts."""
    seen = checked(always(OK), opens(load), selector="#list")
    assert list(seen) == ["page_up"]
    assert (seen["page_up"].value, seen["page_up"].note) == (0.0, note)


def test_missing_parts_are_named_and_those_of_other_sites_listed() -> None:
    """Only the page's own count: what another site does not send may be blocked here alone."""
    load = PageLoad(
        200,
        parts=5,
        missing=("/app.js answered HTTP 404",),
        missing_elsewhere=("https://cdn.test/x.png answered HTTP 403",),
        errors=("boom",),
    )
    seen = checked(always(OK), opens(load), lighthouse=True)
    assert list(seen) == ["page_up", "page_mislabelled", "page_parts_missing"]
    parts = seen["page_parts_missing"]
    assert (parts.n, parts.value, parts.note) == (5, 1.0, "/app.js answered HTTP 404")
    assert parts.details["missing_elsewhere"] == ["https://cdn.test/x.png answered HTTP 403"]
    assert parts.details["console_errors"] == ["boom"]


def test_a_page_that_asks_for_no_parts_is_said_to_have_none() -> None:
    """Nothing is missing of it, and nothing came."""
    parts = checked(always(OK), opens(PageLoad(200)), lighthouse=True)["page_parts_missing"]
    says = "the page asks for no scripts, styles, images or fonts"
    assert stated(parse("page_parts_missing == 0"), parts, 0.0, passed=True) == says
    some = checked(always(OK), opens(PageLoad(200, parts=2)), lighthouse=True)["page_parts_missing"]
    assert stated(parse("page_parts_missing == 0"), some, 0.0, passed=True) == (
        "all 2 scripts, styles, images and fonts came"
    )


def test_console_errors_count_where_none_is_allowed() -> None:
    """And are listed, the first three of them."""
    load = PageLoad(200, errors=("a", "b", "c", "d"))
    console = checked(always(OK), opens(load), console_errors="refuse")["console_errors"]
    assert (console.value, console.note) == (4.0, "a; b; c; and 1 more")
