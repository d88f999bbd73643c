"""Texts of a target or an operator that would run in a reader's browser: every page with them is opened.

Reports, both documents, and every Markdown file as a renderer makes HTML of it (raw HTML is let through, as
the laxest one does). Each text calls a canary; whatever is on the page is pointed at, pressed and focussed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt
from tests.unit.rollout_documents import MadeUp
from tests.unit.test_report_html import hostile_run

from rampgate.evidence import journal
from rampgate.judging import verdict
from rampgate.report import html, markdown
from rampgate.rollout.transitions import Command, Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Dialog, Page, Request

CALL = "fetch('http://canary.invalid/')"
TEXTS = (
    f"<script>{CALL}</script>",
    f"</script><script>{CALL}</script>",
    f"</title><script>{CALL}</script>",
    f"</style><script>{CALL}</script>",
    f"</textarea></pre></details><script>{CALL}</script>",
    f"--><script>{CALL}</script><!--",
    f"]]><script>{CALL}</script>",
    f"<ScRiPt\n>{CALL}</sCrIpT\t>",
    f"\x00<script>{CALL}</script>",
    f"\ud800<script>{CALL}</script>",
    f"\u202e<script>{CALL}</script>",
    f"\x1b]8;;http://canary.invalid\x07<script>{CALL}</script>",
    f"<img src=x onerror={CALL}>",
    f'"><img src=x onerror="{CALL}">',
    f'\'><img src=x onerror="{CALL}">',
    f"`<img src=x onerror={CALL}>`",
    f"```\n<img src=x onerror={CALL}>\n```",
    "<img src=http://canary.invalid/>",
    "![x](http://canary.invalid/x.png)",
    "![x][y]\n\n[y]: http://canary.invalid/x.png",
    "<link rel=stylesheet href=http://canary.invalid/>",
    "<style>@import 'http://canary.invalid/';</style>",
    "<meta http-equiv=refresh content='0;url=http://canary.invalid/'>",
    "<base href=http://canary.invalid/>",
    "<iframe src=http://canary.invalid/></iframe>",
    f'<iframe srcdoc="<script>parent.{CALL}</script>"></iframe>',
    f'<svg onload="{CALL}"/>',
    f"<svg><script>{CALL}</script></svg>",
    f"<math><mtext><script>{CALL}</script></mtext></math>",
    f"<body onload={CALL}>",
    f"<details open ontoggle={CALL}>",
    f"<input autofocus onfocus={CALL}>",
    f"<video><source onerror={CALL}></video>",
    "<object data=http://canary.invalid/></object>",
    "<form action=http://canary.invalid/><button autofocus>x</button></form>",
    f"' onmouseover='{CALL}' x='",
    f'" onmouseover="{CALL}" x="',
    f'" autofocus onfocus="{CALL}" x="',
    f"[x](javascript:{CALL})",
    f'<a href="javascript:{CALL}">x</a>',
    f"<javascript:{CALL}>",
    "<http://canary.invalid/>",
    "| a | <script>fetch('http://canary.invalid/')</script> |",
    f"\n\n# a\n\n<div onmouseover={CALL}>x</div>\n\n",
    f"{{{{ self.__init__.__globals__ }}}}{{% raw %}}<script>{CALL}</script>",
    f"&lt;script&gt;{CALL}&lt;/script&gt;",
    f"&#60;script&#62;{CALL}&#60;/script&#62;",
    f"+ADw-script+AD4-{CALL}+ADw-/script+AD4-",
    f"<!-- rampgate: lessons ends --><script>{CALL}</script>",
    "x" * 10_000_000 + f"<script>{CALL}</script>",
)
WAKE = """() => { for (const each of document.querySelectorAll('*')) {
  for (const kind of ['mouseover', 'focus', 'click', 'toggle', 'load'])
    each.dispatchEvent(new MouseEvent(kind, {bubbles: false, cancelable: true}));
} }"""


class Reader:
    """Somebody who opens pages and touches everything on them; keeps what a text has made the browser do."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.fired: list[str] = []
        page.on("request", self._asked)
        page.on("dialog", self._shown)

    def _shown(self, dialog: Dialog) -> None:
        self.fired.append(dialog.message)
        dialog.dismiss()

    def _asked(self, request: Request) -> None:
        if request.url.startswith(("http:", "https:")) or not request.is_navigation_request():
            self.fired.append(request.url)

    def opens(self, path: Path) -> list[str]:
        """What was fired by a page, until nothing is loaded any more."""
        self.fired.clear()
        self.page.goto(path.as_uri(), wait_until="load")
        self.page.evaluate(WAKE)
        self.page.wait_for_timeout(20)
        return list(self.fired)


@pytest.fixture(scope="module")
def reader(browser: Browser) -> Iterator[Reader]:
    """A browser with all that a reader's has switched on."""
    context = browser.new_context()
    yield Reader(context.new_page())
    context.close()


def rendered(folder: Path, name: str, text: str) -> Path:
    """Markdown as a page."""
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    page = folder / f"{name}.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{body}", "utf-8", "backslashreplace")
    return page


def pages(folder: Path, text: str) -> Iterator[Path]:
    """Everything that a person reads of a run and a rollout in which this text stands wherever it can."""
    run = folder / "run"
    run.mkdir()
    hostile_run(run, text)
    decided = verdict.decide(*journal.read(run))
    report = run / "report.html"
    report.write_text(html.dumps(decided), "utf-8", "backslashreplace")
    yield report
    yield rendered(run, "summary", markdown.dumps(decided))
    made = MadeUp(folder)
    made.step(Command.START, 0, 0, 0, why=text, who=text)
    made.step(Command.EMERGENCY, 0, 0, 1, why=text, who=text, effect={"ok": True, "sentence": text})
    made.stands(Status.ROLLED_BACK, 0, features=(text,), version=text)
    for name in ("announce", "report"):
        made.make(name)
        path = folder / f"{name}-page.html"
        path.write_text(made.text(name, "html"), encoding="utf-8")
        yield path
        yield rendered(folder, name, made.text(name))


TOGETHER = 4
"""So many texts stand in one place side by side: opened one by one they cost four times as long."""


@pytest.mark.parametrize("first", range(0, len(TEXTS), TOGETHER))
def test_no_text_runs_in_a_readers_browser(reader: Reader, tmp_path: Path, first: int) -> None:
    """Nothing is asked for, run or shown by any page, whatever a target or an operator wrote."""
    text = " ".join(TEXTS[first : first + TOGETHER])
    fired = {path.name: what for path in pages(tmp_path, text) if (what := reader.opens(path))}
    assert not fired


@pytest.mark.parametrize("number", [0, 13, 17, 18, 30, 36])
def test_the_canary_fires_where_a_text_is_let_through(reader: Reader, tmp_path: Path, number: int) -> None:
    """Markup, a handler, an image, a link of Markdown: each is seen where nothing is escaped."""
    text = TEXTS[number]
    raw = f'<p title="{text}">x</p>' if text.startswith('"') else text
    assert reader.opens(rendered(tmp_path, "raw", raw))
