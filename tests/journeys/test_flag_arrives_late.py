"""The patient list while the flag service is slow, fails or hangs, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.journeys.small_clinic import WATCH_SHIFTS, eventually, open_signed_in

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

FLAG = "**/api/feature-flags/virtualization*"
JUMPS = 0.1
"""From here on a visitor notices that the page moves, as web.dev has it."""


WINDOWS = {"desktop": (1280, 720), "tall": (1280, 1700), "phone": (400, 800)}


@pytest.fixture
def held(page: Page) -> list[Route]:
    """The questions for the flag, none of which is answered."""
    questions: list[Route] = []

    def hold(route: Route) -> None:
        questions.append(route)

    page.route(FLAG, hold)
    page.add_init_script(WATCH_SHIFTS)
    return questions


def more(page: Page) -> None:
    """Use the standard list: twenty more patients."""
    rows = page.locator("#patients tbody tr")
    expect(rows).to_have_count(20)
    page.get_by_role("button", name="Load more").click()
    expect(rows).to_have_count(40)
    expect(page.locator("body")).to_have_attribute("data-list", "standard")


def shifted(page: Page) -> float:
    """How far the layout has moved since the last call; what is drawn now is told some frames later."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 250)))")
    return float(page.evaluate("{ const all = window.shift; window.shift = 0; all }"))


@pytest.mark.parametrize("at", ["top", "end"])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
def test_nothing_moves_when_the_flag_comes_late(
    page: Page, held: list[Route], enabled: bool, window: str, at: str
) -> None:
    """On either arm the page stays where it is, wherever the visitor has come by then."""
    width, height = WINDOWS[window]
    page.set_viewport_size({"width": width, "height": height})
    open_signed_in(page, "/patients")
    expect(page.locator("#patients tbody tr")).to_have_count(20)
    if at == "end":
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert shifted(page) < JUMPS
    place = page.evaluate("scrollY")
    held[0].fulfill(json={"name": "virtualization", "enabled": enabled})
    if enabled:
        expect(page.locator("#status")).to_have_text("1,000 patients in one list.")
    assert shifted(page) < JUMPS / 10
    assert page.evaluate("scrollY") == place
    expect(page.locator("body")).to_have_attribute("data-list", "virtualized" if enabled else "standard")


def test_nothing_moves_when_the_flag_comes_before_the_list(page: Page, held: list[Route]) -> None:
    """A list that is virtualized before its first patients are there keeps their place."""
    lists: list[Route] = []
    page.route("**/api/patients?*", lambda route: lists.append(route) if not lists else route.continue_())
    open_signed_in(page, "/patients")
    eventually(lambda: bool(held and lists), page)
    held[0].fulfill(json={"name": "virtualization", "enabled": True})
    expect(page.locator("body")).to_have_attribute("data-list", "virtualized")
    lists[0].continue_()
    expect(page.locator("#status")).to_have_text("1,000 patients in one list.")
    assert shifted(page) < JUMPS / 10


@pytest.mark.parametrize("answer", ["loading", "fails", "refused", "no JSON"])
def test_the_standard_list_works_without_the_flag(page: Page, held: list[Route], answer: str) -> None:
    """Whatever becomes of the question for the flag, the standard list is there and can be used."""
    open_signed_in(page, "/patients")
    eventually(lambda: bool(held), page)
    if answer == "fails":
        held[0].fulfill(status=500, json={"error": "broken"})
    elif answer == "refused":
        held[0].abort("connectionrefused")
    elif answer == "no JSON":
        held[0].fulfill(body="<!doctype html>")
    assert shifted(page) < JUMPS
    more(page)


def test_who_was_at_the_button_is_left_at_the_list(page: Page, held: list[Route]) -> None:
    """The button goes when the list is virtualized; the keyboard stays where the list says what it is."""
    open_signed_in(page, "/patients")
    more(page)
    held[0].fulfill(json={"name": "virtualization", "enabled": True})
    expect(page.locator("#status")).to_have_text("1,000 patients in one list.")
    expect(page.locator("#status")).to_be_focused()
