import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from pharmapilot import __version__
from pharmapilot.web import create_app, main
from pharmapilot.web_fault_rules import FAULTS

pytestmark = pytest.mark.anyio

FAULTS_ON = {"PHARMAPILOT_FAULTS": "on", "PHARMAPILOT_ADMIN_TOKEN": "canary"}
ADMIN = {"Authorization": "Bearer canary"}
SESSION = {"Cookie": "session=good"}
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that uvicorn uses too."""
    return "asyncio"


def api(request: httpx.Request) -> httpx.Response:
    """An API with one session and one account, which tells what it was sent."""
    if request.url.path == "/api/auth/me":
        return httpx.Response(200 if request.headers.get("cookie") == "session=good" else 401, json={})
    if request.url.path == "/api/auth/login":
        good = json.loads(request.content) == {"email": "a@b.test", "password": "p&=ß"}
        cookies = [("set-cookie", "session=good; HttpOnly"), ("set-cookie", "theme=plain")]
        return httpx.Response(200 if good else 401, json={}, headers=cookies if good else [])
    return httpx.Response(
        200,
        json={
            "method": request.method,
            "target": request.url.raw_path.decode(),
            "headers": dict(request.headers),
            "body": request.content.decode(),
        },
        headers=[("set-cookie", "a=1"), ("set-cookie", "b=2"), ("connection", "x-hop"), ("x-hop", "1")],
    )


def refuse(request: httpx.Request) -> httpx.Response:
    """An API that is not there."""
    raise httpx.ConnectError("refused", request=request)


class Wire(httpx.AsyncBaseTransport):
    """A network behind which a function answers, with its bytes still to be read as from a socket."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Give the answer with its body unread."""
        await request.aread()
        answer = self._answer(request)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=answer.stream)


def web(answer: Answer = api, environment: dict[str, str] | None = None) -> Starlette:
    """The web server in front of an API that answers so."""
    return create_app("http://api.test", environment=environment or {}, transport=Wire(answer))


