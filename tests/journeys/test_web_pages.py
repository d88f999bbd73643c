"""The pages in a real browser, in front of a small API that the test controls."""

from playwright.sync_api import Browser, Page, expect
from starlette.responses import JSONResponse
from tests.journeys.small_clinic import EMAIL, HOSTILE, FakeApi, sign_in


def test_signing_in_leads_to_the_dashboard_with_its_figures(page: Page) -> None:
    """After the form the browser lands on /, which shows what the API counted."""
    sign_in(page)
    page.wait_for_url("**/")
    expect(page.locator("#totals")).to_contain_text("1,000")
    expect(page.locator("#who")).to_have_text(EMAIL)


def test_a_wrong_password_is_said_aloud(page: Page) -> None:
    """A refusal appears in an alert, and the visitor stays on the form with the e-mail kept."""
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_have_text("E-mail or password is wrong.")
    assert page.url.endswith("/signin")
    expect(page.locator("input[name=email]")).to_have_value(EMAIL)


def test_signing_in_and_out_works_without_scripts(browser: Browser, page: Page) -> None:
    """A browser that runs no script can sign in, is told of a refusal, and can sign out."""
    page.goto("/signin")
    base = page.evaluate("() => location.origin")
    context = browser.new_context(base_url=base, java_script_enabled=False)
    plain = context.new_page()
    sign_in(plain, "wrong")
    expect(plain.get_by_role("alert")).to_have_text("E-mail or password is wrong.")
    sign_in(plain)
    expect(plain.get_by_role("heading", level=1)).to_have_text("Dashboard")
    plain.get_by_role("button", name="Sign out").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Sign in")
    plain.goto("/patients")
    expect(plain.get_by_role("heading", level=1)).to_have_text("Sign in")
    context.close()


def test_the_flag_decides_that_the_list_is_virtualized(page: Page, api: FakeApi) -> None:
    """With the flag on, a list of 1,000 holds few rows in the document and still reaches its last patient."""
    api.flag = lambda: JSONResponse({"name": "virtualization", "enabled": True})
    sign_in(page)
    page.wait_for_url("**/")
    page.goto("/patients")
    expect(page.locator("body[data-list=virtualized]")).to_be_attached()
    expect(page.get_by_text("Patient 0003", exact=True)).to_be_visible()
    expect(page.locator("#status")).to_have_text("1,000 patients in one list.")
    page.keyboard.press("End")
    expect(page.get_by_text("Patient 0999", exact=True)).to_be_visible()
    assert page.locator("#patients tbody tr").count() < 80
    expect(page.locator("#patients tr[aria-rowindex='1001']")).to_contain_text("p-00999")


def test_the_standard_list_loads_twenty_and_twenty_more(page: Page) -> None:
    """With the flag off there are 20 rows, and the button adds the next 20."""
    sign_in(page)
    page.wait_for_url("**/")
    page.goto("/patients")
    rows = page.locator("#patients tbody tr")
    expect(rows).to_have_count(20)
    page.get_by_role("button", name="Load more").click()
    expect(rows).to_have_count(40)
    expect(rows.nth(39)).to_contain_text("Patient 0039")
    expect(page.locator("body")).to_have_attribute("data-list", "standard")


def test_a_failing_flag_service_leaves_the_standard_list(page: Page, api: FakeApi) -> None:
    """A flag endpoint that answers 500 switches nothing on and breaks nothing."""
    api.flag = lambda: JSONResponse({"error": "broken"}, 500)
    sign_in(page)
    page.wait_for_url("**/")
    with page.expect_response("**/api/feature-flags/**") as asked:
        page.goto("/patients")
    assert asked.value.status == 500
    expect(page.locator("#patients tbody tr")).to_have_count(20)
    expect(page.locator("body")).to_have_attribute("data-list", "standard")


def test_hostile_text_stays_text(page: Page, api: FakeApi) -> None:
    """Markup in a patient's name or a widget's title is shown letter by letter and runs nothing."""
    api.first_name = HOSTILE
    sign_in(page)
    page.wait_for_url("**/")
    expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
    page.goto("/patients")
    expect(page.get_by_role("rowheader", name=HOSTILE)).to_be_visible()
    assert page.locator("main img").count() == 0
    assert page.title() == "Patients - PharmaPilot"


def test_the_notes_page_shows_the_newest_notes(page: Page) -> None:
    """Twenty notes with their time and patient, as text and nothing else; their number is told."""
    sign_in(page)
    page.wait_for_url("**/")
    page.get_by_role("link", name="Notes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Clinical notes")
    rows = page.locator("#notes tbody tr")
    expect(rows).to_have_count(20)
    expect(rows.first).to_contain_text("p-00000")
    expect(rows.first.locator("time")).to_have_attribute("datetime", "2026-11-20T11:45:00+00:00")
    expect(rows.nth(3)).to_contain_text(HOSTILE)
    expect(page.locator("#status")).to_have_text("The newest 20 of 3,210 notes.")
    assert page.locator("main img").count() == 0


def test_a_list_that_fails_says_so_and_can_be_tried_again(page: Page, api: FakeApi) -> None:
    """An API failure shows an alert with a button, and the button mends it once the API is back."""
    api.list_fails = True
    sign_in(page)
    page.wait_for_url("**/")
    page.goto("/patients")
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    api.list_fails = False
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#patients tbody tr")).to_have_count(20)


def test_an_ended_session_leads_back_to_the_form(page: Page) -> None:
    """A session that ends while a page is open sends its next request to the sign-in page."""
    sign_in(page)
    page.wait_for_url("**/")
    page.context.clear_cookies()
    page.get_by_role("link", name="Patients").click()
    page.wait_for_url("**/signin")


def test_nothing_moves_while_the_figures_arrive(page: Page) -> None:
    """The layout shift of each page, once filled, stays under 0.01."""
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) "
        "window.shift += entry.value; }).observe({ type: 'layout-shift', buffered: true });"
    )
    sign_in(page)
    page.wait_for_url("**/")
    expect(page.locator("#totals")).to_contain_text("1,000")
    assert page.evaluate("window.shift") < 0.01
    page.goto("/patients")
    expect(page.locator("#patients tbody tr")).to_have_count(20)
    assert page.evaluate("window.shift") < 0.01
    page.goto("/notes")
    expect(page.locator("#notes tbody tr")).to_have_count(20)
    assert page.evaluate("window.shift") < 0.01
