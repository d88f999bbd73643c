"""Pictures of small pages in the real Chromium, and what comparing them says."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.unit.fakes import send, serving

from rampgate.errors import ProbeError
from rampgate.probes.pictures import Difference, compare
from rampgate.probes.visual import Picture, PicturedPage, take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

    from rampgate.io.browser import SignedInBrowser

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Page</title>
<style>
body {{ margin: 0; font: 16px/1.5 sans-serif; background: #ffffff }}
#box {{ background: {colour}; width: 200px; height: 100px; margin: 20px }}
#spinner {{ width: 40px; height: 40px; background: #2266aa; animation: spin .3s linear infinite }}
@keyframes spin {{ to {{ transform: rotate(360deg) }} }}
</style>
<h1 style="{heading}">Wards and what they need</h1><div id="box"></div><div id="spinner"></div>
<input autofocus value="a caret blinks here"><p id="clock">{clock}</p>{more}</html>"""


@dataclass
class Site:
    """A page whose look the test changes."""

    url: str = ""
    status: int = 200
    parts: dict[str, str] = field(default_factory=dict)

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        if handler.path == "/away":
            send(handler, 302, "", {"Location": "/"})
            return
        told = {"colour": "#336699", "heading": "", "clock": "12:00", "more": "", **self.parts}
        send(handler, self.status, PAGE.format(**told))


@pytest.fixture
def site() -> Iterator[Site]:
    """The site, as it is when nobody has changed it."""
    one = Site()
    with serving(one) as one.url:
        yield one


def picture(chromium: SignedInBrowser, site: Site, path: str = "/", *masks: str) -> Picture:
    """What the page looks like now."""
    page = PicturedPage("page", f"{site.url}{path}", masks)
    return chromium.visit(page.url, lambda tab: take(tab, page), viewport=(600, 400))


def after(chromium: SignedInBrowser, site: Site, *masks: str, **parts: str) -> Difference:
    """How the page differs once these parts of it have changed."""
    before = picture(chromium, site, "/", *masks)
    site.parts = parts
    now = picture(chromium, site, "/", *masks)
    assert now.made_by == before.made_by
    return compare(before.png, now.png)


def test_an_unchanged_page_is_the_same_pixel_for_pixel(chromium: SignedInBrowser, site: Site) -> None:
    """Neither an animation nor a caret makes a difference."""
    same = after(chromium, site)
    assert (same.pixels, same.of, same.picture) == (0, 600 * 400, None)


def test_a_changed_colour_is_caught_and_drawn(chromium: SignedInBrowser, site: Site) -> None:
    """Each pixel of the box differs; the drawing marks them, and little else, in red."""
    changed = after(chromium, site, colour="#336649")
    assert changed.pixels == 200 * 100
    assert changed.picture
    drawn = Image.open(io.BytesIO(changed.picture)).convert("RGB")
    reds = sum(count for count, colour in drawn.getcolors(1 << 20) or () if colour == (220, 20, 20))
    assert 200 * 100 <= reds <= 202 * 102


def test_a_masked_part_is_not_compared(chromium: SignedInBrowser, site: Site) -> None:
    """What is under a mask may change, and what is beside it may not."""
    beside = after(chromium, site, "#clock", "#box", clock="12:01", colour="#000000", heading="color: red")
    assert 0 < beside.pixels < 10_000


def test_a_mask_that_matches_nothing_is_told(chromium: SignedInBrowser, site: Site) -> None:
    """Whoever mistypes a selector learns of it."""
    assert picture(chromium, site, "/", "#clock", "#clok").unmatched == ("#clok",)


def test_edges_a_shade_apart_are_tolerated(chromium: SignedInBrowser, site: Site) -> None:
    """Pixels that differ by what another rounding of an edge makes, which nobody sees, do not count."""
    before = picture(chromium, site)
    site.parts = {"heading": "opacity: .96"}
    now = picture(chromium, site)
    assert now.png != before.png
    assert compare(before.png, now.png).pixels == 0


def test_a_page_of_another_height_differs_whole(chromium: SignedInBrowser, site: Site) -> None:
    """Pictures of two sizes cannot be compared, so that all of it differs."""
    longer = after(chromium, site, more='<div style="height: 300px"></div>')
    assert longer.resized
    assert longer.percent == 100
    assert longer.sizes[1][1] > longer.sizes[0][1] == 400


def test_a_page_that_fails_or_is_another_is_no_picture_of_it(chromium: SignedInBrowser, site: Site) -> None:
    """A 500 is told with its picture; a redirect to another page is an error."""
    site.status = 500
    assert not picture(chromium, site).up
    with pytest.raises(ProbeError, match=r"page page: the browser was led to /; is it signed in\?"):
        picture(chromium, site, "/away")


def test_a_page_that_never_holds_still_is_an_error(
    chromium: SignedInBrowser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to do, and a mask over what moves helps."""
    site.parts = {"more": "<script>setInterval(() => { clock.textContent = Math.random() }, 50)</script>"}
    with monkeypatch.context() as patch:
        patch.setattr("rampgate.probes.visual._QUIET_S", 1.0)
        with pytest.raises(ProbeError, match=r"does not hold still for 1 s; name .* in visual\.masks"):
            picture(chromium, site)
    assert picture(chromium, site, "/", "#clock").up