@contextlib.asynccontextmanager
async def visiting(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """A visitor at 10.0.0.9 who keeps no cookies of the web server."""
    transport = httpx.ASGITransport(app, client=("10.0.0.9", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://web.test") as client:
        yield client


async def test_health_names_version_and_instance() -> None:
    """Two servers of one version say the same version and different instances."""
    async with visiting(web()) as one, visiting(web()) as other:
        first, second = (await one.get("/health")).json(), (await other.get("/health")).json()
    assert first["status"] == "ok"
    assert first["version"] == second["version"] == __version__
    assert first["instance"] != second["instance"]


@pytest.mark.parametrize("path", ["/", "/patients", "/notes"])
@pytest.mark.parametrize("headers", [{}, {"Cookie": "session=ended"}, {"Authorization": "Bearer old"}])
async def test_a_page_sends_a_visitor_without_a_session_to_the_form(
    path: str, headers: dict[str, str]
) -> None:
    """No session, an ended one and a stale token all end at /signin by 303."""
    async with visiting(web()) as client:
        answer = await client.get(path, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin")


@pytest.mark.parametrize(
    ("path", "heading"), [("/", "Dashboard"), ("/patients", "Patients"), ("/notes", "Clinical notes")]
)
async def test_a_signed_in_visitor_gets_the_page(path: str, heading: str) -> None:
    """With a live session the page itself comes, and a shared cache may not keep it."""
    async with visiting(web()) as client:
        answer = await client.get(path, headers=SESSION)
    assert answer.status_code == 200
    assert f"<h1>{heading}</h1>" in answer.text
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("path", ["/signin", "/patients"])
async def test_pages_are_drawn_while_the_api_is_away(path: str) -> None:
    """The API being down costs no page its shell, since the shell holds no data."""
    async with visiting(web(refuse)) as client:
        assert (await client.get(path, headers=SESSION)).status_code == 200


async def test_what_a_page_asks_the_api_for_a_gate_carries_its_mark() -> None:
    """A page that a gate opens must not look like a user to the API behind it."""
    asked: dict[str, str | None] = {}

    def marked(request: httpx.Request) -> httpx.Response:
        asked[request.url.path] = request.headers.get("X-Rampgate-Run")
        return httpx.Response(200, json={"id": "u", "workspaceId": "w"})

    mark = {"X-Rampgate-Run": "run"}
    async with visiting(web(marked)) as client:
        await client.get("/patients", headers=SESSION | mark)
        await client.post("/signin", data={"email": "a", "password": "b"}, headers=mark)
        await client.get("/api/patients", headers=mark)
        assert (await client.get("/patients", headers=mark)).status_code == 303
    paths = ("/api/auth/me", "/api/feature-flags/evaluate", "/api/auth/login", "/api/patients")
    assert asked == dict.fromkeys(paths, "run")


@pytest.mark.parametrize("path", ["/signin", "/nowhere", "/health", "/api/anything", "/favicon.ico"])
async def test_every_answer_carries_the_security_headers(path: str) -> None:
    """Pages, errors, files and proxied answers all forbid inline scripts, sniffing and framing."""
    async with visiting(web()) as client:
        headers = (await client.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"


def with_features(*on: str, decided: object = None) -> Answer:
    """An API whose flag service has these features on for the one account, or says something else."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/auth/me" and request.headers.get("cookie", "").startswith(
            "session=good"
        ):
            return httpx.Response(200, json={"id": "u1", "workspaceId": "w1"})
        if request.url.path == "/api/feature-flags/evaluate":
            asked = json.loads(request.content)
            assert asked["users"] == [{"userId": "u1", "workspaceId": "w1"}]
            flags = {name: name in on for name in asked["flags"]}
            said = {"results": [{"flags": flags}]} if decided is None else decided
            return httpx.Response(200, json=said)
        return api(request)

    return answer


async def test_a_page_names_the_features_that_are_on_for_its_visitor() -> None:
    """The flag service is asked for the signed-in user, and its answer is in the page."""
    async with visiting(web(with_features("themeOptimization", "serviceWorker"))) as client:
        text = (await client.get("/", headers=SESSION)).text
    assert ' data-flags="serviceWorker themeOptimization">' in text


@pytest.mark.parametrize(
    "decided",
    [
        {"results": []},
        [],
        {"results": [{"flags": {"themeOptimization": True}}]},
        {"results": [{"flags": []}]},
    ],
)
async def test_a_flag_service_that_talks_nonsense_switches_nothing_on(decided: object) -> None:
    """Half an answer is none: the page comes, with every feature off."""
    async with visiting(web(with_features(decided=decided))) as client:
        answer = await client.get("/", headers=SESSION)
    assert answer.status_code == 200
    assert "data-flags" not in answer.text


@pytest.mark.parametrize(
    ("features", "cookie", "sheet", "attribute"),
    [
        (("themeOptimization",), "dark", "app.css", True),
        ((), "dark", "dark.css", False),
        ((), "</head>", "app.css", False),
    ],
)
async def test_a_chosen_theme_is_drawn_at_once(
    features: tuple[str, ...], cookie: str, sheet: str, attribute: bool
) -> None:
    """The first byte of a page has the chosen theme already: an attribute, or the sheet of the old way."""
    async with visiting(web(with_features(*features))) as client:
        headers = {"Cookie": f"session=good; pharmapilot_theme={cookie}"}
        text = (await client.get("/", headers=headers)).text
        address = text.split('rel="stylesheet" href="')[1].split('"')[0]
        css = (await client.get(address)).text
    assert address.endswith(sheet)
    assert (' data-theme="dark"' in text) is attribute
    assert ("color-scheme: light dark" in css) is (sheet == "app.css")


async def test_signing_out_keeps_the_theme() -> None:
    """The look is the browser's, not the account's."""
    async with visiting(web()) as client:
        headers = {"Cookie": "session=good; pharmapilot_theme=dark"}
        cookies = (await client.post("/signout", headers=headers)).headers.get_list("set-cookie")
    assert [cookie.split("=")[0] for cookie in cookies] == ["session"]


async def test_pages_hold_no_inline_script_or_style() -> None:
    """What the policy forbids does not occur in the pages."""
    async with visiting(web()) as client:
        for path in ("/signin", "/", "/patients", "/notes"):
            text = (await client.get(path, headers=SESSION)).text
            assert text.count("<script") == text.count('<script type="module" src=')
            assert "<style" not in text
            assert " style=" not in text
            assert " onclick=" not in text


async def test_the_proxy_passes_on_what_the_visitor_sent() -> None:
    """Method, exact target, body, cookies, authorization and the run header arrive; the visitor is named."""
    sent = {
        "Cookie": "session=good",
        "Authorization": "Bearer t",
        "X-Rampgate-Run": "run-1",
        "X-Forwarded-For": "192.0.2.1",
        "Connection": "x-secret-hop",
        "X-Secret-Hop": "1",
        "TE": "trailers",
    }
    async with visiting(web()) as client:
        answer = await client.put("/api/some%2Fthing?q=a%20b&q=c", headers=sent, content="body")
    told = answer.json()
    assert (told["method"], told["target"], told["body"]) == ("PUT", "/api/some%2Fthing?q=a%20b&q=c", "body")
    headers = told["headers"]
    assert headers["host"] == "api.test"
    assert {name: headers[name] for name in ("cookie", "authorization", "x-rampgate-run")} == {
        "cookie": "session=good",
        "authorization": "Bearer t",
        "x-rampgate-run": "run-1",
    }
    assert headers["x-forwarded-for"] == "192.0.2.1, 10.0.0.9"
    assert headers["x-forwarded-host"] == "web.test"
    assert not {"x-secret-hop", "te"} & set(headers)


async def test_the_proxy_passes_on_what_the_api_answered() -> None:
    """Both cookies come back; headers of the inner connection do not."""
    async with visiting(web()) as client:
        answer = await client.get("/api/x")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "x-hop" not in answer.headers


async def test_one_visitor_never_gets_the_session_of_another() -> None:
    """A cookie that the API set for one visitor is not sent with the request of the next."""
    app = web()
    async with visiting(app) as first, visiting(app) as second:
        await first.post("/api/auth/login", json={"email": "a@b.test", "password": "p&=ß"})
        await first.get("/api/x")
        told = (await second.get("/api/x")).json()
    assert "cookie" not in told["headers"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (httpx.ConnectError, 502),
        (httpx.ConnectTimeout, 502),
        (httpx.RemoteProtocolError, 502),
        (httpx.ReadTimeout, 504),
    ],
)
async def test_an_api_that_does_not_answer_is_a_gateway_error(
    error: type[httpx.TransportError], status: int
) -> None:
    """Refused, broken and silent APIs become 502 or 504 with a JSON body."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise error("no", request=request)

    async with visiting(web(fail)) as client:
        answer = await client.get("/api/patients")
    assert answer.status_code == status
    assert answer.json()["error"] == "api_unavailable"


async def test_an_error_of_the_api_is_passed_on_unchanged() -> None:
    """The proxy does not dress up what the API said: status, type and compressed bytes stay."""

    def busy(_request: httpx.Request) -> httpx.Response:
        headers = {"content-type": "application/problem+json", "retry-after": "3"}
        return httpx.Response(503, content=b'{"detail":"busy"}', headers=headers)

    async with visiting(web(busy)) as client:
        answer = await client.get("/api/patients")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {"detail": "busy"}


async def test_the_proxy_hands_on_the_first_bytes_before_the_last_exist() -> None:
    """An answer is streamed: the API writes its second part only after the visitor has the first."""
    arrived = asyncio.Event()

    class Slow(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.wait_for(arrived.wait(), 5)
            yield b"second"

    parts: list[bytes] = []

    async def send(message: Any) -> None:
        if message.get("body"):
            parts.append(message["body"])
            arrived.set()

    await _call(web(lambda _request: httpx.Response(200, stream=Slow())), "/api/stream", send)
    assert parts == [b"first", b"second"]


async def _call(app: Starlette, path: str, send: Callable[[Any], Awaitable[None]]) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    await app(scope, receive, send)


async def test_files_are_kept_for_ever_only_under_their_fingerprint() -> None:
    """The address in a page is immutable and compressed; any other one must be asked for again."""
    async with visiting(web()) as client:
        text = (await client.get("/signin")).text
        address = text.split('rel="stylesheet" href="')[1].split('"')[0]
        current = await client.get(address)
        old = await client.get("/static/0123456789ab/app.css")
        again = await client.get(address, headers={"If-None-Match": current.headers["etag"]})
        missing = await client.get("/static/0123456789ab/none.css")
        outside = await client.get("/static/%2e%2e/pages/layout.html")
    assert current.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert current.headers["content-encoding"] == "gzip"
    assert current.headers["content-type"].startswith("text/css")
    assert old.headers["cache-control"] == "no-cache"
    assert again.status_code == 304
    assert missing.status_code == outside.status_code == 404


async def test_the_plain_form_signs_in() -> None:
    """A form sent without scripts gets the cookies of the API and lands on /."""
    async with visiting(web()) as client:
        form = {"email": "a@b.test", "password": "p&=ß"}
        answer = await client.post("/signin", data=form, headers={"Origin": "http://web.test"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers.get_list("set-cookie") == ["session=good; HttpOnly", "theme=plain"]


async def test_the_plain_form_says_why_it_was_refused() -> None:
    """Wrong credentials are 401 with an alert; the e-mail is kept as text and the password is not."""
    form = {"email": '"><script>x</script>', "password": "canary-password"}
    async with visiting(web()) as client:
        answer = await client.post("/signin", data=form)
    assert answer.status_code == 401
    assert "E-mail or password is wrong." in answer.text
    assert "<script>x" not in answer.text
    assert "&lt;script&gt;x" in answer.text
    assert "canary-password" not in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("answer", [refuse, lambda _request: httpx.Response(500)])
async def test_a_broken_api_is_not_called_a_wrong_password(answer: Answer) -> None:
    """An API that fails at sign-in is 502, and the visitor is not told to mistrust the password."""
    async with visiting(web(answer)) as client:
        page = await client.post("/signin", data={"email": "a@b.test", "password": "p"})
    assert page.status_code == 502
    assert "wrong" not in page.text


@pytest.mark.parametrize("path", ["/signin", "/signout"])
async def test_forms_from_another_site_are_refused(path: str) -> None:
    """Neither sign-in nor sign-out can be driven from a foreign page."""
    async with visiting(web()) as client:
        answer = await client.post(path, data={"email": "x"}, headers={"Origin": "http://evil.test"})
    assert answer.status_code == 403


async def test_an_oversized_form_is_refused() -> None:
    """A form longer than any honest one is not read."""
    async with visiting(web()) as client:
        assert (await client.post("/signin", data={"email": "x" * 9000})).status_code == 413


async def test_signing_out_tells_the_api_and_forgets_the_cookie() -> None:
    """The API hears of it with the visitor's cookie, which the browser is then told to drop."""
    heard: list[tuple[str, str | None]] = []

    def listen(request: httpx.Request) -> httpx.Response:
        heard.append((request.url.path, request.headers.get("cookie")))
        return httpx.Response(204)

    async with visiting(web(listen)) as client:
        answer = await client.post("/signout", headers=SESSION)
    assert heard == [("/api/auth/logout", "session=good")]
    assert answer.headers["location"] == "/signin"
    assert "session=" in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "environment", [{}, {"PHARMAPILOT_ADMIN_TOKEN": "canary"}, {"PHARMAPILOT_FAULTS": "off"}]
)
async def test_there_is_no_fault_switch_unless_allowed(environment: dict[str, str]) -> None:
    """Without PHARMAPILOT_FAULTS=on the address does not exist, whatever the token."""
    async with visiting(web(environment=environment)) as client:
        assert (await client.get("/admin/faults", headers=ADMIN)).status_code == 404


@pytest.mark.parametrize("environment", [FAULTS_ON, {"PHARMAPILOT_FAULTS": "on"}])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}])
async def test_the_fault_switch_needs_the_token(environment: dict[str, str], headers: dict[str, str]) -> None:
    """No token, an empty one and a wrong one are refused, also where no token is configured."""
    async with visiting(web(environment=environment)) as client:
        wanted = {"page_error": {"path": "/signin", "status": 500}}
        refusal = await client.put("/admin/faults", json=wanted, headers=headers)
        assert refusal.status_code == 401
        assert (await client.get("/signin")).status_code == 200


async def test_a_page_fails_and_recovers_as_it_is_told() -> None:
    """page_error breaks that one page, GET shows it, and DELETE mends it."""
    wanted = {"page_error": {"path": "/patients", "status": 503}}
    async with visiting(web(environment=FAULTS_ON)) as client:
        assert (await client.put("/admin/faults", json=wanted, headers=ADMIN)).json() == wanted
        assert (await client.get("/admin/faults", headers=ADMIN)).json() == wanted
        assert (await client.get("/patients", headers=SESSION)).status_code == 503
        assert (await client.get("/", headers=SESSION)).status_code == 200
        assert (await client.get("/health")).status_code == 200
        assert (await client.delete("/admin/faults", headers=ADMIN)).json() == {}
        assert (await client.get("/patients", headers=SESSION)).status_code == 200


async def test_a_slow_page_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """slow_page delays that page, and only that one, by its milliseconds; faults merge."""
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    async with visiting(web(environment=FAULTS_ON)) as client:
        both = {
            "slow_page": {"path": "/signin", "ms": 1500},
            "page_error": {"path": "/", "status": 500},
        }
        for name, value in both.items():
            await client.put("/admin/faults", json={name: value}, headers=ADMIN)
        monkeypatch.setattr("pharmapilot.web_faults.asyncio.sleep", note)
        await client.get("/signin")
        await client.get("/")
        left = await client.put("/admin/faults", json={"page_error": None}, headers=ADMIN)
    assert waited == [1.5]
    assert left.json() == {"slow_page": both["slow_page"]}


async def test_a_heavy_page_blocks_the_browser_first() -> None:
    """heavy_page puts a script that blocks for its milliseconds into that page, and into no other."""
    wanted = {"heavy_page": {"path": "/signin", "ms": 800}}
    async with visiting(web(environment=FAULTS_ON)) as client:
        await client.put("/admin/faults", json=wanted, headers=ADMIN)
        heavy, light = await client.get("/signin"), await client.get("/", headers=SESSION)
    assert 'burden.js" data-ms="800"></script>' in heavy.text
    assert "burden.js" not in light.text


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b'{"meteor": {}}',
        b'{"page_error": {"path": "/patients"}}',
        b'{"page_error": {"path": "/elsewhere", "status": 500}}',
        b'{"page_error": {"path": "/patients", "status": 200}}',
        b'{"page_error": {"path": "/patients", "status": true}}',
        b'{"slow_page": {"path": "/patients", "ms": 30001}}',
        b'{"slow_page": {"path": "/patients", "ms": 5}, "meteor": {}}',
        b'{"heavy_page": {}}',
        b'{"heavy_page": {"ms": 5, "mb": 1}}',
        b'{"bundle_bloat": {"kb": 0}}',
        b'{"theme_broken": {"px": 1}}',
        b'{"theme_broken": true}',
        b'{"offline_broken": {"path": "/"}}',
    ],
)
async def test_a_fault_that_cannot_be_is_refused_whole(body: bytes) -> None:
    """An unknown or senseless fault is 400 with what is accepted; nothing is switched on."""
    async with visiting(web(environment=FAULTS_ON)) as client:
        answer = await client.put("/admin/faults", content=body, headers=ADMIN)
        assert answer.status_code == 400
        assert set(answer.json()["accepted"]) == set(FAULTS)
        assert (await client.get("/admin/faults", headers=ADMIN)).json() == {}


async def test_a_fault_without_a_path_strikes_every_page() -> None:
    """heavy_page by its kilobytes makes each page that long, compressed to no less than half of it."""
    async with visiting(web(environment=FAULTS_ON)) as client:
        light = await client.get("/signin")
        await client.put("/admin/faults", json={"heavy_page": {"kb": 300}}, headers=ADMIN)
        pages = [await client.get(path, headers=SESSION) for path in ("/signin", "/", "/notes")]
    assert len(light.content) < 10_000
    assert all(len(page.content) > 300 * 1024 for page in pages)
    assert all(page.num_bytes_downloaded > 150 * 1024 for page in pages)
    assert all("burden.js" not in page.text for page in pages)


@pytest.mark.parametrize(("kb", "status"), [("9", 200), ("0", 404), ("x", 404), ("20001", 404)])
async def test_the_script_of_a_bloated_bundle_has_its_size(kb: str, status: int) -> None:
    """The extra script is as large as it is asked to be, within bounds."""
    async with visiting(web(environment=FAULTS_ON)) as client:
        answer = await client.get(f"/static/ballast.js?kb={kb}")
    assert answer.status_code == status
    assert status == 404 or 9 * 1024 <= len(answer.content) <= 9 * 1024 + 8


async def test_the_service_worker_is_served_filled_in() -> None:
    """The worker knows the files of this start and the pages, and browsers ask for it anew each time."""
    async with visiting(web()) as client:
        worker = await client.get("/sw.js")
        base = (await client.get("/signin")).text.split('rel="stylesheet" href="')[1].split("/app.css")[0]
        page_of_ballast = await client.get("/static/ballast.js?kb=9")
    assert worker.headers["content-type"].startswith("text/javascript")
    assert worker.headers["cache-control"] == "no-cache"
    assert f'const BASE = "{base}";' in worker.text
    assert 'const PAGES = "/ /dashboard /notes /patients".split(" ");' in worker.text
    assert 'const ANSWERS_OFFLINE = "yes" === "yes";' in worker.text
    assert page_of_ballast.status_code == 404


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "0", "--api", "http://127.0.0.1:1", "--host", "0.0.0.0"],  # noqa: S104  # it must be refused
        ["--port", "0", "--api", "http://192.0.2.1:5000"],
        ["--port", "0", "--api", "127.0.0.1:5000"],
    ],
)
def test_the_server_stays_on_this_machine(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Listening elsewhere, or an API elsewhere, is a usage error that names the option."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "must be" in capsys.readouterr().err
