from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from tests.unit import report_load_runs as loads
from tests.unit.report_runs import Story
from tests.unit.test_report_html import ALLOWED, HOSTILE, Page, source

from rampgate.evidence import journal
from rampgate.model.ramp import Ramp
from rampgate.report import plots, timeline

if TYPE_CHECKING:
    from pathlib import Path


def drawn(svg: str, kind: str) -> list[ET.Element]:
    """The elements of this class in a drawing."""
    return [each for each in ET.fromstring(svg).iter() if each.get("class") == kind]  # noqa: S314  # our own


def axes(length: int, **of: object) -> plots.Axes:
    """Axes of so many seconds."""
    return plots.Axes("users", [second + 0.5 for second in range(length)], **of)  # type: ignore[arg-type]  # a test's shorthand


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The report of sixteen minutes."""
    folder = tmp_path_factory.mktemp("sixteen")
    loads.sixteen_minutes(folder)
    return Page(source(folder))


def test_users_requests_times_and_failures_are_drawn_over_time(page: Page) -> None:
    """Four drawings tell in words their ranges, their limits, and when each stage of the ramp ends."""
    says = [attributes["aria-label"] for attributes in page.named("svg") if attributes["class"] == "plot"]
    assert [text.partition(" over 16:00; ")[0] for text in says] == [
        "users",
        "requests per second",
        "response times in ms",
        "requests that failed, in % of those of the same second",
    ]
    assert all("5 stages, which end at 2:00, 7:00, 9:00, 14:00, 16:00" in text for text in says)
    assert "actual 0 to 100; ideal" in says[0]
    assert "limit p95 1,000 ms; limit p95 5,000 ms" in says[2]
    assert "limit 2 %; limit 5 %" in says[3]
    assert "failed 0 to 10 %" in says[3]
    assert "1: 0 to 10 users until 2:00; 2: 10 to 50 users until 7:00; 3: 50 to 100 users" in page.text
    assert "4: 100 users until 14:00; 5: 100 to 0 users until 16:00" in page.text


def test_each_endpoint_and_cohort_has_its_spread_on_one_scale(page: Page) -> None:
    """Eight histograms of the plateau, none of another stage, with the same ticks and the limit drawn."""
    kinds = [a["aria-label"] for a in page.named("svg") if a["class"] == "spread"][:8]
    assert all(text.startswith("4,") and "limit 1,000 ms at 1,000 ms" in text for text in kinds)
    headings = re.findall(r"(?:me|overview|patients|clinical-notes), (?:on|off)", page.text)
    assert len(dict.fromkeys(headings)) == 8


def test_every_cell_is_a_row(page: Page) -> None:
    """What is judged comes first, then ramp stage x endpoint x cohort; connecting stands apart."""
    rows = [row for row in page.rows if len(row) == 11]
    heads = [number for number, row in enumerate(rows) if row[0] == "ramp stage"]
    assert heads == [0, 8]
    assert [row[:3] for row in rows[5:8]] == [
        ["4: 100 users", "all", "on"],
        ["4: 100 users", "all", "off"],
        ["whole run", "all", "all"],
    ]
    assert len(rows[9:]) == 16
    assert rows[3][9] == "0.412 ms"
    assert rows[3][10].endswith("failed \N{MIDDLE DOT} warning")


def test_the_checks_of_a_load_script_are_counted_and_never_rounded_up(page: Page) -> None:
    """12 of 40,000 that failed are no 100 %."""
    text = " ".join(page.text.split())
    assert "status is 20099.97 % 39,988 of 40,000" in text
    assert "response time < 1000ms99.95 % 39,980 of 40,000" in text


def test_the_run_itself_is_told(page: Page) -> None:
    """What was measured of the generator and of the abort stands in a table of its own."""
    shown, passed = "\N{MIDDLE DOT} shown", "\N{CHECK MARK} passed"
    fares = "cpu percent 4.1, iterations 53,000, users mean 100, users ideal 100"
    assert ["generator", "load-4711", "generator wait 0.7 %", "", shown, fares] in page.rows
    abort = ["abort", "rate<0.02", "abort evidence 2.5", "abort_evidence < 10.38", passed, ""]
    assert abort in page.rows


def test_the_drawings_add_no_tag_that_can_do_anything(page: Page) -> None:
    """Beside the tags of every report there is only a polyline and a smaller heading."""
    assert {tag for tag, _ in page.tags} <= ALLOWED | {"polyline", "h4"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_endpoint_is_text_in_the_load_section(tmp_path: Path, text: str) -> None:
    """An endpoint's name stays text in tables and headings."""
    story = Story(tmp_path, [f"load/plateau[{text}]"], stage="load")
    loads.judged(story, f"load/plateau[{text}]", {"endpoint": text, "ramp_stage": text}, n=300, slow=1)
    story.ended(f"load/plateau[{text}]")
    loads.timeline(story, Ramp.parse("2s:2,3s:2"))
    story.end()
    shown = Page(source(tmp_path))
    assert {tag for tag, _ in shown.tags} <= ALLOWED | {"polyline", "h4"}
    assert not {name for _, attributes in shown.tags for name in attributes if name.startswith("on")}


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"columns": None},
        {"columns": {name: [] for name in ("n", "failures", "users", "ideal", "p50", "p95", "p99")}},
        {"columns": {**loads.columns(Ramp.parse("3s:2")), "p99": [1.0]}},
        {"columns": {**loads.columns(Ramp.parse("3s:2")), "n": ["many", 1, 2]}},
        {"columns": loads.columns(Ramp.parse("3s:2")), "stages": [1, 2]},
        {"columns": {**loads.columns(Ramp.parse("3s:2")), "second": [0, 1, 10**9]}},
    ],
)
def test_a_broken_timeline_costs_the_drawings_only(tmp_path: Path, record: dict[str, object]) -> None:
    """A record that is none is left out, and the report is made."""
    story = Story(tmp_path, [loads.WHOLE], stage="load")
    loads.judged(story, loads.WHOLE, {"ramp_stage": "whole run"}, n=300, slow=0)
    story.ended(loads.WHOLE)
    story.journal.write("timeline", **record)
    story.end()
    page = Page(source(tmp_path))
    assert not [a for a in page.named("svg") if a["class"] == "plot"]
    assert "Checks of every request" in page.text


