from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import httpx
import pytest
from tests.unit.fakes import Clients, always

from rampgate.config.subjects import CsrfSettings, LoginSettings
from rampgate.io.http import client
from rampgate.probes import sign_in as probes

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.model.measurement import Measurement

REFUSED = httpx.ConnectError("Connection refused")
PASSWORD = "canary-password-1"
TOKEN = "canary-token-1"
LOGIN = LoginSettings(path="/login", body={"email": "a", "password": PASSWORD})


def sign_in(answer: httpx.Response | Exception, token_path: str = "token") -> tuple[Measurement, str | None]:
    """One sign-in."""
    with always(answer)() as http:
        return probes.sign_in(http, LOGIN.model_copy(update={"token": token_path}))


def test_sign_in_hands_out_the_token_and_keeps_it_out_of_the_evidence() -> None:
    """The token is for the other probes, not for the journal."""
    seen, token = sign_in(httpx.Response(200, json={"token": TOKEN}))
    assert (seen.metric, seen.value, token) == ("sign_in_up", 1.0, TOKEN)
    assert TOKEN not in json.dumps(seen.to_json())
    assert PASSWORD not in json.dumps(seen.to_json())


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"token": TOKEN}),
        httpx.Response(302),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"token": ""}),
        httpx.Response(200, json={"token": 5}),
        httpx.Response(200, json={"token": "line\r\nX-Role: admin"}),
        httpx.Response(200, json={"token": "schlüssel"}),
        httpx.Response(200, json={"token": "x" * 70_000}),
        httpx.Response(200, text="<html>"),
        REFUSED,
    ],
)
def test_sign_in_without_a_token_failed(answer: httpx.Response | Exception) -> None:
    """A 200 without a token signs nobody in."""
    seen, token = sign_in(answer)
    assert (seen.value, token) == (0.0, None)
    assert "sign-in" in seen.note


def test_the_account_is_what_is_sent() -> None:
    """The body reaches the target as JSON."""
    clients = always(httpx.Response(200, json={}))
    with clients() as http:
        probes.sign_in(http, LOGIN)
    assert json.loads(clients.requests[0].content) == {"email": "a", "password": PASSWORD}
    assert clients.requests[0].method == "POST"


GONE = {"Location": "/home", "Set-Cookie": "s=1"}
FORM = """<form action="/search"><input type="hidden" name="kind" value="all"></form>
<form method="post"><input name="csrf" type="hidden" value="c1&amp;c2">
<input name=password type=password></form>"""


