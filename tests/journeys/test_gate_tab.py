"""The Gate tab in a real Locust, in a real browser, in front of a run that the test moves on."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.journeys.locust_page import STARTS_WITHIN_S, await_page
from tests.unit import report_load_runs
from tests.unit.stores_fixture import free_port

from rampgate.evidence.verdicts import conclude
from rampgate.report import write_all

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
HOSTILE = "<img src=x onerror=document.title=1>\u202e"
LOCUSTFILE = """
import json
import sys
from pathlib import Path

sys.path.insert(0, {root!r})
from flask import request
from locust import User, constant, events, task
from loadtests import gate_tab
from tests.unit import live_runs


class Quiet(User):
    wait_time = constant(600)

    @task
    def nothing(self):
        pass


class Gate:
    run = None


@events.init.add_listener
def init(environment, **_):
    gate_tab.install(environment, Gate)
    if environment.parsed_options.headless:
        gate_tab.EVERY_PLAIN_S = 0.2
        Gate.run = live_runs.running(Path({folder!r}), endpoints=({hostile!r},))
        Gate.run.run(15)
        gate_tab.watch_terminal(Gate, environment.parsed_options)
        return

    @environment.web_ui.app.route("/test", methods=["POST"])
    def move():
        told = request.get_json()
        if told.get("fresh"):
            Gate.run = live_runs.running(Path({folder!r}), endpoints=tuple(told["fresh"]))
            Gate.run.folder = Path({folder!r})
        if told.get("over"):
            Gate.run = None
        if "run" in told:
            Gate.run.run(*told["run"][:1], **told["run"][1])
        if "evidence" in told:
            Gate.run.evidence = {{name: live_runs.Watch(value) for name, value in told["evidence"].items()}}
        return ""
"""


@dataclass
class Locust:
    """A running Locust with a web page, and the way to move its run."""

    url: str
    folder: Path

    def tell(self, **told: Any) -> None:
        """Move the run on."""
        body = json.dumps(told).encode()
        request = urllib.request.Request(  # noqa: S310  # loopback
            f"{self.url}test", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # loopback
            answer.read()

    def get(self, path: str) -> tuple[dict[str, str], str]:
        """Headers and text of a page."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310  # loopback
            return dict(answer.headers), answer.read().decode()


def quiet(folder: Path) -> Path:
    """The locustfile of these tests."""
    file = folder / "quiet.py"
    file.write_text(LOCUSTFILE.format(root=str(ROOT), folder=str(folder), hostile=HOSTILE), encoding="utf-8")
    return file


def environ() -> dict[str, str]:
    """This environment without what speaks to Locust or to us."""
    own = ("RAMPGATE_", "LOCUST_")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(own)},
        "COLUMNS": "60",
    }


@pytest.fixture(scope="module")
def locust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locust]:
    """Locust under a base path of its own, already started."""
    folder = tmp_path_factory.mktemp("locust")
    file = quiet(folder)
    port = free_port()
    command = [sys.executable, "-m", "locust", "-f", str(file), "--web-host", "127.0.0.1", "--autostart"]
    command += ["--web-port", str(port), "--web-base-path", "/under", "--users", "1"]
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ(), stdout=log, stderr=log)
        started = Locust(f"http://127.0.0.1:{port}/", folder)
        try:
            await_page(f"{started.url}under/gate/now", process, folder / "log")
            yield started
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test when a script of ours breaks, or when anything leaves this machine."""
    shown = browser.new_page(viewport={"width": 1280, "height": 1100})
    broken: list[str] = []
    shown.on("pageerror", lambda error: broken.append(str(error)))
    shown.on("request", lambda asked: broken.append(asked.url) if "//127.0.0.1:" not in asked.url else None)
    yield shown
    shown.close()
    assert not [text for text in broken if not text.startswith("data:")]


def test_the_tab_shows_the_run_live(locust: Locust, page: Page, tmp_path: Path) -> None:
    """Stage, users, each limit with value, bound and outcome, as they change; no other tab shows them."""
    locust.tell(fresh=["patients", "dashboard"], run=[30, {"n": 10}], evidence={"rate<0.02": 4.605})
    page.goto(f"{locust.url}under/")
    gate = page.locator("section.rampgate")
    expect(gate).to_be_hidden()
    page.get_by_role("tab", name="Gate").click()
    expect(gate.get_by_role("status")).to_have_text("So far: UNDECIDED")
    for told in (
        "2 of 3: 20 users",
        "0:40",
        "0:30, 0:50",
        "20, 20",
        "patients (plateau)",
        "all requests (whole run)",
    ):
        expect(gate).to_contain_text(told)
    row = gate.get_by_role("row").filter(has_text="http_req_failed: rate<0.02").nth(1)
    expect(row).to_contain_text("0 % to 3.39 %")
    expect(row).to_contain_text("200")
    expect(row).to_contain_text("undecided")
    expect(gate.get_by_role("meter")).to_have_attribute("value", "0.5")
    expect(gate.get_by_role("row").filter(has_text="load-1")).to_contain_text("calm")
    page.screenshot(path=tmp_path / "tab-light.png", full_page=True)
    locust.tell(run=[40, {"status": 503}])
    expect(gate.get_by_role("status")).to_have_text("So far: ROLLBACK")
    expect(gate).to_contain_text("12 of 12 limits failed")
    expect(gate.locator(".chip.failed")).to_have_count(12)
    expect(gate.get_by_text("critical", exact=True)).to_have_count(6)
    page.screenshot(path=tmp_path / "tab-failing.png", full_page=True)
    page.get_by_role("tab", name="Charts").click()
    expect(gate).to_be_hidden()
    page.goto(f"{locust.url}under/?tab=gate")
    expect(gate.get_by_role("status")).to_have_text("So far: ROLLBACK")


def test_a_hostile_name_is_text(locust: Locust, page: Page) -> None:
    """Markup in an endpoint's name is shown letter by letter, and what turns text around made visible."""
    locust.tell(fresh=[HOSTILE], run=[15, {}])
    page.goto(f"{locust.url}under/gate")
    expect(page.get_by_role("rowheader").first).to_contain_text("all requests")
    expect(page.locator("table").first).to_contain_text("<img src=x onerror=document.title=1><U+202E>")
    assert page.locator("section.rampgate img").count() == 0
    assert page.title() == "Gate"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light"), (390, "dark")])