def test_a_long_run_is_drawn_in_steps(tmp_path: Path) -> None:
    """Two hours are at most 300 points: counts add up, and of everything else the highest stays."""
    story = Story(tmp_path, [], stage="load")
    ramp = Ramp.parse("1h:10,1h:10")
    loads.timeline(story, ramp, bad=[5_000])
    line = timeline.read(journal.read(tmp_path)[0])
    assert line is not None
    written = loads.columns(ramp, bad=[5_000])
    assert (line.step, len(line.seconds)) == (24, 300)
    assert sum(n or 0 for n in line.columns["n"]) == sum(written["n"])
    assert max(t for t in line.columns["p99"] if t) == max(t for t in written["p99"] if t)
    assert line.seconds[-1] == 7_188


def test_seconds_without_a_value_are_gaps(tmp_path: Path) -> None:
    """A second that nobody wrote, or in which nothing answered, breaks the line; one alone is a dot."""
    del tmp_path
    svg = plots.over_time(axes(6), lines=[plots.Line("p95", [1.0, 2.0, None, 3.0, None, None], "p95")])
    assert [
        len((each.get("points") or "").split()) for each in drawn(svg, "p95") if each.tag.endswith("polyline")
    ] == [2]
    assert sum(each.tag.endswith("circle") for each in drawn(svg, "p95")) == 1
    assert plots.over_time(axes(2), lines=[plots.Line("p95", [None, None], "p95")]) == ""


def test_a_limit_beyond_every_value_is_still_in_the_drawing() -> None:
    """A straight and a logarithmic scale reach to the limits, and stages are at their seconds."""
    for logarithmic in (False, True):
        of = axes(100, stages=[(25.0, 5.0), (100.0, 5.0)], logarithmic=logarithmic)
        svg = plots.over_time(
            of, lines=[plots.Line("a", [0.0] + [20.0] * 99, "a")], limits=[plots.Limit("far", 5_000)]
        )
        (limit,) = drawn(svg, "limit")
        assert 20 <= float(limit.get("y1") or 0) <= 152
        (stage,) = drawn(svg, "stage")
        left, right = (float(each.get("x1") or 0) for each in (drawn(svg, "axis")[0], drawn(svg, "limit")[0]))
        assert float(stage.get("x1") or 0) == pytest.approx(44 + 310 / 4, abs=0.1)
        assert left == right == 44


def test_names_at_the_ends_do_not_lie_over_each_other() -> None:
    """Three lines that end at one value have three names apart."""
    lines = [plots.Line(name, [1.0, 1.0], name) for name in ("p50", "p95", "p99")]
    svg = plots.over_time(axes(2), lines=lines)
    heights = sorted(
        float(each.get("y") or 0) for name in ("p50", "p95", "p99") for each in drawn(svg, f"name {name}")
    )
    assert all(second - first >= 11 for first, second in itertools.pairwise(heights))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (960, "16:00"), (3_725, "1:02:05")]
)
def test_time_is_told_as_on_a_clock(seconds: float, text: str) -> None:
    """Minutes and seconds, hours where there are any."""
    assert plots.clock(seconds) == text
