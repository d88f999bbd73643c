"""A page that tries to reach another host by every way that it has, opened in the real Chromium."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.unit.fakes import send, send_json, serving
from tests.unit.tls import Authority, encrypted

from rampgate.errors import ProbeError
from rampgate.io.browser import SignedInBrowser
from rampgate.io.certificates import certificates
from rampgate.io.guard import Guard
from rampgate.io.page_load import load_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    from playwright.async_api import Page
    from tests.journeys.conftest import Program

ELSEWHERE = "127.0.0.9"
PAGE = """<!doctype html><title>x</title><link rel=icon href=data:,>
<link rel=preconnect href=//AT><link rel=prefetch href=//AT/prefetch><link rel=stylesheet href=//AT/style>
<script type=speculationrules>{"prefetch": [{"source": "list", "urls": ["http://AT/speculation"]}]}</script>
<img src=//AT/image><iframe src=//AT/frame></iframe><video src=//AT/video autoplay></video>
<script src=//AT/script></script>
<script>
fetch("//AT/fetch").catch(() => 0);
navigator.sendBeacon("//AT/beacon", "x");
new EventSource("//AT/events");
new WebSocket("ws://AT/socket");
new Worker(URL.createObjectURL(new Blob(["fetch('http://AT/worker').catch(() => 0)"])));
navigator.serviceWorker.register("/worker.js");
open("//AT/popup");
document.write("<form method=post target=f action=//AT/form></form><iframe name=f></iframe>");
document.forms[0].submit();
</script>"""
WORKER = "self.addEventListener('install', event => event.waitUntil(fetch('http://AT/service')))"


def opened(program: Program, reach: Sequence[str]) -> list[str]:
    """What the other host hears of the page, where the browser may go to these addresses too."""
    heard: list[str] = []

    def hear(request: BaseHTTPRequestHandler) -> None:
        heard.append(request.path)
        send(request, 204, "")

    def show(request: BaseHTTPRequestHandler) -> None:
        text, kind = (WORKER, "text/javascript") if request.path == "/worker.js" else (PAGE, "text/html")
        send(request, 200, text.replace("AT", address), {"Content-Type": kind})

    async def visit(tab: Page, url: str) -> None:
        await load_page(tab, url)
        await tab.wait_for_timeout(1000)

    with serving(hear, ELSEWHERE) as other, serving(show) as url:
        address = other.removeprefix("http://")
        with SignedInBrowser(program, reach=(Guard(), [each.format(other) for each in reach])) as browser:
            browser.visit(f"{url}/", partial(visit, url=f"{url}/"))
    return heard


def test_a_page_reaches_no_host_that_is_not_allowed(program: Program) -> None:
    """Whatever it is made of: not by a picture, a frame, a socket, a worker, a form or a guess ahead."""
    assert opened(program, []) == []


def test_a_page_reaches_what_is_allowed(program: Program) -> None:
    """The very same page, so that nothing above is refused for want of a way."""
    ways = {"/style", "/image", "/frame", "/script", "/fetch", "/beacon", "/socket", "/worker", "/form"}
    assert ways <= set(opened(program, ["{}"]))


def test_an_authority_of_ones_own_is_trusted_where_ssl_cert_file_names_it(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the browser as by every other client, for the server that has the key; without it, by none."""
    authority = Authority(tmp_path)
    tls = encrypted(authority.certificate("127.0.0.1"))

    def visited(url: str) -> bool:
        certificates.cache_clear()
        with SignedInBrowser(program, reach=(Guard(), [url])) as browser:
            return bool(browser.visit(url, lambda tab: tab.goto(url)))

    with serving(lambda handler: send_json(handler, 200, {}), tls=tls) as url:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert visited(url)
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(ProbeError, match="ERR_CERT_AUTHORITY_INVALID"):
            visited(url)
    certificates.cache_clear()
