"""The service worker and the faults of the pages, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error, expect
from starlette.responses import JSONResponse
from tests.journeys.small_clinic import (
    ADMIN_TOKEN,
    FAULTS_ON,
    WATCH_SHIFTS,
    FakeApi,
    eventually,
    open_signed_in,
    served,
    sign_in,
    told_vitals,
)

from pharmapilot.web import create_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

KEPT = """async () => {
  const stores = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
  const requests = await Promise.all(stores.map((cache) => cache.keys()));
  return requests.flat().map(({ url }) => new URL(url).pathname);
}"""
WORKERS = "async () => (await navigator.serviceWorker.getRegistrations()).length"
REGISTER = """() => navigator.serviceWorker.register("/sw.js").then(() => "there", (error) => error.name)"""
READY = """async () => {
  const { active } = await navigator.serviceWorker.ready;
  while (active.state !== "activated") {
    await new Promise((done) => active.addEventListener("statechange", done, { once: true }));
  }
}"""


def switch(page: Page, **faults: object) -> None:
    """Switch faults on at the web server."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    assert page.request.put("/admin/faults", data=faults, headers=headers).ok


@pytest.mark.parametrize("bundled", [True, False])
def test_the_pages_open_without_the_server(browser: Browser, bundled: bool) -> None:
    """With serviceWorker every page opens after the server has gone, also those not visited before."""
    api = FakeApi(features=frozenset({"serviceWorker", *(["bundleOptimization"] if bundled else [])}))
    with served(api.app()) as api_url:
        with served(create_app(api_url, environment={})) as web_url:
            context = browser.new_context(base_url=web_url)
            page = context.new_page()
            open_signed_in(page, "/")
            page.evaluate(READY)
            assert {"/", "/patients", "/notes"} <= set(page.evaluate(KEPT))
        for path, heading in (("/", "Dashboard"), ("/patients", "Patients"), ("/notes", "Clinical notes")):
            page.goto(path)
            expect(page.get_by_role("heading", level=1)).to_have_text(heading)
            expect(page.get_by_role("alert").first).to_contain_text("could not be loaded")
            expect(page.locator("body")).not_to_have_css("background-color", "rgba(0, 0, 0, 0)")
        with pytest.raises(Error, match="ERR_CONNECTION_REFUSED"):
            page.goto("/signin")
        context.close()


def test_the_worker_keeps_no_answer_of_the_api(page: Page, api: FakeApi) -> None:
    """Nothing of a patient, of signing in or of another page is kept in the browser."""
    api.features = frozenset({"serviceWorker"})
    open_signed_in(page, "/patients")
    page.evaluate(READY)
    page.goto("/notes")
    expect(page.locator("#notes tbody tr")).to_have_count(20)
    kept = [path for path in page.evaluate(KEPT) if not path.startswith("/static/")]
    assert sorted(kept) == ["/", "/dashboard", "/notes", "/patients"]


def test_the_worker_shows_what_the_server_says_now(page: Page, api: FakeApi) -> None:
    """With the server there, a page is never an old copy, and an ended session still leads to the form."""
    api.features = frozenset({"serviceWorker"})
    open_signed_in(page, "/")
    page.evaluate(READY)
    api.features = frozenset({"serviceWorker", "themeOptimization"})
    page.goto("/notes")
    expect(page.locator("html")).to_have_attribute("data-flags", "serviceWorker themeOptimization")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/signin")
    page.goto("/notes")
    page.wait_for_url("**/signin")
    sign_in(page)
    page.wait_for_url("**/")
    expect(page.locator("#totals")).to_contain_text("1,000")


def test_a_worker_taken_back_leaves_the_browser(page: Page, api: FakeApi) -> None:
    """Rolling the feature back removes the worker and all it kept, at the next visit."""
    api.features = frozenset({"serviceWorker"})
    open_signed_in(page, "/")
    page.evaluate(READY)
    api.features = frozenset()
    page.goto("/notes")
    eventually(lambda: page.evaluate(KEPT) == [] and page.evaluate(WORKERS) == 0, page)


def test_a_missing_worker_registers_nothing(page: Page, api: FakeApi) -> None:
    """service_worker_missing: the feature is on and no worker comes; the page works all the same."""
    open_signed_in(page, "/signin")
    api.features = frozenset({"serviceWorker"})
    switch(page, service_worker_missing={})
    page.goto("/notes", wait_until="networkidle")
    assert page.request.get("/sw.js").status == 404
    assert page.evaluate(REGISTER) == "TypeError"
    assert page.evaluate(WORKERS) == 0
    expect(page.locator("#notes tbody tr")).to_have_count(20)


def test_a_worker_that_is_broken_offline_answers_nothing(page: Page, api: FakeApi) -> None:
    """offline_broken: the worker is there and keeps the pages, but without the network none opens."""
    open_signed_in(page, "/signin")
    api.features = frozenset({"serviceWorker"})
    switch(page, offline_broken={})
    page.goto("/notes")
    page.evaluate(READY)
    assert "/notes" in page.evaluate(KEPT)
    page.context.set_offline(True)
    with pytest.raises(Error, match=r"ERR_(FAILED|INTERNET_DISCONNECTED)"):
        page.goto("/notes")


