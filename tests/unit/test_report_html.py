from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from tests.unit import report_runs as runs

from rampgate.evidence import journal
from rampgate.judging import verdict
from rampgate.model.measurement import Measurement
from rampgate.report import html

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{7*7}}{% raw %}",
    "</style></pre></details><h1>PROMOTE</h1>",
    "\x1b[31mred\x1b[0m",
    "\u202eDLOH\u202c",
    "nul\x00nul",
    "javascript:alert(1)",
    "<svg onload=alert(1)>",
)
ALLOWED = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "div",
        "p",
        "h1",
        "h2",
        "h3",
        "span",
    ),
    *("code", "section", "a", "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary"),
    *("article", "dl", "dt", "dd", "ul", "li", "strong", "pre", "svg", "rect", "line", "circle", "text"),
}


class Page(HTMLParser):
    """Tags, attributes and visible text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._texts: list[tuple[tuple[str, ...], str]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that opens; meta and img have no end."""
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Tags close in the order in which they opened."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text outside the style sheet."""
        if "style" not in self.open:
            self.text += data
            self._texts.append((tuple(self.open), data))
        if {"td", "th"} & set(self.open) and self.rows[-1]:
            self.rows[-1][-1] = f"{self.rows[-1][-1]}{data}".strip()

    def inside(self, tag: str) -> str:
        """The text inside such elements within the table of findings."""
        return "".join(data for around, data in self._texts if tag in around and "table" in around)

    def named(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]


def source(folder: Path) -> str:
    """The run's report.html."""
    return html.dumps(verdict.decide(*journal.read(folder)))


def hostile_run(folder: Path, text: str) -> None:
    """A run in which everything that comes from outside says this."""
    check = f"immediate/x::y[{text}]"
    load = f"load/{text}"
    release = {"environment": text, "version": text, "percentage": 25}
    story = runs.Story(folder, [check, load, runs.UP], release=release, settings={text: text}, platform=text)
    seen = Measurement(
        "up",
        n=1,
        value=0.0,
        labels={"service": text, text: text},
        note=text,
        details={text: text, "rows": {text: {text: text}, "b": {text: 1}}, "list": [text, [text]]},
    )
    story.judged(check, seen, "up == 1")
    story.shown(load, seen)
    story.ended(check, "error", text)
    story.ended(load)
    story.event(text)
    story.end()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert(tmp_path: Path, text: str) -> None:
    """What a target answers is text: no tag, handler, link or template comes of it, no hidden character."""
    hostile_run(tmp_path, text)
    written = source(tmp_path)
    page = Page(written)
    assert {tag for tag, _ in page.tags} <= ALLOWED
    names = {name for _, attributes in page.tags for name in attributes}
    assert not {
        name for name in names if name.startswith("on") or name in {"src", "srcset", "style", "action"}
    }
    assert all(re.fullmatch(r"#c\d+", a["href"]) for a in page.named("a"))
    assert len(page.named("h1")) == 1
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", written)
    if text.isprintable():
        assert page.text.count(text) >= 8


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    """The page names no address, loads nothing, and forbids itself to."""
    runs.mixed(tmp_path)
    written = source(tmp_path)
    page = Page(written)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & {
        t for t, _ in page.tags
    }
    policy = next(m["content"] for m in page.named("meta") if m.get("http-equiv"))
    assert policy.split("; ")[:3] == ["default-src 'none'", "style-src 'unsafe-inline'", "img-src data:"]
    style = written.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    attributes = [value for _, found in page.tags for name, value in found.items() if name != "aria-label"]
    assert not [value for value in attributes if "//" in value]


def pictured(folder: Path, pictures: dict[str, str]) -> Page:
    """The page of a run that compared a page's looks, and kept these pictures."""
    check = "predeploy/visual::page_looks_as_accepted[ward]"
    seen = Measurement("visual_difference", "%", n=1, value=3.2, details={"pictures": pictures})
    story = runs.Story(folder, [check], stage="predeploy")
    story.judged(check, seen, "visual_difference == 0")
    story.ended(check)
    story.end(1)
    return Page(source(folder))


