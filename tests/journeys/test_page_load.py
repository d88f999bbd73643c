"""A page and what it asks for, opened in the real Chromium."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.unit.fakes import send, serving

from rampgate.io import page_load
from rampgate.io.page_load import PageLoad, load_page

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from rampgate.io.browser import SignedInBrowser

ADDS = "setTimeout(() => { document.body.innerHTML += '<ul id=list><li>a</ul>'; }, 300);"
QUIET_ICON = "<link rel=icon href=data:,>"
PAGE = "<!doctype html><title>x</title>{}<body>{}"


def opened(
    chromium: SignedInBrowser, html: str, selector: str = "", status: int = 200, icon: str = QUIET_ICON
) -> PageLoad:
    """What comes of opening a page of this HTML, whose site has /good.js and hangs up on /cut.js."""

    def handle(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/cut.js":
            handler.close_connection = True
            return
        found = handler.path in {"/", "/good.js", "/page.js"}
        text = ADDS if handler.path == "/good.js" else PAGE.format(icon, html) if found else "no"
        kind = "text/javascript" if handler.path == "/good.js" else "text/html"
        code = status if handler.path == "/" else 200 if found else 404
        send(handler, code, text, {"Content-Type": kind, "Cache-Control": "no-store"})

    with serving(handle) as url:
        return chromium.visit(f"{url}/", partial(_load, url=f"{url}/", selector=selector))


async def _load(tab: object, url: str, selector: str) -> PageLoad:
    return await load_page(tab, url, selector)  # type: ignore[arg-type]


def test_a_sound_page_lacks_nothing(chromium: SignedInBrowser) -> None:
    """What its script adds is there, its script came, and its console is quiet."""
    assert opened(chromium, "<script src=/good.js></script>", "#list li") == PageLoad(200, parts=1)


def test_what_no_script_adds_is_not_found(chromium: SignedInBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is only a shell."""
    monkeypatch.setattr(page_load, "SELECTOR_S", 0.1)
    assert not opened(chromium, "<div id=app></div>", "#list").found


def test_missing_scripts_styles_and_images_are_named(chromium: SignedInBrowser) -> None:
    """By status or by what broke, without their query; and no second time as errors on the console."""
    html = (
        "<script src=/gone.js?token=s3cret></script><script src=/cut.js></script>"
        "<link rel=stylesheet href=/gone.css><img src=/gone.png><script src=/good.js></script>"
    )
    load = opened(chromium, html)
    assert load.parts == 5
    *answered, cut = sorted(load.missing, key=lambda each: "cut" in each)
    assert sorted(answered) == [
        f"/gone.{end} answered HTTP 404 with an HTML page" for end in ("css", "js", "png")
    ]
    assert cut.startswith("/cut.js did not come (net::ERR_")
    assert load.errors == ()


def test_a_page_in_place_of_a_script_is_no_script(chromium: SignedInBrowser) -> None:
    """As many applications answer whatever they do not have."""
    assert opened(chromium, "<script src=/page.js></script>").missing == (
        "/page.js answered HTTP 200 with an HTML page",
    )


def test_what_another_site_does_not_send_is_listed_apart(chromium: SignedInBrowser) -> None:
    """It may be blocked here alone."""
    load = opened(chromium, "<img src=http://127.0.0.1:9/x.png?k=1>")
    assert (load.missing, load.parts) == ((), 1)
    assert load.missing_elsewhere[0].startswith("http://127.0.0.1:9/x.png did not come (net::ERR_")


def test_a_part_that_never_ends_is_missing(
    chromium: SignedInBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is not waited for without an end, and what it waits for is named."""
    monkeypatch.setattr(page_load, "LOAD_S", 1.0)

    def hang(handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(1)  # a byte that nobody sends

    with serving(hang) as slow:
        load = opened(chromium, f"<img src={slow}/x.png>")
    assert load.missing_elsewhere == (f"{slow}/x.png had not come after 1 s",)


def test_errors_on_the_console_are_heard(chromium: SignedInBrowser) -> None:
    """What the page writes, and what nobody catches."""
    load = opened(chromium, "<script>console.error('bad'); console.warn('meh'); throw Error('boom')</script>")
    assert [error.partition(" (at")[0] for error in load.errors] == ["bad", "boom"]


def test_a_page_that_breaks_in_the_browser_is_not_waited_for(chromium: SignedInBrowser) -> None:
    """Its status says it all."""
    assert opened(chromium, "", "h1", status=503) == PageLoad(503, found=False)


ASKS = "<script>fetch('/favicon.ico').catch(() => 0)</script>"
"""As not every browser asks for it by itself."""


@pytest.mark.parametrize(
    ("icon", "counts"),
    [("", False), (QUIET_ICON, False), ("<link rel='shortcut icon' href='/favicon.ico?v=2'>", True)],
)
def test_a_favicon_that_the_page_does_not_name_is_no_part_of_it(
    chromium: SignedInBrowser, icon: str, counts: bool
) -> None:
    """The browser asks for it by itself: that it is not there is no error of the page."""
    load = opened(chromium, ASKS, icon=icon)
    assert (load.parts, load.missing, bool(load.errors)) == (0, (), counts)
