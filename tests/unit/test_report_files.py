from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from tests.unit import report_runs as runs

from rampgate import report
from rampgate.errors import EvidenceError
from rampgate.evidence.verdicts import conclude
from rampgate.judging import verdict
from rampgate.judging.judge import Judgement, judge
from rampgate.judging.threshold import parse
from rampgate.model.measurement import Histogram, Measurement
from rampgate.model.text import clean
from rampgate.outcome import Decision
from rampgate.report import charts, details, html

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.judging.results import Verdict

FILES = ("verdict.json", "junit.xml", "summary.md", "metrics.txt", "report.html")


def contents(folder: Path) -> dict[str, bytes]:
    """Name -> bytes of each report."""
    return {name: (folder / name).read_bytes() for name in FILES}


def written(folder: Path, messages: list[str] | None = None) -> Verdict:
    """The verdict of a run whose verdict.json and reports are written; what could not be, in messages."""
    decided = conclude(folder)
    report.write_all(decided, folder, warn=None if messages is None else messages.append)
    return decided


def test_all_reports_come_from_the_journal_and_are_the_same_each_time(tmp_path: Path) -> None:
    """Judged again, a run has the same reports byte for byte, and nothing else is left in its folder."""
    runs.mixed(tmp_path)
    decided = written(tmp_path)
    first = contents(tmp_path)
    assert decided.decision is Decision.ROLLBACK
    assert json.loads(first["verdict.json"]) == verdict.to_json(decided)
    written(tmp_path)
    assert contents(tmp_path) == first
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "journal-immediate-1.jsonl"}


