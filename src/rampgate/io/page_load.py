"""A page as a browser opens it: what of it is missing, and what it writes to the console."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rampgate.io.http import is_2xx, site_of

if TYPE_CHECKING:
    from playwright.async_api import ConsoleMessage, Error, Page, Request, Response

QUIET_MS = 500
"""How long a page may go on after it is loaded, before what it wrote is counted."""
LOAD_S = 15.0
"""Seconds until the page, and until everything that it asks for, must have come."""
SELECTOR_S = 10.0
"""Seconds until what scripts add to a page must be there."""
_PARTS = frozenset({"script", "stylesheet", "image", "font"})
_ANSWERED = "answered"
_REFUSED = "net::ERR_CONNECTION_REFUSED"
"""All that Chromium says of a host that it may not connect to."""
_GIVEN_UP = "net::ERR_ABORTED"
"""The page itself did not want it any more."""
_TEXT = 160
_PLACE = 100
_ICON = "/favicon.ico"
_OWN_ICON = """(icon) => {
  const links = [...document.querySelectorAll('link[rel~="icon" i]')];
  return links.some((link) => new URL(link.href).pathname === icon);
}"""
_FRAME = re.compile(r"^[ \t]{0,40}at .{0,200}?(https?://\S{1,500}?):(\d{1,9}):\d{1,9}\)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PageLoad:
    """What came of opening a page.

    Args:
        status: of the page itself, None when the browser does not say.
        found: whether what the selector names is in the page.
        parts: scripts, styles, images and fonts that the page asked for.
        missing: those of its own site that did not come, one text each.
        missing_elsewhere: those of other sites.
        errors: what it wrote to the console as errors, beside what is missing.
    """

    status: int | None
    found: bool = True
    parts: int = 0
    missing: tuple[str, ...] = ()
    missing_elsewhere: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


class Console:
    """Hears the errors that a page writes to the console, and its uncaught exceptions.

    Args:
        tab: hears from now on.
        url: the page's address.
    """

    def __init__(self, tab: Page, url: str) -> None:
        self._tab, self._page = tab, url
        self._heard: list[tuple[str, str]] = []
        tab.on("console", self._hear)
        tab.on("pageerror", self._catch)

    async def errors(self, besides: frozenset[str] = frozenset()) -> list[str]:
        """An error a line, with its place.

        A favicon.ico that the page does not name is no part of it: the browser asks for it by itself.

        Args:
            besides: what is said of these addresses is left out.
        """
        icons = {url for _, url in self._heard if urlsplit(url).path == _ICON}
        if icons and not await self._tab.evaluate(_OWN_ICON, _ICON):
            besides |= icons
        return [line for line, url in self._heard if not url or url not in besides]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            at = message.location
            if _REFUSED in message.text and site_of(at["url"]) not in {"", site_of(self._page)}:
                return  # by us, perhaps; what a page does without it is its own
            # Both count from 0; what did not load has a place and no line.
            line = at["lineNumber"] + 1 if at["lineNumber"] or at["columnNumber"] else 0
            self._heard.append((self._line(message.text, at["url"], line), at["url"]))

    def _catch(self, error: Error) -> None:
        frame = _FRAME.search(error.stack or "")
        url, line = (frame[1], int(frame[2])) if frame else ("", 0)
        self._heard.append((self._line(str(error), url, line), ""))

    def _line(self, text: str, url: str, line: int) -> str:
        says, place = " ".join(text.split())[:_TEXT], place_of(url, self._page)
        return f"{says} (at {place}{f':{line}' if line else ''})" if place else says


class _Parts:
    """Follows what a page asks for."""

    def __init__(self, tab: Page, url: str) -> None:
        self._page = url
        self.asked: dict[str, str] = {}
        """Address -> what is wrong with what came, "" when nothing is."""
        tab.on("request", self._begun)
        tab.on("response", self._answered)
        tab.on("requestfailed", self._failed)

    def missing(self, *, own: bool) -> tuple[str, ...]:
        """Those that did not come, of the page's own site or of others."""
        site = site_of(self._page)
        return tuple(
            f"{place_of(url, self._page)} {trouble}"
            for url, trouble in self.asked.items()
            if trouble and (site_of(url) == site) is own
        )

    def addresses(self) -> frozenset[str]:
        """Of those that did not come, whoever's they are."""
        return frozenset(url for url, trouble in self.asked.items() if trouble)

    def _begun(self, request: Request) -> None:
        if request.resource_type in _PARTS and site_of(request.url):
            self.asked[request.url] = f"had not come after {LOAD_S:g} s"

    def _answered(self, response: Response) -> None:
        if response.url in self.asked:
            good = response.status < 400  # noqa: PLR2004  # a redirect is followed, 304 is in the cache
            page = " with an HTML page" if "html" in response.headers.get("content-type", "") else ""
            self.asked[response.url] = f"{_ANSWERED} HTTP {response.status}{page}" if page or not good else ""

    def _failed(self, request: Request) -> None:
        if not self.asked.get(request.url, _ANSWERED).startswith(_ANSWERED):
            why = request.failure or "failed"
            if why == _REFUSED and site_of(request.url) != site_of(self._page):
                why = f"{_REFUSED}: is its host in allowed_hosts?"
            self.asked[request.url] = "" if why == _GIVEN_UP else f"did not come ({why[:_TEXT]})"


async def load_page(tab: Page, url: str, selector: str = "") -> PageLoad:
    """Open a page and wait until it is loaded, and what the selector names is there.

    Args:
        tab: empty.
        url: its address.
        selector: of CSS; "" asks for nothing.

    Raises:
        playwright.async_api.Error: it cannot be opened.
    """
    from playwright.async_api import TimeoutError as PlaywrightTimeoutError

    console, parts = Console(tab, url), _Parts(tab, url)
    response = await tab.goto(url, wait_until="commit", timeout=LOAD_S * 1000)
    status = response.status if response else None
    # What has not come is known by its address; a tab whose page still comes may never close.
    with suppress(PlaywrightTimeoutError):
        await tab.wait_for_load_state("load", timeout=LOAD_S * 1000)
    if not is_2xx(status):
        return PageLoad(status, found=False)
    found = True
    try:
        if selector:
            await tab.locator(selector).first.wait_for(state="attached", timeout=SELECTOR_S * 1000)
    except PlaywrightTimeoutError:
        found = False
    await tab.wait_for_timeout(QUIET_MS)
    errors = await console.errors(besides=parts.addresses())
    return PageLoad(
        status, found, len(parts.asked), parts.missing(own=True), parts.missing(own=False), tuple(errors)
    )


def place_of(url: str, page: str) -> str:
    """Where something is, without query and credentials: of the page's own site the path alone."""
    site = site_of(url)
    if not site:
        return ""
    place = ("" if site == site_of(page) else site) + urlsplit(url).path
    return f"…{place[-_PLACE:]}" if len(place) > _PLACE else place
