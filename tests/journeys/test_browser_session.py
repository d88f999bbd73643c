"""What carries a session of the browser is a secret."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.unit.fakes import serving

from rampgate.errors import ProbeError
from rampgate.io.browser import SignedInBrowser, SignIn
from rampgate.io.browser_tools import find_browser

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from playwright.async_api import Page

FORM = b"""<!doctype html><form><input name=email><input name=password><button type=submit>in</button></form>
<script>document.forms[0].onsubmit = () => {
  sessionStorage.t = "STORED-1-abcdefgh"; localStorage.t = "KEPT-2-abcdefghij" }
document.forms[0].action = "/in"</script>"""


def test_the_session_that_the_browser_gets_is_learned() -> None:
    """Its cookies and the tokens in its storage are known before anything of a page is written down."""
    try:
        chromium = find_browser(os.environ)
    except ProbeError as error:
        pytest.skip(f"run `rampgate doctor --fix` first: {error}")
    learned: set[str] = set()

    def answer(to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("Content-Type", "text/html")
        name = "later" if to.path == "/page" else "sid"
        to.send_header("Set-Cookie", f"{name}={name}-CANARY-77aa; HttpOnly")
        to.send_header("Content-Length", str(len(FORM)))
        to.end_headers()
        to.wfile.write(FORM)

    async def look(page: Page) -> None:
        await page.goto(f"{url}/page")

    with serving(answer) as url:
        browser = SignedInBrowser(chromium, SignIn(f"{url}/form", "a", "b", "/in"))
        browser.learn = lambda *secrets: learned.update(secrets)
        with browser:
            assert learned == {"sid-CANARY-77aa", "STORED-1-abcdefgh", "KEPT-2-abcdefghij"}
            browser.visit(url, look)
        assert "later-CANARY-77aa" in learned