class FormSite:
    """A site whose form has a hidden field that must come back; what it answers then is given."""

    def __init__(self, answer: httpx.Response, shown: str = FORM) -> None:
        self.answer, self.shown = answer, shown
        self.sent: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The form, or the answer to it."""
        if request.method == "GET":
            return httpx.Response(200, html=self.shown, headers={"Set-Cookie": "anonymous=1; Path=/"})
        self.sent.append(dict(parse_qsl(request.content.decode())))
        assert request.headers["Referer"] == "http://target.test/login?next=%2F"
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert request.headers["Cookie"] == "anonymous=1"
        return self.answer


def by_form(site: FormSite, **more: Any) -> Measurement:
    """One sign-in by a form."""
    login = LoginSettings(
        path="/login?next=%2F", encoding="form", body={"user": "a", "password": PASSWORD}, **more
    )
    with Clients(site)() as http:
        seen, token = probes.sign_in(http, login)
    assert token is None
    assert PASSWORD not in json.dumps(seen.to_json())
    return seen


def test_a_form_is_sent_with_its_hidden_fields_and_cookies() -> None:
    """A sign-in by form does what a browser does; a redirect to elsewhere with a cookie is success."""
    site = FormSite(httpx.Response(302, headers={"Location": "/home", "Set-Cookie": "session=s1; Path=/"}))
    assert by_form(site, cookie="session").value == 1.0
    assert site.sent == [{"csrf": "c1&c2", "user": "a", "password": PASSWORD}]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(200, text=FORM), "answered HTTP 200 with the form again"),
        (httpx.Response(200), "answered HTTP 200, not with a redirect"),
        (httpx.Response(401), "answered HTTP 401, not with a redirect"),
        (httpx.Response(302, headers={"Location": "/login?error"}), "sent back to the form"),
        (httpx.Response(302, headers={"Location": "?error"}), "sent back to the form"),
        (httpx.Response(302, headers={"Location": "/home"}), "without the cookie 'session'"),
    ],
)
def test_a_form_that_lets_no_account_in_failed(answer: httpx.Response, reason: str) -> None:
    """The form once more, a redirect back to it, and no session cookie: each is named as what it is."""
    seen = by_form(FormSite(answer), cookie="session")
    assert seen.value == 0.0
    assert reason in seen.note


def test_a_page_in_answer_to_json_names_the_other_way() -> None:
    """Whoever sends JSON to a sign-in by form reads of the setting that it takes."""
    seen, _ = sign_in(httpx.Response(403, html="<h1>CSRF"))
    assert (
        'answered HTTP 403 (expected 2xx) with a page (a sign-in by form needs encoding = "form")'
        in seen.note
    )


def test_a_page_without_a_form_that_asks_for_a_password_failed() -> None:
    """Another page in place of the sign-in is no sign-in, and nothing is sent to it."""
    site = FormSite(httpx.Response(302), "<form><input type=hidden name=a value=b></form>")
    seen = by_form(site)
    assert (seen.value, site.sent) == (0.0, [])
    assert "without a form that asks for a password" in seen.note


@pytest.mark.parametrize(("cookie", "up"), [("session=s1; Path=/", 1.0), ("other=1; Path=/", 0.0)])
def test_a_cookie_that_is_named_stands_for_the_token(cookie: str, up: float) -> None:
    """A sign-in with JSON that answers with a session cookie needs no token, but the cookie."""
    login = LOGIN.model_copy(update={"cookie": "session"})
    with always(httpx.Response(200, json={"token": TOKEN}, headers={"Set-Cookie": cookie}))() as http:
        seen, token = probes.sign_in(http, login)
    assert (seen.value, token) == (up, None)


def below(handler: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    """A client of a site below a path of its host."""
    return client("http://target.test/shop", run_id="r", timeout_s=5, transport=httpx.MockTransport(handler))


@pytest.mark.parametrize(
    ("location", "up"), [("/shop/login", 0.0), ("/shop/login/?error=1", 0.0), ("/shop/", 1.0)]
)
def test_a_site_below_a_path_that_sends_back_to_its_form_let_nobody_in(location: str, up: float) -> None:
    """The form is known by its whole address, though the settings name it from the site's path on."""

    def site(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/shop/login"
        if request.method == "GET":
            return httpx.Response(200, html=FORM, headers={"Set-Cookie": "csrftoken=1; Path=/"})
        assert request.headers["Referer"] == "http://target.test/shop/login"
        return httpx.Response(302, headers={"Location": location})

    login = LoginSettings(path="/login", encoding="form", body={"user": "a", "password": PASSWORD})
    with below(site) as http:
        seen, _ = probes.sign_in(http, login)
    assert seen.value == up, seen.note


@pytest.mark.parametrize(
    ("action", "sent_to"),
    [
        ("/session", "http://target.test/session"),
        ("do?x=1", "http://target.test/shop/do?x=1"),
        ("", "http://target.test/shop/login"),
        ("http://elsewhere.test/login", None),
        ("//elsewhere.test/login", None),
        ("https://target.test/login", None),
        ("http://[", None),
    ],
)
def test_a_form_goes_where_it_says_and_to_no_other_site(action: str, sent_to: str | None) -> None:
    """As a browser sends it; the account is for this site alone, whatever the page says."""
    asked: list[str] = []

    def site(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, html=f'<form action="{action}"><input type=password></form>')
        asked.append(str(request.url))
        return httpx.Response(303, headers={"Location": "/home", "Set-Cookie": "s=1; HttpOnly"})

    login = LoginSettings(path="/login", encoding="form", body={"user": "a", "password": PASSWORD})
    with below(site) as http:
        seen, _ = probes.sign_in(http, login)
    assert asked == ([sent_to] if sent_to else [])
    assert seen.value == float(bool(sent_to))
    assert bool(sent_to) != ("sent to another site" in seen.note)


@pytest.mark.parametrize(
    ("answer", "up"),
    [
        (httpx.Response(204, headers={"Set-Cookie": "session=s1; HttpOnly; SameSite=Lax"}), 1.0),
        (httpx.Response(302, headers={"Location": "/home", "Set-Cookie": "session=s1; HttpOnly"}), 1.0),
        (httpx.Response(302, headers={"Location": "/login?error", "Set-Cookie": "session=s1"}), 0.0),
        (httpx.Response(302, headers={"Set-Cookie": "session=s1"}), 0.0),
        (httpx.Response(401, headers={"Set-Cookie": "session=s1"}), 0.0),
        (httpx.Response(302, headers={"Location": "/home"}), 0.0),
    ],
)
def test_a_session_in_a_cookie_alone_needs_no_body(answer: httpx.Response, up: float) -> None:
    """JSON may be answered with nothing or a redirect, as long as the cookie comes and leads elsewhere."""
    with always(answer)() as http:
        seen, token = probes.sign_in(http, LOGIN.model_copy(update={"cookie": "session"}))
    assert (seen.value, token) == (up, None), seen.note


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"success": False, "message": "wrong password"}, "whose success says that it was refused"),
        ({"status": 401}, "whose status says that it was refused"),
        ({"statusCode": "403"}, "whose statusCode says that it was refused"),
        ({"success": True, "status": "active", "code": []}, ""),
        (["ok"], ""),
    ],
)
def test_a_cookie_of_a_guest_is_no_session_where_the_answer_says_so(body: object, says: str) -> None:
    """A refusal with HTTP 200 sets the cookie of a visitor under the session's own name."""
    cookie = {"Set-Cookie": "session=guest; Path=/"}
    with always(httpx.Response(200, json=body, headers=cookie))() as http:
        seen, _ = probes.sign_in(http, LOGIN.model_copy(update={"cookie": "session"}))
    assert (seen.value, says in seen.note) == (float(not says), True)


