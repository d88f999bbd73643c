from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from tests.unit.report_runs import START, Story
from tests.unit.test_report_html import ALLOWED, HOSTILE, Page, source
from tests.unit.watching import COUNTED, SETTINGS, World

from rampgate.evidence import journal
from rampgate.judging.threshold import parse
from rampgate.judging.verdict import decide
from rampgate.model.metrics import METRICS, registry
from rampgate.outcome import Severity
from rampgate.report import readings, series, watch
from rampgate.watch.rounds import Position

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.judging.results import Verdict

RULE = parse("up == 0", bad=True, name="application_down", severity=Severity.CRITICAL).to_json()
AT_LEAST = "\N{GREATER-THAN OR EQUAL TO}"


def watched(folder: Path) -> Verdict:
    """Eight minutes and a half: broken, not read, the percentage changed, and our own load beside it."""
    world = World(folder, SETTINGS + COUNTED)
    with world.watch() as found:
        world.rounds(found, [0.5, 0.5, 3.0, 3.0])
        world.measuring = "run 20270115T080000Z-0a1b (process 1, since 1 min)"
        world.rounds(found, [0.5] * 4)
        world.measuring = ""
        world.rounds(found, [None] * 4)
        world.position = Position(50.0, ("1",))
        for _ in range(6):
            world.counters = {"total": world.counters["total"] + 100, "failed": world.counters["failed"] + 1}
            world.rounds(found, [1.0])
        return found.end()


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """Of that watch."""
    return watched(tmp_path_factory.mktemp("watched"))


def cards(verdict: Verdict) -> dict[str, watch.Card]:
    """Its drawings by their titles."""
    found = watch.section(verdict, verdict.records)
    assert found is not None
    return {card.title: card for card in found["cards"]}


def elements(svg: str, kind: str) -> list[ET.Element]:
    """The elements of this class in a drawing."""
    return [each for each in ET.fromstring(svg).iter() if each.get("class") == kind]  # noqa: S314  # our own


def test_a_metric_is_drawn_with_its_limits_its_gap_and_what_happened(verdict: Verdict) -> None:
    """The line breaks where nothing was read; limits, our own load, and the rule's states are marked."""
    card = cards(verdict)["reported"]
    says = ET.fromstring(card.svg).get("aria-label") or ""  # noqa: S314  # our own
    limits = f"limit critical > 50 %; limit warning {AT_LEAST} 2 %"
    assert says == f"reported over 8:30; 0.5 to 3 %; {limits}"
    assert len(elements(card.svg, "a")) == 2
    assert len(elements(card.svg, "beside")) == 1
    assert [each.text for each in elements(card.svg, "of-stage")] == ["A", "1", "2", "3"]
    assert card.outcome == ("failed", "warning")
    assert card.caption == "last 1 %; highest 3 %"
    assert [line.partition(" ")[2] for line in card.lines] == [
        " 08:01:00 warns: ok \N{RIGHTWARDS ARROW} firing",
        " 08:02:00 warns: firing \N{RIGHTWARDS ARROW} recovering",
        " 08:03:00 warns: recovering \N{RIGHTWARDS ARROW} ok",
        "read 08:04:00 to 08:06:30: metric reported, /rate: found HTTP 503; accepted is a number",
    ]


def test_a_metric_that_is_counted_is_drawn_as_what_its_window_comes_to(verdict: Verdict) -> None:
    """1 of 100 that failed is 1 %, and the last window says of how many."""
    card = cards(verdict)["error rate"]
    assert card.caption == "last 1 % of 400; highest 1 %"
    assert card.outcome == ("shown",)


def test_a_percentile_that_is_counted_is_drawn_as_one(tmp_path: Path) -> None:
    """Of visits in buckets a quarter lies above the line, which is estimated between two edges."""
    entry = {"name": "web_vitals_lcp", "buckets": "LCP.buckets"}
    rule = parse("web_vitals_lcp_p75 > 3000", bad=True, name="slow", metrics=registry([entry])).to_json()
    story = Story(tmp_path, [], stage="watch", rules=[rule], settings={"metrics": [entry]})
    counted = {"at": START, "value": None, "n": 100, "failures": 0, "exceedances": {"1000": 40, "3000": 10}}
    story.journal.write("reading", at=START, readings={"web_vitals_lcp": counted})
    story.end()
    (card,) = cards(decide(*journal.read(tmp_path))).values()
    assert card.title == "web vitals lcp, p75"
    assert card.caption.startswith("last 2,000 ms of 100")
    assert "limit warning > 3,000 ms" in card.svg.replace("&gt;", ">")