def test_its_own_page_is_legible_on_a_telephone_and_in_the_dark(
    locust: Locust, browser: Browser, tmp_path: Path, width: int, scheme: Any
) -> None:
    """Nothing is wider than the screen, and the panel takes the colours of the page that it is on."""
    locust.tell(fresh=["patients", "dashboard"], run=[30, {"ms": 1200}], evidence={"rate<0.02": 4.6})
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"{locust.url}under/gate")
    expect(page.get_by_role("status")).to_have_text("So far: HOLD")
    expect(page.locator("section.rampgate")).to_have_attribute("data-theme", scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=tmp_path / f"page-{width}-{scheme}.png", full_page=True)
    page.close()


def test_before_and_after_a_run(locust: Locust, page: Page) -> None:
    """No run, a run that is being judged, and its verdict with its report are told apart."""
    for name in ("verdict.json", "report.html"):
        (locust.folder / name).unlink(missing_ok=True)
    locust.tell(fresh=["patients"], run=[5, {}])
    page.goto(f"{locust.url}under/gate")
    expect(page.get_by_role("status")).to_have_text("So far: UNDECIDED")
    locust.tell(over=True)
    expect(page.get_by_role("status")).to_have_text("Judging")
    report_load_runs.sixteen_minutes(locust.folder)
    write_all(conclude(locust.folder), locust.folder)
    expect(page.get_by_role("status")).to_have_text("HOLD")
    expect(page.locator("section.rampgate")).to_contain_text("load/plateau[patients]")
    expect(page.get_by_role("rowheader", name="plateau [overview]")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="p95 of 40,000 requests")).to_have_count(2)
    page.get_by_role("link", name="The report of this run").click()
    expect(page.locator("section.load")).to_contain_text("Requests per second")


def test_the_page_forbids_itself_all_that_it_does_not_need(locust: Locust) -> None:
    """A policy, no sniffing, no keeping; JSON is JSON."""
    headers, text = locust.get("under/gate")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert "<script>" not in text
    headers, text = locust.get("under/gate/now")
    assert (headers["Content-Type"], headers["X-Content-Type-Options"], headers["Cache-Control"]) == (
        "application/json",
        "nosniff",
        "no-store",
    )
    assert json.loads(text)["phase"] in {"idle", "running", "judging", "ended"}


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_the_reports_load_section_is_drawn(browser: Browser, tmp_path: Path, width: int, scheme: Any) -> None:
    """Four drawings over time and eight histograms are no wider than the screen, and readable."""
    report_load_runs.sixteen_minutes(tmp_path)
    write_all(conclude(tmp_path), tmp_path)
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto((tmp_path / "report.html").as_uri())
    section = page.locator("section.load")
    expect(section.locator("svg.plot")).to_have_count(4)
    expect(section.locator("svg.spread")).to_have_count(8)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heights = section.locator("svg.plot text").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().height)"
    )
    assert min(heights) > 9
    section.screenshot(path=tmp_path / f"report-{width}-{scheme}.png")
    page.close()


def test_a_log_is_told_in_plain_lines(tmp_path: Path) -> None:
    """Without a terminal: whole lines, no escape sequence, beside Locust's own table."""
    said = headless(tmp_path, subprocess.PIPE)
    lines = [line for line in said.splitlines() if line.startswith("rampgate: ")]
    assert lines[0].startswith("rampgate: 0:15 | stage 2/3 20 users, 0:55 left | users 20 of 20 | 40 req/s")
    assert lines[1] == "rampgate: so far: UNDECIDED: 0 of 8 limits failed, 1 undecided"
    assert len(lines) > 4
    assert "\x1b[" not in "".join(lines)
    assert "\u202e" not in said


def test_a_terminal_is_rewritten_in_place(tmp_path: Path) -> None:
    """On a terminal: the cursor goes back over exactly the lines of the last time, none wider than it."""
    ours, theirs = pty.openpty()
    try:
        headless(tmp_path, theirs)
        os.close(theirs)
        said = os.read(ours, 1 << 20).decode()
    finally:
        os.close(ours)
    first, *later = said.split("\r\x1b[J")[1:]
    shown = first.split("\x1b[")[0].splitlines()
    assert shown[0].startswith("0:15 | stage 2/3 20 users")
    assert max(len(line) for line in shown) <= 59
    assert later
    assert first.endswith(f"\x1b[{len(shown)}A")


def headless(folder: Path, stream: int) -> str:
    """Two seconds of a headless Locust that speaks to this stream; returns what it wrote to a pipe."""
    command = [sys.executable, "-m", "locust", "-f", str(quiet(folder)), "--headless", "-t", "4s"]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ(),
        stdout=subprocess.DEVNULL,
        stderr=stream,
        timeout=STARTS_WITHIN_S,
        check=False,
    )
    return (done.stderr or b"").decode()
