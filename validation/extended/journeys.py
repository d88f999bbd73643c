"""The journeys of the reference deployment, written as those of any other service are: docs/journeys.md."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from rampgate.journeys import Journey

FLAGS = re.compile(r"/api/feature-flags/virtualization\?")
ROWS = "#patients tbody tr:not(.spacer)"


def clinic(journey: Journey) -> None:
    """A nurse signs in, finds patients and notes, changes the theme, and leaves nothing open behind."""
    page = journey.page
    _sign_in(journey)
    with journey.step("dashboard"):
        expect(page.get_by_text("The dashboard is loaded.")).to_be_visible()
        expect(page.locator("#widgets article")).not_to_have_count(0)
    with journey.step("patients"):
        page.get_by_role("link", name="Patients").click()
        _standard_or_virtualized(page)
    with journey.step("open a note"):
        page.get_by_role("link", name="Notes").click()
        expect(page.locator("#notes tbody tr")).to_have_count(20)
    with journey.step("switch the theme", still=True):
        theme = page.locator("#theme")
        before = page.evaluate("getComputedStyle(document.body).backgroundColor")
        theme.click()
        expect(page.locator("body")).not_to_have_css("background-color", before)
    with journey.step("sign out"):
        kept = [(cookie["name"], cookie["value"]) for cookie in page.context.cookies()]
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_url(re.compile("/signin$"))
    with journey.step("the old session is refused"):
        # The browser has forgotten its cookies: has the server, too?
        page.context.add_cookies([{"name": name, "value": value, "url": journey.web} for name, value in kept])
        page.goto("/")
        expect(page).to_have_url(re.compile("/signin$"))


def flags_loading(journey: Journey) -> None:
    """While the flag loads, the standard list is there."""
    waiting: list[Route] = []
    journey.page.route(FLAGS, lambda route: waiting.append(route))  # noqa: PLW0108
    _sign_in(journey)
    with journey.step("patients while the flag loads"):
        _standard(journey.page)
        journey.page.get_by_role("button", name="Load more").click()
        expect(journey.page.locator(ROWS)).to_have_count(40)
    for route in waiting:
        route.continue_()


def flags_failing(journey: Journey) -> None:
    """When the flag service fails, the standard list stays."""
    journey.page.route(FLAGS, lambda route: route.fulfill(status=500, json={"error": "down"}))
    _sign_in(journey)
    with journey.step("patients without the flag service"):
        _standard(journey.page)
        journey.page.get_by_role("button", name="Load more").click()
        expect(journey.page.locator(ROWS)).to_have_count(40)


def flags_late(journey: Journey) -> None:
    """When the flag comes late, nothing jumps, whichever list it brings."""

    def late(route: Route) -> None:
        time.sleep(1)
        route.continue_()

    page = journey.page
    page.route(FLAGS, late)
    _sign_in(journey)
    with journey.step("patients", still=True), page.expect_response(FLAGS):
        _standard(page)
    with journey.step("the flag is there", still=True):
        page.wait_for_load_state("networkidle")
        _standard_or_virtualized(page)


def _sign_in(journey: Journey) -> None:
    page = journey.page
    with journey.step("sign in"):
        page.goto("/signin")
        page.get_by_label("E-mail").fill(journey.account.email)
        page.get_by_label("Password").fill(journey.account.password)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_title("Dashboard - PharmaPilot")


def _standard(page: Page) -> None:
    """The list that everybody gets who must not have the other."""
    page.goto("/patients")
    expect(page.locator('body[data-list="standard"]')).to_be_attached()
    expect(page.locator(ROWS)).not_to_have_count(0)


def _standard_or_virtualized(page: Page) -> None:
    """Whichever arm of the flag this user is in, the list shows patients."""
    expect(page.locator("#patients")).to_have_attribute("aria-busy", "false")
    expect(page.locator(ROWS).first).to_be_visible()