@pytest.mark.parametrize("status", [200, 401, 302])
@pytest.mark.parametrize("cookie", ["session", ""])
def test_what_only_a_session_is_served_is_asked_with_it_where_it_is_named(status: int, cookie: str) -> None:
    """A guest's cookie with a redirect to a page for all is told from a session by nothing else."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/me":
            return httpx.Response(200, json={"token": TOKEN}, headers={"Set-Cookie": "session=guest; Path=/"})
        sent = request.headers.get("cookie" if cookie else "authorization")
        assert sent == ("session=guest" if cookie else f"Bearer {TOKEN}")
        return httpx.Response(status)

    login = LOGIN.model_copy(update={"cookie": cookie, "signed_in": "/me"})
    with httpx.Client(base_url="http://host", transport=httpx.MockTransport(answer)) as http:
        seen, _ = probes.sign_in(http, login)
    assert seen.value == float(status == 200)
    assert (f"gave a session to which /me answered HTTP {status}" in seen.note) == (status != 200)


def test_a_cookie_that_nobody_named_is_pointed_out() -> None:
    """The account is good, and the settings lack a word: which one is said."""
    seen, _ = sign_in(httpx.Response(200, json={"ok": True}, headers={"Set-Cookie": "sid=s1"}))
    assert seen.value == 0.0
    assert "(it keeps its session in a cookie: cookie = 'sid')" in seen.note


def test_an_account_may_be_sent_as_the_fields_of_a_form_for_a_token() -> None:
    """As OAuth has it: no page is fetched, and the answer is JSON."""
    clients = always(httpx.Response(200, json={"access_token": TOKEN}))
    login = LoginSettings(
        path="/token",
        encoding="urlencoded",
        token="access_token",
        body={"grant_type": "password", "username": "a", "password": PASSWORD},
    )
    with clients() as http:
        seen, token = probes.sign_in(http, login)
    (request,) = clients.requests
    assert (seen.value, token) == (1.0, TOKEN)
    assert dict(parse_qsl(request.content.decode())) == dict(login.body)


@pytest.mark.parametrize("action", ["", "/enter", "http://target.test/enter"])
def test_a_form_behind_basic_authentication_is_sent_with_it(action: str) -> None:
    """The account in the address of the site opens its form and what the form is sent to."""
    known = []

    def site(request: httpx.Request) -> httpx.Response:
        known.append(request.headers.get("Authorization"))
        assert "gate" not in request.headers.get("Referer", "")
        form = f'<form action="{action}"><input type=password></form>'
        return (
            httpx.Response(200, html=form) if request.method == "GET" else httpx.Response(303, headers=GONE)
        )

    login = LoginSettings(path="/login", encoding="form", body={"user": "a", "password": PASSWORD})
    transport = httpx.MockTransport(site)
    with client("http://gate:canary-gate@target.test", run_id="r", timeout_s=5, transport=transport) as http:
        seen, _ = probes.sign_in(http, login)
    assert seen.value == 1.0, seen.note
    assert len(known) == 2
    assert known[0] == known[1]
    assert known[0].startswith("Basic ")


@pytest.mark.parametrize(("given", "up"), [("c1%3D%3D", 1.0), ("", 0.0), ("%C3%BC%0A", 0.0)])
def test_a_cookie_against_forgery_is_fetched_first_and_sent_back_in_a_header(given: str, up: float) -> None:
    """As frameworks want it of scripts: its value, decoded, beside the cookie; else nobody is let in."""

    def site(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/csrf":
            return httpx.Response(204, headers={"Set-Cookie": f"XSRF-TOKEN={given}; Path=/"} if given else {})
        good = (
            request.headers["X-XSRF-TOKEN"] == "c1==" and "XSRF-TOKEN=c1%3D%3D" in request.headers["Cookie"]
        )
        return httpx.Response(204 if good else 419, headers={"Set-Cookie": "session=s1"} if good else {})

    login = LOGIN.model_copy(update={"cookie": "session", "csrf": CsrfSettings(path="/csrf")})
    with Clients(site)() as http:
        seen, _ = probes.sign_in(http, login)
    assert seen.value == up, seen.note


@pytest.mark.parametrize(
    ("landing", "why"),
    [
        (httpx.Response(401), "sent to /welcome, which answered HTTP 401"),
        (
            httpx.Response(200, text="<form><input name=p type=password></form>"),
            "sent to /welcome, which asks for a password",
        ),
        (httpx.Response(200, text="<h1>Hello</h1>"), ""),
        (httpx.Response(404), ""),
    ],
)
@pytest.mark.parametrize("encoding", ["json", "urlencoded"])
def test_a_redirect_signs_in_where_its_page_lets_us_in(
    encoding: str, landing: httpx.Response, why: str
) -> None:
    """A session that everybody gets is no sign-in: the page that a redirect leads to is asked with it."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(302, headers={"Location": "/welcome", "Set-Cookie": "sid=1; Path=/"})
        assert (request.url.path, request.headers["cookie"]) == ("/welcome", "sid=1")
        return landing

    made = LOGIN.model_copy(update={"cookie": "sid", "encoding": encoding})
    with httpx.Client(base_url="http://t", transport=httpx.MockTransport(answer)) as http:
        seen, _ = probes.sign_in(http, made)
    assert (seen.value, why in seen.note) == (float(not why), True)
