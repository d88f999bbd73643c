"""Visits of journeys in a real browser: what a journey meets, in one line, and what is kept of it."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.canaries import file_of
from tests.unit.fakes import received, send, serving
from tests.unit.test_run import started

from rampgate.checks.journeys import JourneySettings
from rampgate.config.loading import load
from rampgate.errors import ProbeError
from rampgate.evidence.journal import Journal
from rampgate.io.browser_tools import find_browser
from rampgate.stage import journey_visit
from rampgate.stage.context import StageContext
from rampgate.stage.journey_visit import FOLDER, visit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

    from rampgate.journeys.record import Visit

EMAIL, PASSWORD = "nurse@example.test", "Canary-password-7713"
COOKIE, TOKEN = "Canary-session-5521-cookie", "Canary9token8kept7inStorage"
RENEWED = "Canary-renewed-8842-cookie"
SECRET_TEXT = "Ada Quist has diabetes"
HEAD = "from playwright.sync_api import expect\nfrom rampgate.journeys import Journey\n"
HOME = """<title>Home</title><h1>Home</h1><a href="/list">List</a><a href="/file" download>File</a>
<a href="/popup" target="_blank">Popup</a><button onclick="alert('Rate us!')">Rate</button>
<button id="move" onclick="document.body.prepend(Object.assign(document.createElement('div'),
  { style: 'height:300px' }))">Move</button><div style="height:600px;background:#eee">More</div>"""
PAGES = {
    "/": HOME,
    "/list": f"<title>List</title><ul><li>{SECRET_TEXT}<li>two</ul><script>console.error('bad')</script>",
    "/popup": "<title>Popup</title>",
    "/endless": "<title>Endless</title><script>setInterval(() => fetch('/tick'), 50)</script>",
    "/broken": "<title>Broken</title><script src='/gone.js'></script>",
    "/form": f"""<title>Sign in</title><form method="post" action="/form">
<input name="email" aria-label="E-mail">
<input name="password" type="password" aria-label="Password"><button>Sign in</button></form>
<script>sessionStorage.setItem("token", "{TOKEN}"); console.error("token {TOKEN}")</script>""",
}
SIGN_IN = """
        page.goto("/form")
        page.get_by_label("E-mail").fill(journey.account.email)
        page.get_by_label("Password").fill(journey.account.password)
"""


class Site:
    """A small site, and a project whose journeys visit it."""

    def __init__(self, folder: Path, url: str, asked: list[tuple[str, dict[str, str]]]) -> None:
        self.folder, self.url, self.asked = folder, url, asked
        self.content = "masked"
        self.visits = 0

    def context(self, **more: Any) -> StageContext:
        """Of a run of its own, which goes on from visit to visit."""
        tables = {"target": {"web": self.url}, "evidence": {"page_content": self.content}, **more}
        (self.folder / "rampgate.toml").write_text(file_of(tables), encoding="utf-8")
        settings, redactor = load(self.folder / "rampgate.toml", environ={})
        self.visits += 1
        folder = self.folder / f"run-{self.visits}"
        folder.mkdir()
        run = started(folder, settings=settings)
        run.journal = Journal(folder, "main-2", redactor, run.clock)
        return StageContext(run)

    def visit(self, body: str, *, whole: bool = False, settings: Any = None, **more: Any) -> Visit:
        """One visit of a journey with this body; the file is all of it where it is whole."""
        text = (
            body
            if whole
            else f"{HEAD}\n\ndef tour(journey: Journey) -> None:\n    page = journey.page\n{body}"
        )
        (self.folder / "tour.py").write_text(text, encoding="utf-8")
        account = {"email": EMAIL, "password": PASSWORD}
        table = {"name": "tour", "file": "tour.py", "account": account, **more}
        journey = JourneySettings.model_validate(table)
        context = self.context(**(settings or {}), journeys=[table])
        try:
            made = visit(context, journey, 1)
        finally:
            context.close()
        self.kept = context.run.folder / FOLDER / "tour"
        return made


