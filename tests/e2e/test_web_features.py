"""What each feature of the pages changes, measured in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.e2e.small_clinic import sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.e2e.small_clinic import FakeApi

# Also what moves right after a click counts: the browser's own figure leaves that out.
WATCH_SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => list.getEntries().forEach((entry) => { window.shift += entry.value; }))
  .observe({ type: "layout-shift", buffered: true });
"""
DARK_GROUND = "rgb(15, 23, 24)"


def open_signed_in(page: Page, path: str) -> None:
    """Sign in, then open a page."""
    sign_in(page)
    page.wait_for_url("**/")
    page.goto(path)


@pytest.mark.parametrize("path", ["/", "/patients", "/notes"])
@pytest.mark.parametrize("feature", [True, False], ids=["attribute", "sheet"])
def test_the_theme_switch_moves_nothing_with_its_feature(
    page: Page, api: FakeApi, path: str, feature: bool
) -> None:
    """With themeOptimization the colours change and nothing else; without it the layout jumps."""
    api.features = frozenset({"themeOptimization"} if feature else ())
    page.emulate_media(color_scheme="light")
    page.add_init_script(WATCH_SHIFTS)
    open_signed_in(page, path)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.evaluate("window.shift = 0; window.stays = true")
    page.locator("#theme").click()
    expect(page.locator("body")).to_have_css("background-color", DARK_GROUND)
    expect(page.locator("#theme")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(true))))")
    shift = page.evaluate("window.shift")
    assert page.evaluate("window.stays")
    assert shift == 0 if feature else shift > 0.05


@pytest.mark.parametrize("feature", [True, False], ids=["attribute", "sheet"])
def test_the_chosen_theme_is_kept(page: Page, api: FakeApi, feature: bool) -> None:
    """The next page has the theme that was chosen on the one before, and a second press undoes it."""
    api.features = frozenset({"themeOptimization"} if feature else ())
    page.emulate_media(color_scheme="light")
    open_signed_in(page, "/")
    page.locator("#theme").click()
    page.goto("/notes")
    expect(page.locator("#theme")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("body")).to_have_css("background-color", DARK_GROUND)
    page.locator("#theme").click()
    expect(page.locator("body")).not_to_have_css("background-color", DARK_GROUND)
