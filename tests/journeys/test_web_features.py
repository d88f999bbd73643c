"""What each feature of the pages changes, measured in a real browser."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from starlette.responses import JSONResponse
from tests.journeys.small_clinic import EMAIL, WATCH_SHIFTS, eventually, open_signed_in, told_vitals

from pharmapilot.web_visitor import PAGE_FEATURES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from tests.journeys.small_clinic import FakeApi

DARK_GROUND = "rgb(15, 23, 24)"


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
    # What moved while the page was loading is told some frames later.
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 250)))")
    page.evaluate("window.shift = 0; window.stays = true")
    page.locator("#theme").click()
    expect(page.locator("body")).to_have_css("background-color", DARK_GROUND)
    expect(page.locator("#theme")).to_have_attribute("aria-pressed", "true")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
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


def leave(page: Page) -> None:
    """Go to another page, which hides this one."""
    page.goto("/signin")


@pytest.mark.parametrize("status", [204, 500])
def test_a_visit_tells_its_vitals_once(page: Page, api: FakeApi, status: int) -> None:
    """After loading three figures are sent, the rest when the visitor leaves; a refusal harms nobody."""
    api.features, api.vitals_status = frozenset({"performanceMonitoring"}), status
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    open_signed_in(page, "/notes")
    with page.expect_response("**/api/vitals") as answered:
        expect(page.locator("#notes tbody tr")).to_have_count(20)
    assert answered.value.status == status
    early = told_vitals(api, "/notes")
    assert set(early) == {"TTFB", "FCP", "LCP"}
    assert 0 < early["TTFB"] <= early["FCP"] <= early["LCP"] < 60_000
    page.locator("#theme").click()
    eventually(lambda: page.evaluate("performance.eventCounts.get('click')") > 0, page)
    leave(page)
    eventually(lambda: "CLS" in told_vitals(api, "/notes"), page)
    everything = told_vitals(api, "/notes")
    assert {"TTFB", "FCP", "LCP", "CLS"} <= set(everything)
    assert 0 <= everything["CLS"] < 0.01
    assert not wrong


def test_nothing_is_measured_without_monitoring(page: Page, api: FakeApi) -> None:
    """A user for whom performanceMonitoring is off sends no figures, not even when leaving."""
    open_signed_in(page, "/notes")
    expect(page.locator("#notes tbody tr")).to_have_count(20)
    leave(page)
    page.wait_for_load_state("load")
    assert api.vitals == []


@pytest.mark.parametrize(
    ("path", "without"),
    [
        ("/", {"/api/dashboard/overview": 2, "/api/auth/me": 1}),
        ("/patients", {"/api/dashboard/overview": 2, "/api/auth/me": 2}),
        ("/notes", {"/api/dashboard/overview": 2, "/api/auth/me": 1}),
    ],
)
@pytest.mark.parametrize("feature", [True, False], ids=["shared", "each"])
def test_the_same_question_is_asked_once_with_its_feature(
    page: Page, api: FakeApi, path: str, without: dict[str, int], feature: bool
) -> None:
    """With reactQueryOptimization parts of a page share one request; without it each asks for itself."""
    api.features = frozenset({"reactQueryOptimization"} if feature else ())
    api.flag = lambda: JSONResponse({"name": "virtualization", "enabled": True})
    asked: Counter[str] = Counter()
    open_signed_in(page, "/signin")
    page.on("request", lambda request: asked.update([urlsplit(request.url).path]))
    page.goto(path, wait_until="networkidle")
    expected = dict.fromkeys(without, 1) if feature else without
    assert {name: asked[name] for name in without} == expected


def test_a_failure_is_not_shared_with_who_asks_later(page: Page, api: FakeApi) -> None:
    """Sharing keeps no failure: trying again asks again, at once."""
    api.features, api.list_fails = frozenset({"reactQueryOptimization"}), True
    open_signed_in(page, "/patients")
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    api.list_fails = False
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#patients tbody tr")).to_have_count(20)


def test_what_was_shared_grows_old(page: Page, api: FakeApi) -> None:
    """Two seconds after the first request the same question is asked anew."""
    api.features = frozenset({"reactQueryOptimization"})
    page.clock.install()
    open_signed_in(page, "/notes")
    expect(page.locator("#in-care")).to_have_text("1,000 patients and 3,210 notes are in care.")
    base = page.evaluate("document.querySelector('script[src$=\"/notes.js\"]').src")
    again = f"(async () => (await (await import('{base}/../api.js')).totals()).patients)()"
    api.patients_total = 1234
    assert page.evaluate(again) == 1000
    page.clock.fast_forward(2_000)
    assert page.evaluate(again) == 1234


def transferred(page: Page, browser: Browser, path: str) -> tuple[int, int]:
    """How many bytes of scripts a page takes from the wire with an empty cache, and how many scripts."""
    base = page.evaluate("location.origin")
    context = browser.new_context(base_url=base, storage_state=page.context.storage_state())
    tab = context.new_page()
    tab.goto(path, wait_until="networkidle")
    scripts = tab.evaluate(
        "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js'))"
        ".map(({ transferSize }) => transferSize)"
    )
    context.close()
    return sum(scripts), len(scripts)


@pytest.mark.parametrize("path", ["/", "/patients", "/notes"])
def test_the_bundle_is_fewer_and_smaller_scripts(
    page: Page, browser: Browser, api: FakeApi, path: str
) -> None:
    """With bundleOptimization a page loads one script of less than half the bytes."""
    open_signed_in(page, "/signin")
    separate, many = transferred(page, browser, path)
    api.features = frozenset({"bundleOptimization"})
    bundled, one = transferred(page, browser, path)
    assert one == 1
    assert many > 5
    assert bundled < separate / 2


@pytest.mark.parametrize("virtualized", [True, False])
def test_the_bundle_does_what_its_modules_do(page: Page, api: FakeApi, virtualized: bool) -> None:
    """Every page works from its bundle, with every feature on, and nothing goes wrong on the way."""
    api.features = frozenset(PAGE_FEATURES)
    api.flag = lambda: JSONResponse({"name": "virtualization", "enabled": virtualized})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.extend([message.text] if message.type == "error" else []))
    open_signed_in(page, "/")
    expect(page.locator("#totals")).to_contain_text("1,000")
    expect(page.locator("#who")).to_have_text(EMAIL)
    page.goto("/notes")
    expect(page.locator("#notes tbody tr")).to_have_count(20)
    page.goto("/patients")
    kind = "virtualized" if virtualized else "standard"
    expect(page.locator(f"body[data-list={kind}]")).to_be_attached()
    expect(page.get_by_text("Patient 0003", exact=True)).to_be_visible()
    page.locator("#theme").click()
    expect(page.locator("#theme")).to_have_attribute("aria-pressed", "true")
    assert not wrong