@pytest.fixture(scope="module", autouse=True)
def _browser_found_once() -> Iterator[None]:
    try:
        found = find_browser(os.environ)
    except ProbeError as error:
        pytest.skip(f"run `rampgate doctor --fix` first: {error}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journey_visit, "find_browser", lambda _: found)
        yield


@contextmanager
def _served(host: str = "127.0.0.1") -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    asked: list[tuple[str, dict[str, str]]] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        received(handler)
        path = handler.path.partition("?")[0]
        asked.append((path, dict(handler.headers)))
        if path == "/form" and handler.command == "POST":
            cookie = f"session={COOKIE}; HttpOnly; Path=/"
            send(handler, 303, "", {"Location": "/list", "Set-Cookie": cookie})
        elif path == "/away":
            send(handler, 302, "", {"Location": "http://localhost:8099/elsewhere"})
        elif path == "/renewed":
            cookie = f"a=b\r\nSet-Cookie: session={RENEWED}; Path=/"
            send(handler, 200, f"<script>console.error('{RENEWED}')</script>", {"Set-Cookie": cookie})
        elif path == "/file":
            send(handler, 200, "data", {"Content-Disposition": "attachment; filename=report.csv"})
        elif path == "/never":
            handler.rfile.read(1)  # a byte that nobody sends
        elif path in {"/gone.js", "/api/down"}:
            send(handler, 503, "")
        elif path in {"/nowhere", "/nothing"}:
            send(handler, 404, "no such page")
        else:
            send(handler, 200, PAGES.get(path, "ok"))

    with serving(answer, host) as url:
        yield url, asked


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """It, running."""
    with _served() as (url, asked):
        yield Site(tmp_path, url, asked)


def test_a_visit_is_timed_step_by_step(site: Site) -> None:
    """Each step and each page has its times, every request names the run and has the target's headers."""
    made = site.visit(
        """    with journey.step("home"):
        page.goto("/")
        expect(page.get_by_role("heading", name="Home")).to_be_visible()
    with journey.step("list"):
        page.get_by_role("link", name="List").click()
        expect(page.locator("li")).to_have_count(int(journey.values["rows"]))
""",
        values={"rows": "2"},
        settings={"target": {"web": site.url, "headers": {"X-Api-Key": "Canary-header-1"}}},
    )
    assert (made.outcome, made.why) == ("passed", "")
    assert [step.name for step in made.steps] == ["home", "list"]
    assert all(step.ok and step.ms for step in made.steps)
    assert made.asked["GET /"] == made.asked["GET /list"] == 1
    assert [page["path"] for page in made.documents] == ["/", "/list"]
    assert all(page["lcp"] and page["cls"] == 0 for page in made.documents)
    assert made.console == ("bad",)
    pages = [headers for path, headers in site.asked if path in {"/", "/list"}]
    assert len(pages) == 2
    assert all(headers.get("X-Rampgate-Run") or headers.get("x-rampgate-run") for headers in pages)
    assert {"Canary-header-1"} == {headers.get("x-api-key") for headers in pages}
    assert not list(site.kept.glob("*.png"))
    assert (site.kept / "visit-1.json").stat().st_mode & 0o077 == 0


def step(*lines: str) -> str:
    """The body of a journey with one step, which opens a page and goes on with these lines."""
    return "".join(
        f"{line}\n" for line in ('    with journey.step("only"):', *(f"        {one}" for one in lines))
    )


HOME_PAGE, LIST = 'page.goto("/")', 'page.goto("/list")'
LOST = 'page.get_by_role("link", name="Lost").click(timeout=300)'
SWALLOWED = f"""    try:
        with journey.step("only"):
            {HOME_PAGE}
            raise AssertionError("no")
    except AssertionError:
        pass
"""
FAILING = {
    'nothing in the page is get_by_role("link", name="Lost") within 0.3 s': step(HOME_PAGE, LOST),
    "Locator expected to have count '20', found 2 within 0.3 s: locator(\"li\")": step(
        LIST, 'expect(page.locator("li")).to_have_count(20, timeout=300)'
    ),
    'not true: assert page.title() == "Other"': step(LIST, 'assert page.title() == "Other"'),
    "a dialog stood in the way (alert)": step(HOME_PAGE, 'page.get_by_role("button", name="Rate").click()'),
    "had not ended within 1.5 s": step(
        'page.goto("/endless")', 'page.wait_for_load_state("networkidle", timeout=1500)'
    ),
    "Page.goto had not ended within 1 s": step(HOME_PAGE, 'page.goto("/never", timeout=1000)'),
    "the site led to another one, where no journey goes": step('page.goto("/away")'),
    "no": SWALLOWED,
    'not true: assert route.request.url == "other"': f"""
    def handle(route):
        assert route.request.url == "other"
    page.route("**/elsewhere", handle)
{step(HOME_PAGE, "page.evaluate('void fetch(`/elsewhere`)')")}""",
}
WRONG = {
    "has made no step, so": "    pass\n",
    "has made no step": f"    {HOME_PAGE}\n",
    "asked the site for nothing": step("pass"),
    "returned a int": f"    return 1\n{step(HOME_PAGE)}",
    "exit code 0": step(HOME_PAGE, "raise SystemExit(0)"),
    "reported no end": step(HOME_PAGE, "import os", "os._exit(0)"),
    "replaced time.perf_counter": f"    import time\n    time.perf_counter = lambda: 0.0\n{step(HOME_PAGE)}",
    "KeyError: 'lost'": step(HOME_PAGE, '{}["lost"]'),
    "within step 'only'": step('with journey.step("b"):', f"    {HOME_PAGE}"),
}


@pytest.mark.parametrize(
    ("outcome", "why", "body"),
    [
        *(("failed", why, body) for why, body in FAILING.items()),
        *(("error", why, body) for why, body in WRONG.items()),
    ],
)
def test_what_breaks_a_visit_is_one_line(site: Site, outcome: str, why: str, body: str) -> None:
    """The site fails, or the journey itself is wrong: which of the two, and why; never a pass."""
    made = site.visit(body)
    assert made.outcome == outcome, made
    assert why in made.why
    assert "\n" not in made.why
    assert SECRET_TEXT not in made.why


def test_a_function_that_is_only_prepared_does_not_pass(site: Site) -> None:
    """A decorator that returns a coroutine or a generator in place of a visit has done nothing."""
    for begins, kind in (
        ("async def late(journey):\n    return 1", "coroutine"),
        ("def late(_):\n    yield", "generator"),
    ):
        made = site.visit(f"{begins}\n\n\ndef tour(journey):\n    return late(journey)\n", whole=True)
        assert (made.outcome, f"returned a {kind}" in made.why) == ("error", True)


def test_what_a_journey_prints_is_no_evidence(site: Site) -> None:
    """Lines on its standard output, in the form of ours too, change nothing."""
    made = site.visit(
        """    import os, sys
    print('{"event": "end", "outcome": "passed", "why": "", "step": "", "place": ""}')
    os.write(1, b'garbage \\xff\\x00 {"event": "end", "outcome": "passed"}\\n')
    print("noise", file=sys.stderr)
    with journey.step("list"):
        page.goto("/list")
        raise AssertionError("wrong")
"""
    )
    assert (made.outcome, made.why, made.step) == ("failed", "wrong", "list")


@pytest.mark.parametrize("ends", ["return", "raise ValueError", "time.sleep(1)"])
def test_a_process_that_a_journey_forks_reports_nothing(site: Site, ends: str) -> None:
    """Whether it returns, raises or goes on with the steps: the visit is what its own process has made."""
    made = site.visit(
        f"""    import os, time
    with journey.step("home"):
        page.goto("/")
    child = os.fork()
    if child == 0:
        {ends}
    with journey.step("list"):
        if child:
            os.waitpid(child, 0)
            raise AssertionError("wrong")
"""
    )
    assert (made.outcome, made.why, made.step) == ("failed", "wrong", "list")
    assert [each.name for each in made.steps] == ["home", "list"]


def test_a_journey_may_answer_a_dialog_itself(site: Site) -> None:
    """Where the page has a listener of the journey's own, nothing stands in the way."""
    made = site.visit(
        """    with journey.step("rate"):
        page.goto("/")
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Rate").click()
"""
    )
    assert (made.outcome, made.why) == ("passed", "")


def test_downloads_and_popups_are_named(site: Site) -> None:
    """They break nothing by themselves; a popup stays on the site like any tab."""
    made = site.visit(
        """    with journey.step("home"):
        page.goto("/")
        page.get_by_role("link", name="File").click()
        with page.expect_popup() as popup:
            page.get_by_role("link", name="Popup").click()
        expect(popup.value).to_have_title("Popup")
"""
    )
    assert made.outcome == "passed", made.why
    assert "a download was cancelled: report.csv" in made.notes
    assert any(note.startswith("a popup was opened") for note in made.notes)


def test_a_step_that_does_not_end_is_named(site: Site) -> None:
    """The visit's time is over: the step that ran failed, and nothing of the visit lives on."""
    made = site.visit(
        '    with journey.step("home"):\n        page.goto("/")\n    with journey.step("hang"):\n'
        '        page.evaluate("while (true) {}")\n',
        timeout="4s",
    )
    assert (made.outcome, made.step) == ("failed", "hang")
    assert made.why == "step 'hang' had not ended when the 4 s of the visit were over"
    assert [step.ok for step in made.steps] == [True, False]


def test_a_browser_that_is_killed_says_nothing_of_the_site(site: Site) -> None:
    """Chromium ended in the middle by somebody else: an error, which names it."""
    made = site.visit(
        """    import os, pathlib, signal
    with journey.step("home"):
        page.goto("/")
        mine = [p for p in pathlib.Path("/proc").glob("[0-9]*/stat") if _family(p, os.getpid())]
        for stat in mine:
            name = stat.read_text().partition("(")[2].partition(")")[0]
            if "chrom" in name:
                os.kill(int(stat.parent.name), signal.SIGKILL)
        page.goto("/list")


def _family(stat, pid):
    try:
        while int(stat.parent.name) > 1:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                return True
            stat = stat.parents[1] / str(parent) / "stat"
    except (OSError, ValueError):
        pass
    return False
"""
    )
    assert (made.outcome, made.step) == ("error", "home")
    assert "Chromium was gone" in made.why


def test_an_interrupt_ends_a_visit_and_all_that_it_started(site: Site) -> None:
    """Ctrl-C in the middle of a visit is heard at once; no process of it lives on."""
    main = threading.get_ident()

    def interrupt() -> None:
        while not any(path == "/tick" for path, _ in site.asked):
            time.sleep(0.05)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    body = step('page.goto("/endless")', "page.wait_for_timeout(50_000)")
    with pytest.raises(KeyboardInterrupt):
        site.visit(body)
    assert not [
        path for path in Path("/proc").glob("[0-9]*/cmdline") if str(site.folder).encode() in _read(path)
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_requests_of_the_site_that_fail_are_counted(site: Site) -> None:
    """HTTP 5xx of its own; what came of them is in the record, and their console line is none of its own."""
    made = site.visit('    with journey.step("home"):\n        page.goto("/broken")\n')
    assert (made.outcome, made.failed_requests) == ("passed", {"GET /gone.js": ("HTTP 503",)})
    assert made.console == ()


def test_a_page_that_is_refused_is_a_request_that_failed(site: Site) -> None:
    """HTTP 4xx of the tab's own document; of what a page loads it is none."""
    made = site.visit(step('page.goto("/nowhere")', "page.evaluate('fetch(`/nothing`).then(() => 1)')"))
    assert (made.outcome, made.failed_requests) == ("passed", {"GET /nowhere": ("HTTP 404",)})
    assert made.asked["GET /nothing"] == 1


@pytest.mark.parametrize("second", ["new_context().new_page()", "new_page()"])
def test_a_second_user_follows_the_same_rules(site: Site, second: str) -> None:
    """A context of the journey's own: named in requests, with the target's headers, counted, on its site."""
    made = site.visit(
        step(
            HOME_PAGE,
            f"other = page.context.browser.{second}",
            'other.goto("/broken")',
            'other.goto("/list")',
            'other.goto("/away")',
        ),
        settings={"target": {"web": site.url, "headers": {"X-Api-Key": "Canary-header-1"}}},
    )
    assert "the site led to another one" in made.why
    assert (made.failed_requests, made.console) == ({"GET /gone.js": ("HTTP 503",)}, ("bad",))
    assert not any("popup" in note for note in made.notes)
    sent = [{name.lower(): value for name, value in headers.items()} for _, headers in site.asked]
    assert len(sent) >= 5
    assert all(headers.get("x-rampgate-run") and headers.get("x-api-key") for headers in sent)


def test_a_handler_may_be_removed_again(site: Site) -> None:
    """What the journey hands over is what Playwright knows it by."""
    made = site.visit(
        step(
            "handle = lambda route: route.abort()",
            'page.route("**/*", handle)',
            'page.unroute("**/*", handler=handle)',
            "heard = []",
            'page.on("request", heard.append)',
            'page.remove_listener("request", heard.append)',
            HOME_PAGE,
            "assert not heard",
        )
    )
    assert (made.outcome, made.why) == ("passed", "")


ASKED = {
    "get": 'page.request.get("{}")',
    "post": 'page.context.request.post("{}", data="x")',
    "context": 'page.context.browser.new_context().request.fetch("{}")',
    "route": """page.route("**/list", lambda route: found.append(route.fetch(url="{}")))""",
}


@pytest.mark.parametrize("how", ASKED)
def test_page_request_stays_on_allowed_hosts(site: Site, how: str) -> None:
    """Whatever sends it, nothing reaches another host; a redirect that leads there is the answer."""
    with _served("127.0.0.2") as (other, asked):
        hosts = {"allowed_hosts": ["127.0.0.1"]}
        line = ASKED[how].format(f"{other}/elsewhere")
        leaves = 'page.goto("/list", timeout=2000)' if how == "route" else "pass"
        # A handler that is refused never answers its page, which is waited for as long as the visit may take.
        timeout = "8s" if how == "route" else "60s"
        made = site.visit(step("found = []", HOME_PAGE, line, leaves), settings=hosts, timeout=timeout)
        assert made.outcome != "passed"
        assert how == "route" or "which is not allowed; allowed_hosts: 127.0.0.1" in made.why
        assert not asked


def test_what_page_request_asks_counts(site: Site) -> None:
    """Of the site, redirects within it included; one that leads elsewhere is the answer."""
    made = site.visit(
        step(
            'assert page.request.get("/away").status == 302',
            'assert page.request.post("/form", form={"a": "b"}).url == journey.web + "/list"',
            'assert page.request.fetch("/api/down").status == 503',
        )
    )
    assert (made.outcome, made.why) == ("passed", "")
    assert made.asked == {"GET /away": 1, "POST /form": 1, "GET /list": 1, "GET /api/down": 1}
    assert made.failed_requests == {"GET /api/down": ("HTTP 503",)}


def test_what_moves_right_after_a_click_counts(site: Site) -> None:
    """The browser's own figure leaves it out, the step's has it."""
    made = site.visit(
        '    with journey.step("home"):\n        page.goto("/")\n        page.wait_for_timeout(600)\n'
        '    with journey.step("move", still=True):\n        page.click("#move")\n'
    )
    assert [step.shift > 0.1 for step in made.steps] == [False, True], made
    assert made.steps[1].still
    assert made.documents[0]["cls"] < 0.1


@pytest.mark.parametrize("content", ["none", "masked", "full"])
def test_no_secret_of_a_visit_is_kept(site: Site, content: str) -> None:
    """Password, session cookie and token of the storage are in no file of the run, whatever may be kept."""
    site.content = content
    made = site.visit(
        f"""    with journey.step("sign in"):{SIGN_IN}
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_title("List")
    with journey.step("list"):
        page.reload()
        page.evaluate("console.error(document.title + ' {TOKEN} {PASSWORD}')")
        raise AssertionError(journey.account.password + " {COOKIE} " + repr(page.context.cookies()))
"""
    )
    assert made.outcome == "failed"
    files = [path for path in site.kept.parents[1].rglob("*") if path.is_file()]
    for path in files:
        data = path.read_bytes()
        for secret in (PASSWORD, COOKIE, TOKEN):
            assert secret.encode() not in data, path
    assert bool(made.screenshot) == (content != "none")
    assert bool(list(site.kept.glob("*.png"))) == (content != "none")
    dropped = [note for note in made.notes if note.startswith("the trace was dropped: a secret stands")]
    assert bool(dropped) == (content == "full")
    assert not list(site.kept.glob("*.zip"))


@pytest.mark.parametrize("kind", ["AssertionError", "ValueError"])
def test_no_beginning_of_a_secret_is_kept(site: Site, kind: str) -> None:
    """A long text is cut, and nothing is left of a secret that stands at the cut."""
    made = site.visit(
        f"""    with journey.step("home"):
        page.goto("/")
        secrets = "see " + journey.account.password * 40
        page.evaluate("text => console.error(text)", secrets)
        page.evaluate("text => fetch('/' + text)", secrets)
        raise {kind}(secrets)
"""
    )
    assert made.console
    for path in site.kept.parents[1].rglob("*"):
        assert not path.is_file() or PASSWORD[:5].encode() not in path.read_bytes(), path


def test_a_session_that_is_renewed_within_a_step_is_kept_nowhere(site: Site) -> None:
    """Each cookie is known from the answer that sets it, though it is gone at the end of the step."""
    made = site.visit(
        step('page.goto("/renewed")', "page.context.clear_cookies()", 'raise AssertionError("no")')
    )
    assert (made.outcome, len(made.console)) == ("failed", 1)
    for path in site.kept.parents[1].rglob("*"):
        assert not path.is_file() or RENEWED.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("ends", ["time.sleep(100)", "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_no_session_of_a_step_that_is_cut_off_is_kept(site: Site, ends: str) -> None:
    """It signs in and never ends: what the session carries is not known, so that no page's words are kept."""
    site.content = "full"
    made = site.visit(
        f"""    import os, time
    with journey.step("sign in"):{SIGN_IN}
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_title("List")
        page.evaluate("setTimeout(() => alert('{TOKEN}'))")
        page.wait_for_timeout(300)
        {ends}
""",
        timeout="8s",
    )
    assert (made.outcome, made.step) == ("failed" if "sleep" in ends else "error", "sign in")
    assert made.asked["GET /list"] == 1
    assert (made.console, made.notes) == ((), ())
    for path in site.kept.parents[1].rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_a_trace_without_a_secret_is_kept(site: Site) -> None:
    """With page_content = "full", of a visit that failed."""
    site.content = "full"
    made = site.visit(
        '    page.goto("/")\n    with journey.step("account"):\n        assert journey.account.email\n'
        '    with journey.step("list"):\n        page.goto("/list")\n        raise AssertionError("no")\n'
    )
    assert (made.trace, made.notes) == ("visit-1-trace.zip", ())
    assert (site.kept / made.trace).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("policy", ["", "style-src 'self'; default-src 'self' 'unsafe-inline'"])
def test_a_masked_picture_shows_no_text(site: Site, policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pages that differ in their text and values alone make the same picture; unmasked, they do not."""
    pictures: dict[str, list[bytes]] = {"masked": [], "full": []}
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else ""
    for content, made in pictures.items():
        site.content = content
        for text in ("AAAA", "BBBB"):
            fields = f"<input value='{text}' placeholder='{text}'><textarea>{text}</textarea>"
            own = f"""<style>.own {{ -webkit-text-fill-color: #000 !important; font: 16px monospace }}
.own::before {{ content: "{text}" }}</style><p class="own">{text}</p>"""
            page = f"<title>x</title>{meta}<p style='font: 16px monospace'>{text}</p>{own}{fields}"
            monkeypatch.setitem(PAGES, "/text", page)
            visited = site.visit(step('page.goto("/text")', 'raise AssertionError("no")'))
            made.append((site.kept / visited.screenshot).read_bytes())
    assert pictures["masked"][0] == pictures["masked"][1]
    assert pictures["full"][0] != pictures["full"][1]
