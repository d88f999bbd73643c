"""Pictures of a page that are alike as long as it is: nothing moves or loads any more."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rampgate.errors import ProbeError
from rampgate.io.http import is_2xx

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.async_api import Page

_QUIET_S = 10.0
_PAUSE_S = 0.25
_MASK = "#8a8a8a"
# Drawn by each generic family, from several scripts: other fonts, or another way to draw them, other pixels.
_SAMPLE = "Handgloves 0123 äöüß €✓ → Ελ Жд 漢字 العربية 😀"
_FAMILIES = ("system-ui", "sans-serif", "serif", "monospace")


@dataclass(frozen=True, slots=True)
class PicturedPage:
    """A page to take pictures of.

    Args:
        name: its name in the settings.
        url: its address.
        masks: CSS selectors of what is painted over.
    """

    name: str
    url: str
    masks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a page.

    Args:
        png: the whole page, from top to bottom; each CSS pixel is one of its own.
        made_by: browser, version and a digest of its fonts: pictures of another one are not comparable.
        status: what the page answered with; 0 where it is not known.
        unmatched: masks that match nothing in the page.
    """

    png: bytes
    made_by: str
    status: int
    unmatched: tuple[str, ...] = ()

    @property
    def up(self) -> bool:
        """Whether the page came with 2xx."""
        return is_2xx(self.status)


async def take(tab: Page, page: PicturedPage) -> Picture:
    """Take a picture of a page once it holds still.

    Args:
        tab: an empty tab, of the page's width, signed in where the page needs it.
        page: what to take a picture of.

    Raises:
        ProbeError: the browser was led to another page, or the page never holds still.
    """
    made_by = await _maker(tab)
    await tab.emulate_media(reduced_motion="reduce", color_scheme="light")
    answer = await tab.goto(page.url, wait_until="load")
    if urlsplit(tab.url).path != urlsplit(page.url).path:
        raise ProbeError(
            f"page {page.name}: the browser was led to {urlsplit(tab.url).path}; is it signed in?"
        )
    await _settled(tab)
    unmatched = [mask for mask in page.masks if await tab.locator(mask).count() == 0]
    png = await _still(tab, page)
    return Picture(png, made_by, answer.status if answer else 0, tuple(unmatched))


async def _settled(tab: Page) -> None:
    """Wait for what the page fetches, as long as it comes to an end, and for its fonts."""
    from playwright.async_api import TimeoutError as PlaywrightTimeoutError

    with contextlib.suppress(PlaywrightTimeoutError):  # a page that never stops asking is never quiet
        await tab.wait_for_load_state("networkidle", timeout=_QUIET_S * 1000)
    await tab.evaluate("document.fonts.ready.then(() => null)")


async def _still(tab: Page, page: PicturedPage) -> bytes:
    """The first picture that is the same as the one before."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _QUIET_S
    before = await _shot(tab, page)
    while True:
        await asyncio.sleep(_PAUSE_S)
        now = await _shot(tab, page)
        if now == before:
            return now
        if loop.time() > until:
            raise ProbeError(
                f"page {page.name}: does not hold still for {_QUIET_S:g} s; name what moves in visual.masks"
            )
        before = now


async def _shot(tab: Page, page: PicturedPage) -> bytes:
    return await tab.screenshot(
        full_page=True,
        animations="disabled",
        caret="hide",
        scale="css",
        mask=[tab.locator(mask) for mask in page.masks],
        mask_color=_MASK,
    )


async def _maker(tab: Page) -> str:
    """``chromium-156.0.8078.79-1f0c2a9b``: the version, and a digest of how this machine draws a text."""
    lines = "".join(f'<p style="font: 16px {family}">{_SAMPLE}</p>' for family in _FAMILIES)
    await tab.set_content(f'<meta charset="utf-8">{lines}')
    await tab.evaluate("document.fonts.ready.then(() => null)")
    drawn = await tab.screenshot(animations="disabled", caret="hide", scale="css")
    browser = tab.context.browser
    version = browser.version if browser else "unknown"
    return f"chromium-{version}-{hashlib.sha256(drawn).hexdigest()[:8]}"