def test_what_is_common_to_all_metrics_is_said_once(verdict: Verdict) -> None:
    """The change of the percentage has a letter; our own load has its time."""
    found = watch.section(verdict, verdict.records)
    assert found is not None
    assert found["changes"] == ["A  08:06:00 the percentage went from 25 to 50"]
    assert found["beside"] == ["run 20270115T080000Z-0a1b: 08:01:30 to 08:03:30"]


def test_a_percentile_of_buckets_lies_above_a_limit_exactly_where_its_rule_is_broken() -> None:
    """At an edge no estimate decides: the line crosses the limit when more than 5 % lie above it."""
    chance = random.Random(5)  # noqa: S311  # no secret
    for _ in range(500):
        counts = [chance.randrange(40) for _ in range(5)]
        n = sum(counts) or 1
        above = {edge: sum(counts[place:]) for place, edge in enumerate((50.0, 100.0, 500.0, 1000.0), 1)}
        drawn = series.quantile(0.95, n, above)
        assert drawn is not None
        for edge, beyond in above.items():
            assert (drawn > edge) is (beyond > 0.05 * n + 1e-6)


def test_a_long_watch_is_at_most_some_hundreds_of_points_and_keeps_the_worst() -> None:
    """A day at one reading a second: the one bad value stays, high or low as its limit has it."""
    for text, bad in (("up == 0", 0.0), ("web_vitals_lcp > 3000", 9000.0)):
        limit = parse(text, bad=True)
        found = series.Series(METRICS[limit.metric], {"rule": limit})
        found.points = [series.Point(float(at), 1.0) for at in range(86_400)]
        found.points[50_000] = series.Point(50_000.0, bad)
        drawn = series.drawn(found, 86_400.0)
        assert len(drawn) <= series.MOST_POINTS
        assert [point.value for point in drawn if point.value != 1.0] == [bad]


def test_a_page_of_many_metrics_stays_within_a_size(tmp_path: Path) -> None:
    """100 metrics, each read 1,000 times, are 40 drawings; the others are counted."""
    story = Story(tmp_path, [], stage="watch")
    for number in range(1_000):
        values = {f"m{metric}": {"at": 0, "value": (number * metric) % 97} for metric in range(100)}
        story.journal.write("reading", at=START + 30 * number, readings=values)
    story.end()
    page = source(tmp_path)
    assert len(page) < 400_000
    assert page.count('class="plot"') == watch.MOST_PLOTS
    assert "and 60 more metrics" in page


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_reading_is_text_in_the_watch_section(tmp_path: Path, text: str) -> None:
    """A metric's name, why it could not be read, a rule and a change of version stay text."""
    story = Story(tmp_path, [], stage="watch", rules=[{**RULE, "name": text}])
    rounds: list[dict[str, Any]] = [{"value": 1}, {"trouble": text}, {"value": 0}]
    for second, reading in enumerate(rounds):
        both = {text: {"at": 0, **reading}, "up": {"at": 0, **reading}}
        story.journal.write("reading", at=START + second, readings=both, changed=text, measuring=text)
    story.journal.write("episode", rule=text, before="ok", state="firing", read_at=START + 2)
    story.end()
    page = Page(source(tmp_path))
    assert {tag for tag, _ in page.tags} <= ALLOWED | {"polyline", "h4"}
    assert not {name for _, attributes in page.tags for name in attributes if name.startswith("on")}


@pytest.mark.parametrize(
    "reading",
    [
        {},
        {"readings": None, "at": START},
        {"readings": {"up": 1}, "at": START},
        {"readings": {"up": {"value": "many"}}, "at": START},
        {"readings": {"error_rate": {"n": "x", "failures": None}}, "at": START},
        {"readings": {"api_response_time": {"n": 9, "failures": 0}}, "at": START},
        {"readings": {"up": {"value": 1}}, "at": "now"},
    ],
)
def test_a_broken_reading_costs_its_point_only(tmp_path: Path, reading: dict[str, Any]) -> None:
    """What is none is left out, and the others are drawn."""
    story = Story(tmp_path, [], stage="watch", rules=[RULE, {"source": 1}])
    story.journal.write("reading", **reading)
    for second in (1, 2):
        story.journal.write("reading", at=START + second, readings={"up": {"value": 1}})
    story.end()
    page = Page(source(tmp_path))
    drawn = [a["aria-label"] for a in page.named("svg") if a["class"] == "plot"]
    assert drawn[0].endswith("; 1 to 1; limit critical = 0")


def test_a_run_without_a_watch_has_no_such_section(tmp_path: Path) -> None:
    """There is nothing to draw."""
    Story(tmp_path, []).end()
    assert readings.read([]) is None
    assert "Watch" not in Page(source(tmp_path)).text
