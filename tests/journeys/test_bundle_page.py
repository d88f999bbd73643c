"""The scripts that a page transfers, counted in the real Chromium."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from tests.unit.fakes import send, serving

from rampgate.errors import ProbeError
from rampgate.probes.bundle import PageScripts, Script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

    from rampgate.io.browser import SignedInBrowser

LAZY = "window.lazy = 1; " + "// words that repeat\n" * 300
MAIN = "const later = () => import('/lazy.js?v=2'); setTimeout(later, 100);"
PAGE = (
    "<!doctype html><title>x</title><script type=module src=/main.js></script><script src=/main.js></script>"
)


@dataclass
class Site:
    """A page with scripts, one of which it asks for only later; a test may break them."""

    url: str = ""
    statuses: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=lambda: {"/": PAGE, "/main.js": MAIN, "/lazy.js": LAZY})

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request; scripts may be cached for ever, and long ones travel compressed."""
        path = handler.path.partition("?")[0]
        status = self.statuses.get(path, 200 if path in self.texts else 404)
        body = self.texts.get(path, "").encode()
        headers = {"Cache-Control": "max-age=3600"}
        if status == 302:
            headers["Location"] = "/signin"
        if path.endswith(".js"):
            headers["Content-Type"] = "text/javascript"
        if path == "/lazy.js":
            headers["Content-Encoding"], body = "gzip", gzip.compress(body, 1)
        send(handler, status, body, headers)


@pytest.fixture
def site() -> Iterator[Site]:
    """The site, as it is when nobody has changed it."""
    one = Site()
    with serving(one) as one.url:
        yield one


def scripts(chromium: SignedInBrowser, site: Site, path: str = "/") -> list[Script]:
    """What the page transfers now."""
    page = PageScripts("home", f"{site.url}{path}", "/signin")
    return chromium.visit(page.url, page.visit)


def test_scripts_are_counted_as_they_are_and_as_they_travel(chromium: SignedInBrowser, site: Site) -> None:
    """Each once, those asked for after the load too; and at the second visit again, past the cache."""
    for _ in range(2):
        lazy, main = scripts(chromium, site)
        assert (lazy.name, lazy.raw, main.name, main.raw) == ("/lazy.js", len(LAZY), "/main.js", len(MAIN))
        assert lazy.gzipped == len(gzip.compress(LAZY.encode(), 9, mtime=0))
        assert lazy.transferred == len(gzip.compress(LAZY.encode(), 1))
        assert main.transferred == main.raw


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/lazy.js", 404, "page home: a script does not come: /lazy.js: HTTP 404"),
        ("/main.js", 500, "page home: a script does not come: /main.js: HTTP 500"),
        ("/", 503, "page home: answered 503 in the browser"),
        ("/", 302, "page home: the browser is not signed in: it is on /signin"),
    ],
)
def test_page_that_is_not_whole_is_not_measured(
    chromium: SignedInBrowser, site: Site, path: str, status: int, says: str
) -> None:
    """What is left of it would pass for a small bundle."""
    site.texts["/signin"] = PAGE
    site.statuses[path] = status
    with pytest.raises(ProbeError) as refused:
        scripts(chromium, site)
    assert str(refused.value) == says


def test_page_without_a_script_is_an_error(chromium: SignedInBrowser, site: Site) -> None:
    """No bytes are no measurement."""
    site.texts["/"] = "<!doctype html><title>x</title>"
    with pytest.raises(ProbeError, match="page home: transfers no script"):
        scripts(chromium, site)


def test_script_that_gets_no_answer_is_named(chromium: SignedInBrowser, site: Site) -> None:
    """One of another site, where nobody listens."""
    site.texts["/"] = "<!doctype html><title>x</title><script src=http://127.0.0.1:1/far.js?key=1></script>"
    with pytest.raises(ProbeError, match=r"does not come: http://127\.0\.0\.1:1/far\.js: net::ERR_"):
        scripts(chromium, site)