@pytest.mark.parametrize("feature", [True, False])
def test_a_broken_theme_switch_does_nothing(page: Page, api: FakeApi, feature: bool) -> None:
    """theme_broken: after a press the colours are what they were."""
    api.features = frozenset({"themeOptimization"} if feature else ())
    page.emulate_media(color_scheme="light")
    open_signed_in(page, "/signin")
    switch(page, theme_broken={"path": "/notes"})
    page.goto("/notes", wait_until="networkidle")
    page.locator("#theme").click()
    eventually(lambda: page.evaluate("performance.eventCounts.get('click')") > 0, page)
    expect(page.locator("#theme")).to_have_attribute("aria-pressed", "false")
    page.goto("/", wait_until="networkidle")
    page.locator("#theme").click()
    expect(page.locator("#theme")).to_have_attribute("aria-pressed", "true")


def test_a_layout_shift_is_seen_after_loading_and_at_the_theme_switch(page: Page, api: FakeApi) -> None:
    """layout_shift: the page is pushed down by itself, and again when the theme is switched; CLS tells."""
    api.features = frozenset({"themeOptimization", "performanceMonitoring"})
    page.add_init_script(WATCH_SHIFTS)
    open_signed_in(page, "/signin")
    switch(page, layout_shift={"px": 200})
    page.goto("/notes")
    eventually(lambda: page.evaluate("window.shift") > 0.05, page)
    page.evaluate("window.shift = 0")
    page.locator("#theme").click()
    eventually(lambda: page.evaluate("window.shift") > 0.05, page)
    page.goto("/signin")
    eventually(lambda: told_vitals(api, "/notes").get("CLS", 0) > 0.05, page)


def test_a_shift_of_the_theme_leaves_loading_alone(page: Page, api: FakeApi) -> None:
    """theme_shift: the page is pushed down when the theme is switched, and nothing moves before."""
    api.features = frozenset({"themeOptimization"})
    page.add_init_script(WATCH_SHIFTS)
    open_signed_in(page, "/signin")
    switch(page, theme_shift={"px": 200})
    page.goto("/notes", wait_until="networkidle")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 250)))")
    assert page.evaluate("window.shift") < 0.01
    page.locator("#theme").click()
    eventually(lambda: page.evaluate("window.shift") > 0.1, page)


def test_a_broken_sign_out_leaves_the_session(page: Page) -> None:
    """sign_out_broken: the visitor is led to the sign-in page, and is still signed in."""
    open_signed_in(page, "/")
    switch(page, sign_out_broken={})
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto("/notes")
    expect(page.get_by_role("heading", level=1)).to_have_text("Clinical notes")


def test_a_console_error_is_on_the_page_that_was_named(page: Page) -> None:
    """console_error: that page writes an error to the console, and no other page does."""
    errors: list[str] = []
    page.on("console", lambda message: errors.extend([message.text] if message.type == "error" else []))
    open_signed_in(page, "/signin")
    switch(page, console_error={"path": "/notes"})
    page.goto("/", wait_until="networkidle")
    assert errors == []
    page.goto("/notes", wait_until="networkidle")
    assert errors == ["This page has an error on purpose."]


def test_a_list_that_is_not_virtual_draws_every_row(page: Page, api: FakeApi) -> None:
    """list_not_virtual: the list calls itself virtualized and holds all 1,000 rows."""
    api.flag = lambda: JSONResponse({"name": "virtualization", "enabled": True})
    open_signed_in(page, "/signin")
    switch(page, list_not_virtual={})
    page.goto("/patients")
    expect(page.locator("body[data-list=virtualized]")).to_be_attached()
    expect(page.get_by_text("Patient 0999", exact=True)).to_be_attached()
    assert page.locator("#patients tbody tr").count() >= 1000


@pytest.mark.parametrize("bundled", [True, False])
def test_a_bloated_bundle_is_transferred(page: Page, api: FakeApi, bundled: bool) -> None:
    """bundle_bloat: the scripts of a page weigh that much more on the wire, less what gzip saves."""
    api.features = frozenset({"bundleOptimization"} if bundled else ())
    open_signed_in(page, "/signin")
    switch(page, bundle_bloat={"kb": 400})
    page.goto("/notes", wait_until="networkidle")
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').filter(({ initiatorType }) => initiatorType === 'script')"
        ".map(({ encodedBodySize }) => encodedBodySize)"
    )
    assert 250 * 1024 < sum(sizes) < 420 * 1024


def test_faults_are_off_by_themselves(browser: Browser) -> None:
    """A page of a server whose faults may be switched on is, until they are, the page of any other."""
    api = FakeApi()
    texts = []
    for environment in ({}, FAULTS_ON):
        with served(api.app()) as api_url, served(create_app(api_url, environment=environment)) as web_url:
            context = browser.new_context(base_url=web_url)
            texts.append(context.request.get("/signin").text())
            context.close()
    assert texts[0] == texts[1]
