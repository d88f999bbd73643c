"""The Lighthouse probe with the real Chromium and the real Lighthouse, on small pages of our own."""

from __future__ import annotations

import asyncio
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.unit.fakes import send_json, serving

from rampgate.clock import SystemClock
from rampgate.errors import ProbeError
from rampgate.io.browser import SignIn
from rampgate.io.browser_tools import find_tools
from rampgate.probes.auditor import AuditTimeoutError, BrowserAuditor
from rampgate.probes.lighthouse import (
    AuditedPage,
    LighthouseProbe,
    essentials,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rampgate.io.browser_tools import Tools

PASSWORD = "canary-password"
WRONG = "canary-wrong"
PAGE = b"""<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">
<title>Page</title><main><h1>canary-content</h1></main><script>fetch('/size?' + innerWidth)</script></html>"""
FORM = b"""<!doctype html><html lang="en"><title>Sign in</title><form method="post">
<label>Email <input name="email"></label>
<label>Password <input type="password" name="password"></label><button type="submit">Go</button>
</form></html>"""


class Site(ThreadingHTTPServer):
    """A page for those who signed in, a form, a page that fails and one that never answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.seen: list[tuple[str, str | None]] = []
        self.secrets: list[str | None] = []
        self.elsewhere = ""
        self.over = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Answers for the site."""

    server: Site

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Keep quiet."""

    def do_GET(self) -> None:
        """A page, or a redirect to the form."""
        self.server.seen.append((self.path, self.headers["X-Rampgate-Run"]))
        self.server.secrets.append(self.headers["X-Secret"])
        path = urlsplit(self.path).path
        if path == "/never":
            self.server.over.wait(60)
        elif path == "/fails":
            self.answer(500, b"canary-content")
        elif path == "/away":
            self.answer(302, b"", Location=f"{self.server.elsewhere}/")
        elif path == "/mixed":
            self.answer(
                200, PAGE.replace(b"<h1>", f'<img alt="" src="{self.server.elsewhere}/i">'.encode() + b"<h1>")
            )
        elif path == "/signin":
            self.answer(200, FORM)
        elif "sid=known" in (self.headers["Cookie"] or ""):
            self.answer(200, PAGE)
        else:
            self.answer(303, b"", Location="/signin?next=/")

    def do_POST(self) -> None:
        """Sign in whoever knows the password."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if PASSWORD.encode() in body:
            self.answer(303, b"", Location="/", Set_Cookie="sid=known; HttpOnly; SameSite=Lax")
        else:
            self.answer(401, FORM)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        """Send it."""
        self.send_response(status)
        for name, value in {"Content-Type": "text/html", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The site, served from a thread."""
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def tools() -> Tools:
    """The browser tools of this machine."""
    try:
        return find_tools(os.environ)
    except ProbeError as error:
        pytest.skip(f"run `rampgate doctor --fix` first: {error}")


@pytest.fixture(scope="module")
def stranger(tools: Tools) -> Iterator[BrowserAuditor]:
    """A browser that is not signed in, with time for an audit of a page that fails quickly."""
    with BrowserAuditor(tools, timeout_s=60) as auditor:
        yield auditor


def probe(
    auditor: BrowserAuditor, site: Site, path: str, status: int | None, folder: Path
) -> LighthouseProbe:
    """A probe of the site's page, whose plain GET answers with the status."""
    page = AuditedPage("page", site.base + path, "mobile", lambda: status)
    return LighthouseProbe(auditor, page, folder, SystemClock())


def test_a_guarded_page_is_audited_signed_in(tools: Tools, site: Site, tmp_path: Path) -> None:
    """Lighthouse sees the page that the browser signed in to, as a phone, and says who asks."""
    form = SignIn(f"{site.base}/signin", "a@example.org", PASSWORD)
    with BrowserAuditor(tools, form, extra_headers={"X-Rampgate-Run": "run-7"}) as auditor:
        result = auditor.audit(f"{site.base}/", "mobile", tmp_path / "result.json")
    kept = essentials(result)
    assert kept["finalDisplayedUrl"] == f"{site.base}/"
    assert 0 < kept["categories"]["performance"]["score"] <= 1
    assert 0 < kept["categories"]["accessibility"]["score"] <= 1
    assert kept["environment"]["benchmarkIndex"] > 0
    assert kept["audits"]["largest-contentful-paint"]["numericValue"] > 0
    assert "canary" in str(result)
    assert "canary" not in str(kept)
    assert {run for _path, run in site.seen} == {"run-7"}
    assert ("/size?412", "run-7") in site.seen


def test_a_page_that_leads_to_the_form_is_an_error(
    stranger: BrowserAuditor, site: Site, tmp_path: Path
) -> None:
    """The good score of a sign-in page is not taken for the page's."""
    with pytest.raises(ProbeError, match=r"led to http://127\.0\.0\.1:\d+/signin instead of"):
        probe(stranger, site, "/", 200, tmp_path).measure(1)


def test_a_redirect_to_another_site_is_not_followed(tools: Tools, site: Site, tmp_path: Path) -> None:
    """The other site is not asked, neither by the tab nor by Lighthouse nor by the form; the page is down."""
    asked_elsewhere: list[str] = []

    def keep(asked: BaseHTTPRequestHandler) -> None:
        asked_elsewhere.append(asked.path)
        send_json(asked, 200, {})

    with (
        serving(keep) as elsewhere,
        BrowserAuditor(tools, timeout_s=60) as auditor,
    ):
        site.elsewhere = elsewhere
        (down,) = probe(auditor, site, "/away", 302, tmp_path).measure(1)
        assert (down.metric, down.value) == ("page_up", 0.0)
        with pytest.raises(ProbeError, match="ERR_BLOCKED_BY_CLIENT"):
            BrowserAuditor(tools, SignIn(f"{site.base}/away", "a@example.org", PASSWORD)).__enter__()
    assert asked_elsewhere == []


def test_secret_headers_go_to_the_pages_site_alone(tools: Tools, site: Site, tmp_path: Path) -> None:
    """A picture from elsewhere is loaded, as users load it, but without what only the target may know."""
    seen: list[tuple[str | None, str | None]] = []

    def keep(asked: BaseHTTPRequestHandler) -> None:
        seen.append((asked.headers["X-Rampgate-Run"], asked.headers["X-Secret"]))
        send_json(asked, 200, {})

    site.secrets.clear()
    with (
        serving(keep) as elsewhere,
        BrowserAuditor(
            tools,
            timeout_s=60,
            extra_headers={"X-Rampgate-Run": "run-8"},
            secret_headers={"X-Secret": "canary"},
        ) as auditor,
    ):
        site.elsewhere = elsewhere
        auditor.audit(f"{site.base}/mixed", "mobile", tmp_path / "result.json")
    assert set(seen) == {("run-8", None)}
    assert set(site.secrets) == {"canary"}


def test_a_page_that_fails_is_down(stranger: BrowserAuditor, site: Site, tmp_path: Path) -> None:
    """A 500 seen by Lighthouse and by a plain GET is a verdict on the page."""
    (down,) = probe(stranger, site, "/fails", 500, tmp_path).measure(1)
    assert (down.metric, down.value) == ("page_up", 0.0)
    assert "ERRORED_DOCUMENT_REQUEST" in down.note


def test_a_page_that_never_answers_ends_in_our_time_out(tools: Tools, site: Site, tmp_path: Path) -> None:
    """The time-out is ours; afterwards the same browser still opens and closes."""
    with (
        BrowserAuditor(tools, timeout_s=4) as auditor,
        pytest.raises(AuditTimeoutError, match="did not end within 4 s"),
    ):
        auditor.audit(f"{site.base}/never", "mobile", tmp_path / "result.json")


def test_a_refused_password_is_told_without_the_password(tools: Tools, site: Site) -> None:
    """The error says where the browser is, and neither it nor what caused it has the password."""
    form = SignIn(f"{site.base}/signin", "a@example.org", WRONG, step_s=1)
    with pytest.raises(ProbeError, match=r"after the sign-in form .* is on /signin, not on /") as error:
        BrowserAuditor(tools, form).__enter__()
    assert "canary" not in str(error.getrepr(style="long", chain=True))


def test_a_form_that_cannot_be_filled_is_told_without_the_password(tools: Tools, site: Site) -> None:
    """Playwright's own message quotes what it was to type: it goes no further."""
    form = SignIn(f"{site.base}/signin", "a@example.org", PASSWORD, password_selector="button", step_s=1)
    with pytest.raises(ProbeError, match="signing in with the browser failed") as error:
        BrowserAuditor(tools, form).__enter__()
    assert "canary" not in str(error.getrepr(style="long", chain=True))


def test_the_callers_asyncio_stays_free(stranger: BrowserAuditor) -> None:
    """While the browser is alive, the caller may run an event loop of its own."""
    assert stranger is not None
    assert asyncio.run(asyncio.sleep(0, "ran")) == "ran"