def test_the_pictures_of_a_comparison_are_shown(tmp_path: Path) -> None:
    """What was accepted, what is there now and where they differ lie open in a row, each named and linked."""
    pictures = {name: f"visual/{name}-ward.png" for name in ("accepted", "now", "difference")}
    page = pictured(tmp_path, pictures)
    assert [image["src"] for image in page.named("img")] == list(pictures.values())
    assert [a["href"] for a in page.named("a") if "visual" in a["href"]] == list(pictures.values())
    assert [image["alt"] for image in page.named("img")] == [f"the page: {name}" for name in pictures]
    row = next(row for row in page.rows if row and "".join(row[0].split()) == "".join(pictures))
    assert len(row) == 1
    policy = next(m["content"] for m in page.named("meta") if m.get("http-equiv"))
    assert "img-src 'self' data:;" in policy


def test_only_pictures_from_the_runs_own_folder_are_shown(tmp_path: Path) -> None:
    """Any other file, whatever names it, is not shown, and what a picture is called opens no tag."""
    name = '"><script>alert(1)</script>'
    page = pictured(
        tmp_path,
        {
            name: "visual/now-ward.png",
            "elsewhere": "http://127.0.0.1/x.png",
            "above": "visual/../../secret.png",
            "broken": 'visual/x.png" onerror="alert(1)',
            "hidden": "visual/.x.png",
            "other": "visual/x.svg",
        },
    )
    (image,) = page.named("img")
    assert image == {"src": "visual/now-ward.png", "alt": f"the page: {name}", "loading": "lazy"}
    assert not page.named("script")


def test_a_long_text_is_cut_and_its_length_told(tmp_path: Path) -> None:
    """A megabyte that a target answered neither fills the page nor vanishes silently."""
    hostile_run(tmp_path, "z" * 1_048_576)
    written = source(tmp_path)
    assert "of 1,048,576 characters)" in written
    assert len(written) < 200_000


def test_an_address_that_is_web_and_api_stands_once(tmp_path: Path) -> None:
    """Where one server is both, its address is not repeated."""
    target = {"name": "shop", "web": "http://127.0.0.1:1", "api": "http://127.0.0.1:1"}
    runs.Story(tmp_path, [], target=target).end()
    assert "shop http://127.0.0.1:1 " in " ".join(Page(source(tmp_path)).text.split())
    assert source(tmp_path).count("http://127.0.0.1:1") == 1


def test_the_first_screen_tells_what_to_do(tmp_path: Path) -> None:
    """Decision, release, reason, next command and chance come before the checks."""
    runs.mixed(tmp_path)
    before = Page(source(tmp_path)).text.partition("finding")[0]
    for told in (
        "ROLLBACK",
        "production 1.4.0 at 25 %",
        "5 % allowed (and 4 more)",
        "roll the percentage back, then: pytest -m immediate",
        "at most once in 1,000 runs (32 tests share that)",
    ):
        assert told in before


def test_every_check_is_there_with_its_numbers(tmp_path: Path) -> None:
    """Sentence, measured value with bound, limit and n of each judgement, the weightiest check first."""
    runs.mixed(tmp_path)
    page = Page(source(tmp_path))
    for told in ("15 % (at least 8.75 %)", "error_rate > 5%", "needs about 29,000 more requests", "2,000"):
        assert told in page.text
    order = [
        page.text.index(name) for name in ("endpoint answers", "page is light", "one version", "flag is")
    ]
    assert order == sorted(order)
    assert "the time budget of 15 min ran out" in page.text
    assert "mongodb" in page.text


@pytest.mark.parametrize(("outcome", "told"), [("failed", False), ("error", False), ("skipped", True)])
def test_only_what_holds_nothing_is_told_to_be_not_required(
    tmp_path: Path, outcome: str, *, told: bool
) -> None:
    """A check that may be skipped may not fail: then it holds, and nothing says that it does not matter."""
    story = runs.Story(tmp_path, [runs.UP], optional=[runs.REDIS])
    story.ended(runs.UP)
    story.ended(runs.REDIS, outcome, "said")
    story.end()
    assert ("not required" in Page(source(tmp_path)).text) is told