def test_a_report_that_dies_costs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a defect in the page, the verdict and the other reports are written, and no old page is left."""
    runs.promoted(tmp_path)
    (tmp_path / "report.html").write_text("an old verdict")

    def broken(*_: object) -> str:
        raise TypeError("a defect")

    monkeypatch.setattr(html, "dumps", broken)
    messages: list[str] = []
    assert written(tmp_path, messages).decision is Decision.PROMOTE
    assert messages == ["report.html could not be made: TypeError: a defect"]
    assert {path.name for path in tmp_path.iterdir()} >= set(FILES[:3])
    assert not (tmp_path / "report.html").exists()


def test_a_folder_without_a_journal_is_refused(tmp_path: Path) -> None:
    """Where there is no evidence there is no verdict, and no file is made."""
    with pytest.raises(EvidenceError, match="no journal"):
        written(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_verdict_that_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is told as such, and leaves no half of a file."""
    runs.promoted(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(EvidenceError, match=r"verdict\.json: cannot be written: No space left"):
        written(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["journal-immediate-1.jsonl"]


def test_half_a_character_is_no_obstacle(tmp_path: Path) -> None:
    """A lone surrogate, legal in JSON and not in UTF-8, is written as an escape everywhere."""
    story = runs.Story(tmp_path, [runs.UP])
    story.ended(runs.UP, "error", "SURROGATE")
    story.end()
    file = tmp_path / "journal-immediate-1.jsonl"
    file.write_text(file.read_text().replace("SURROGATE", r"\ud800"))
    messages: list[str] = []
    written(tmp_path, messages)
    assert messages == []
    assert json.loads(contents(tmp_path)["verdict.json"])["checks"][0]["message"] == "\ud800"
    assert b"&lt;U+D800&gt;" in contents(tmp_path)["report.html"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (None, ""),
        (0, "0"),
        ("plain, 日本, é", "plain, 日本, é"),
        ("a\nb\tc", "a b c"),
        ("\x00\x1b\x7f", "\N{SYMBOL FOR NULL}\N{SYMBOL FOR ESCAPE}\N{SYMBOL FOR DELETE}"),
        ("\x9b\u202e\u200b\ufeff", "<U+009B><U+202E><U+200B><U+FEFF>"),
        ("\u00a0", "\u00a0"),
    ],
)
def test_what_is_invisible_becomes_visible(text: object, shown: str) -> None:
    """Control characters, direction marks and zero widths are told; letters of any script stay."""
    assert clean(text) == shown


def test_line_ends_stay_where_they_are_wanted() -> None:
    """Preformatted text keeps its lines, and nothing else that controls."""
    assert (
        clean("a\nb\r\x0b", lines=True)
        == "a\nb\N{SYMBOL FOR CARRIAGE RETURN}\N{SYMBOL FOR VERTICAL TABULATION}"
    )


def test_like_entries_are_a_table_and_others_are_not() -> None:
    """A list of alike records is a grid; a single record, or a deep one, stays pairs."""
    grid = details.node([{"status": 200, "ms": 1.25}, {"status": None, "error": "refused"}])
    rows = (("1", ("200", "1.25", "–")), ("2", ("–", "–", "refused")))  # noqa: RUF001 - a dash
    assert grid == details.Node("grid", rows, 0, ("status", "ms", "error"))
    inner = details.Node("pairs flat", (("200", "3"),), 0)
    assert details.node({"statuses": {"200": 3}}) == details.Node("pairs", (("statuses", inner),), 0)


def test_long_and_deep_details_are_cut_and_counted() -> None:
    """A list of thousands shows the first and counts the rest; depth ends in plain JSON."""
    many = details.node(list(range(1_000)))
    assert isinstance(many, details.Node)
    assert (len(many.items), many.left) == (details.MOST, 1_000 - details.MOST)
    deep: object = "end"
    for _ in range(500):
        deep = [deep]
    assert "[[[" in repr(details.node(deep))


def test_a_spread_of_nothing_is_no_drawing() -> None:
    """Without answers there is no histogram, and one answer is drawn without dividing by nothing."""
    assert charts.spread(Histogram(), {}, "ms") == ""
    assert charts.spread(Histogram.of([5.0]), {}, "ms").count("<rect") == 1


def judgement(source: str, seen: Measurement) -> Judgement:
    """One judgement."""
    return judge(parse(source, metric=seen.metric), seen, alpha_fail=1e-4)


def drawn(svg: str, kind: str) -> list[dict[str, float]]:
    """The geometry of each element of this class."""
    root = ET.fromstring(svg)  # noqa: S314 - our own drawing
    found = [element for element in root.iter() if element.get("class") == kind]
    return [{key: float(value) for key, value in e.attrib.items() if key != "class"} for e in found]


def test_the_bar_keeps_the_order_of_limit_value_and_bounds() -> None:
    """A rate within its limit is drawn left of it; a score within its limit right of it."""
    rate = charts.position(judgement("error_rate < 2%", runs.errors(n=4_000, failures=10)))
    bounds, limit, dot = (drawn(rate, kind)[0] for kind in ("bounds", "limit", "point"))
    assert bounds["x"] < dot["cx"] < bounds["x"] + bounds["width"] < limit["x1"]
    assert drawn(rate, "beyond")[0]["x"] == limit["x1"]
    score = charts.position(judgement("lighthouse_performance_score >= 85", runs.scores(97, 96, 97)))
    assert drawn(score, "limit")[0]["x1"] < drawn(score, "bounds")[0]["x"]
    assert drawn(score, "beyond")[0]["x"] == 0


def test_what_is_only_compared_has_no_bar() -> None:
    """A count or a state has no scale to be drawn on, nor has what was not seen."""
    assert charts.position(judgement("up == 1", runs.up())) == ""
    assert charts.position(judgement("error_rate < 2%", Measurement("error_rate"))) == ""


def test_the_bars_of_a_spread_end_where_the_policy_says() -> None:
    """With latency_buckets there is one bar for each, and what is slower than the last has one of its own."""
    found = Histogram.of([20.0] * 30 + [70.0] * 20 + [90.0] * 10 + [700.0])
    svg = charts.spread(found, {"100 ms": 100.0}, "ms", bins=(50.0, 100.0, 200.0, 500.0))
    fast, usual, slow = drawn(svg, "count")
    assert fast["height"] == usual["height"] > slow["height"]
    assert usual["x"] + usual["width"] < drawn(svg, "limit")[0]["x1"] < slow["x"]
    assert usual["x"] + usual["width"] + 1 == pytest.approx(drawn(svg, "limit")[0]["x1"], abs=0.2)


def test_the_spread_shows_every_limit_and_every_answer() -> None:
    """A lone slow answer among a thousand has its bar, and limits beyond all answers are drawn."""
    svg = charts.spread(Histogram.of([10.0] * 999 + [700.0]), {"500 ms": 500, "5,000 ms": 5000}, "ms")
    usual, slow = drawn(svg, "count")
    near, far = drawn(svg, "limit")
    assert slow["height"] >= 2
    assert usual["x"] < near["x1"] < slow["x"] < far["x1"]