def test_the_evidence_is_there(tmp_path: Path) -> None:
    """Attempts, earlier looks, Lighthouse runs with their benchmark index, percentiles and a histogram."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    runs.promoted(tmp_path / "a")
    page = Page(source(tmp_path / "a"))
    for told in ("ConnectError: refused", "benchmarkIndex", "1502", "97 96 97", "p99", "cold start", "***"):
        assert told in page.text
    drawings = [attributes["aria-label"] for attributes in page.named("svg")]
    assert any("limit 500 ms at 500 ms" in says for says in drawings)
    assert any(says.startswith("measured 0 % (at most 0.23 %), limit error_rate < 2%") for says in drawings)
    runs.mixed(tmp_path / "b")
    assert "an earlier look" in Page(source(tmp_path / "b")).text


def test_the_evidence_of_what_is_not_passed_is_open(tmp_path: Path) -> None:
    """What passed, or was skipped for another, is folded into one line; what failed is read at once."""
    runs.mixed(tmp_path)
    whole = source(tmp_path)
    opened, folded = whole[whole.index('id="evidence"') :].split(
        "of what passed, was skipped, or is only shown"
    )
    assert opened.count('class="evidence"') == opened.count(" open>") == 4
    assert folded.count('class="evidence"') == 3
    assert " open>" not in folded


def test_failed_requests_are_not_counted_as_slow(tmp_path: Path) -> None:
    """Beside the count beyond a limit stands that it holds those that failed, where there are any."""
    story = runs.Story(tmp_path, [runs.FAST])
    failed = runs.latency(n=140)
    failed = replace(failed, n=200, exceedances=dict.fromkeys(failed.exceedances, 60))
    story.judged(runs.FAST, failed, runs.P95.source)
    story.ended(runs.FAST, None)
    story.end(1)
    assert "failed, or at or over 500 ms60" in Page(source(tmp_path)).text


def test_versions_are_counted_by_instance(tmp_path: Path) -> None:
    """Who answered which version stands in a table; reason, judgement and evidence say it in words."""
    runs.versions(tmp_path)
    page = Page(source(tmp_path))
    nobody = "\N{EN DASH}"
    for row in (["1.3.9", "13", nobody, nobody], ["1.4.0", nobody, "20", "17"]):
        assert row in page.rows
    assert page.text.count("13 of 50 answered as another version than 1.4.0: 1.3.9") == 3


def test_load_has_a_row_per_endpoint_and_cohort(tmp_path: Path) -> None:
    """Each combination of labels under load is a row with its own counts, percentiles and outcome."""
    runs.loaded(tmp_path)
    rows = [row for row in Page(source(tmp_path)).rows if len(row) == 11]
    assert rows[0][:5] == ["ramp stage", "endpoint", "cohort", "requests", "failed"]
    assert [row[:5] for row in rows[1:]] == [
        ["all", "patients", "on", "3,000", "0 (0 %)"],
        ["all", "patients", "off", "3,000", "0 (0 %)"],
        ["all", "dashboard", "on", "3,000", "4 (0.133 %) HTTP 500"],
        ["all", "dashboard", "off", "3,000", "4 (0.133 %) HTTP 500"],
        ["2", "patients", "on", "40", ""],
    ]
    assert {row[-1].split()[-1] for row in rows[1:5]} == {"passed"}
    assert rows[5][-1].endswith("shown")


def flags(folder: Path, wrong: int = 0) -> Page:
    """The page of a run with one check of twelve flags, so many of them wrong."""
    check = "immediate/flags::flags_are_sticky"
    story = runs.Story(folder, [check])
    for number in range(12):
        seen = Measurement(
            "flag_changed", n=100, failures=int(number < wrong), labels={"flag": f"flag-{number}"}
        )
        story.judged(check, seen, "flag_changed == 0")
    story.ended(check, "failed" if wrong else "passed")
    story.end()
    return Page(source(folder))


def test_many_good_findings_are_folded_when_promoted(tmp_path: Path) -> None:
    """Twelve flags that all passed are one line to open, with every number inside."""
    page = flags(tmp_path)
    folded = page.inside("details")
    assert "flags (1 check)" in folded
    assert all(f"flag-{number}" in folded for number in range(12))
    assert len([row for row in page.rows if row[0].startswith("flag-") and row[4].endswith("passed")]) == 12


def test_what_passed_is_folded_below_what_failed(tmp_path: Path) -> None:
    """Where one of twelve flags is wrong, it lies open, and the eleven others are there to be opened."""
    page = flags(tmp_path, wrong=1)
    folded = page.inside("details")
    assert "11 more of this check" in folded
    assert "flag-3" in folded
    assert "flag-0: 1 of 100 decisions changed when asked again" in page.text
    assert "flag-0:" not in folded


def test_the_same_journal_gives_the_same_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No time of writing, time zone or hash order gets into the page."""
    runs.mixed(tmp_path)
    first = source(tmp_path)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert source(tmp_path) == first


def test_an_empty_run_is_a_page_too(tmp_path: Path) -> None:
    """With no plan and no measurement the page says so."""
    runs.Story(tmp_path, []).end()
    text = Page(source(tmp_path)).text
    assert "HOLD" in text
    assert "Nothing was planned, so nothing was checked." in text
