from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import report_runs as runs
from tests.unit.recorded_runs import RUNS, unpack

from rampgate.evidence import journal
from rampgate.judging import verdict
from rampgate.model.measurement import Measurement
from rampgate.outcome import Decision, Outcome, Severity
from rampgate.report import junit

# What junit-10.xsd of Jenkins' xUnit plugin allows: element -> (attributes, children).
STRUCTURE = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
        {"properties", "testcase", "system-out"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "system-out": (set(), set()),
    "testcase": ({"name", "classname", "time"}, {"failure", "error", "skipped"}),
    **{tag: ({"type", "message"}, set()) for tag in ("failure", "error", "skipped")},
}
REQUIRED = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}}


def read(folder: Path) -> ET.Element:
    """The suite of a run's junit.xml."""
    text = junit.dumps(verdict.decide(*journal.read(folder)))
    root = ET.fromstring(text)  # noqa: S314 - our own output, and that it parses is the point
    suite = root.find("testsuite")
    assert suite is not None
    return suite


def red(suite: ET.Element) -> dict[str, tuple[str, str]]:
    """Name -> tag and type of each test case that is not green."""
    return {
        case.get("name", ""): (result.tag, result.get("type", ""))
        for case in suite.findall("testcase")
        for result in case
    }


def test_it_has_the_structure_that_ci_servers_read(tmp_path: Path) -> None:
    """Elements, attributes, times and counts are those of junit-10.xsd, and the counts are true."""
    runs.mixed(tmp_path)
    text = junit.dumps(verdict.decide(*journal.read(tmp_path)))
    root = ET.fromstring(text)  # noqa: S314 - our own output
    for element in root.iter():
        attributes, children = STRUCTURE[element.tag]
        assert set(element.attrib) <= attributes
        assert {child.tag for child in element} <= children
        assert REQUIRED.get(element.tag, set()) <= set(element.attrib)
        if "time" in element.attrib:
            assert re.fullmatch(r"[0-9]{1,3}\.[0-9]{3}", element.attrib["time"])
    suite = root[0]
    results = [child.tag for case in suite.findall("testcase") for child in case]
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == [
        str(len(suite.findall("testcase"))),
        *(str(results.count(tag)) for tag in ("failure", "error", "skipped")),
    ]


def test_it_says_when_where_and_for_how_long(tmp_path: Path) -> None:
    """The suite begins and lasts as its journal, a test case as its check; a link leads to report.html."""
    story = runs.Story(
        tmp_path, [runs.UP, runs.REDIS], vantage="runner-7", settings={"reports": "ci/reports"}
    )
    for check in (runs.UP, runs.REDIS):  # side by side, each for 2 s
        story.judged(check, runs.up(), "up == 1")
        story.ended(check, seconds=2.0)
    story.clock.time += 60
    story.end()
    suite = read(tmp_path)
    assert (suite.get("timestamp"), suite.get("hostname")) == ("2026-09-21T14:13:20", "runner-7")
    assert [case.get("time") for case in suite.iter("testcase")] == ["2.000", "2.000"]
    assert suite.get("time") == "61.750"
    page = "ci/reports/20260921T143320Z-0a1b/report.html"
    assert {prop.get("name"): prop.get("value") for prop in suite.iter("property")}["report"] == page
    said = suite.findtext("system-out", "")
    assert said.startswith("PROMOTE immediate: production 1.4.0 at 25 %, from runner-7")
    assert said.endswith(f"report: {page}")


def test_each_outcome_has_its_element(tmp_path: Path) -> None:
    """Failed is a failure of its severity; error and never ran are errors; skipped is skipped."""
    runs.mixed(tmp_path)
    suite = read(tmp_path)
    assert red(suite) == {
        "endpoint_is_fast[patients]": ("failure", "warning"),
        "endpoint_answers[patients]": ("failure", "critical"),
        "page_is_light[signin]": ("error", "error"),
        "redis_answers": ("skipped", "skipped"),
        "one_version_answers": ("error", "never ran"),
    }
    assert {case.get("classname") for case in suite.findall("testcase")} >= {"immediate.latency"}
    told = {prop.get("name"): prop.get("value") for prop in suite.iter("property")}
    assert (told["verdict"], told["version"], told["percentage"]) == ("rollback", "1.4.0", "25")


def test_undecided_is_an_error(tmp_path: Path) -> None:
    """A check that could not decide is no green and no failure of the deployment."""
    story = runs.Story(tmp_path, [runs.RIGHT])
    story.judged(runs.RIGHT, runs.errors(n=50), "error_rate < 2%")
    story.ended(runs.RIGHT, "undecided")
    story.end()
    assert red(read(tmp_path)) == {"endpoint_answers[patients]": ("error", "undecided")}


def test_one_cause_is_one_failure(tmp_path: Path) -> None:
    """What followed from a failure of a load run is skipped, and says for which cause."""
    plan = ["load/plateau[one]", "load/plateau[two]", "load/whole run"]
    story = runs.Story(tmp_path, plan, stage="load")
    for check in plan:
        failing = 9 if check == plan[1] else 90
        details = {"statuses": {"200": 300 - failing, "503": failing}}
        seen = Measurement("http_req_failed", n=300, failures=failing, details=details)
        story.judged(check, seen, "rate>0.05", severity=Severity.CRITICAL, bad=True)
        story.ended(check, None)
    story.end(1)
    suite = read(tmp_path)
    assert red(suite) == {
        "plateau[one]": ("failure", "critical"),
        "plateau[two]": ("error", "undecided"),
        "whole run": ("skipped", "failed"),
    }
    assert (
        suite.findall("testcase")[2][0]
        .get("message", "")
        .startswith("failed for the same cause: load/plateau[one]: 90 of 300 requests failed (HTTP 503)")
    )


def test_a_promotion_is_green_throughout(tmp_path: Path) -> None:
    """Where everything passed there is no failure, no error, and no made-up test case."""
    runs.promoted(tmp_path)
    suite = read(tmp_path)
    assert red(suite) == {}
    assert len(suite.findall("testcase")) == len(runs.PLAN)


@pytest.mark.parametrize("how", ["no end", "skipped", "empty plan", "interrupted", "demanded"])
def test_a_hold_never_looks_green(tmp_path: Path, how: str) -> None:
    """A run whose checks are all green, or that has none, still has an error when it may not be promoted."""
    header: dict[str, Any] = {"require": ["redis"], "not_configured": ["redis"]} if how == "demanded" else {}
    story = runs.Story(tmp_path, [] if how == "empty plan" else [runs.UP], **header)
    if how != "empty plan":
        story.judged(runs.UP, runs.up(), "up == 1", severity=Severity.CRITICAL)
        story.ended(runs.UP, "skipped" if how == "skipped" else "passed")
    if how != "no end":
        story.end(2 if how == "interrupted" else 0)
    suite = read(tmp_path)
    assert red(suite)["verdict"] == ("error", "hold")
    assert int(suite.get("errors", "0")) == 1


def test_what_may_be_left_out_is_skipped(tmp_path: Path) -> None:
    """A check that is not required and never ran is skipped, and the run stays green."""
    story = runs.Story(tmp_path, [runs.UP], optional=[runs.REDIS])
    story.judged(runs.UP, runs.up(), "up == 1")
    story.ended(runs.UP)
    story.end()
    assert red(read(tmp_path)) == {"redis_answers": ("skipped", "never ran")}


def test_what_xml_forbids_is_replaced(tmp_path: Path) -> None:
    """Control characters, surrogates and markup in what a target answered leave the file well-formed."""
    hostile = "\x00\x1b[31m\x0b\ufffe<script>&\"']]>"
    story = runs.Story(tmp_path, [runs.UP, f"immediate/x::{hostile}"])
    story.judged(runs.UP, Measurement("up", n=0, note=hostile), "up == 1")
    story.ended(runs.UP, "error", hostile)
    story.end()
    suite = read(tmp_path)
    message = suite.findall("testcase")[0][0].get("message", "")
    assert "<script>&\"']]>" in message
    assert "\N{SYMBOL FOR ESCAPE}[31m" in message
    assert not re.search(r"[\x00-\x08\x0b-\x1f\ufffe]", message)


ILLEGAL = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for, however it is written."""


@given(
    hostile=st.text(st.characters(), max_size=40) | st.sampled_from(["]]>", "<![CDATA[", "&#0;", "--><!--"])
)
def test_no_text_breaks_the_file(hostile: str) -> None:
    """Whatever stands in an answer, a version, a name or a message, each reader of XML reads the file."""
    with TemporaryDirectory() as folder:
        story = runs.Story(
            Path(folder),
            [runs.UP, f"immediate/x::{hostile}"],
            vantage=hostile,
            release={"environment": hostile, "version": hostile, "percentage": 25},
            settings={"reports": hostile, "checks": {"immediate": {"runbook": hostile, "owner": hostile}}},
        )
        story.judged(runs.UP, Measurement("up", n=0, note=hostile, labels={"a": hostile}), "up == 1")
        story.ended(runs.UP, "error", hostile)
        story.event(hostile)
        story.end()
        text = junit.dumps(verdict.decide(*journal.read(Path(folder))))
    assert not ILLEGAL.search(text)
    assert len(ET.fromstring(text).findall(".//testcase")) >= 2  # noqa: S314 - our own output


def test_texts_of_10_mb_stay_short(tmp_path: Path) -> None:
    """Answers, versions and names of any length, in thousands, make no file that a CI server chokes on."""
    huge = "x<&" * 3_500_000
    checks = [f"immediate/x::{number} {huge}"[:1_000_000] for number in range(3)]
    release = {"environment": huge, "version": huge, "percentage": 25}
    story = runs.Story(tmp_path, [runs.UP, *checks], vantage=huge, release=release)
    for number in range(300):
        seen = Measurement("redis_up", n=1, value=0.0, labels={"a": f"{number} {huge[:1000]}"})
        story.judged(runs.UP, seen, "redis_up == 1")
    story.ended(runs.UP, "error", huge)
    story.end()
    text = junit.dumps(verdict.decide(*journal.read(tmp_path)))
    assert len(text) < 150_000
    assert "report.html has more" in text


@pytest.mark.parametrize("run", RUNS)
def test_no_recorded_run_looks_better_than_it_is(run: str, tmp_path: Path) -> None:
    """Readers take skipped for good: so undecided and never ran are errors, failed is a failure.

    What followed from a cause is skipped, and its cause is red in the same file; a run that is not promoted
    is red in any case, and one that is promoted is green.
    """
    unpack(run, tmp_path)
    decided = verdict.decide(*journal.read(tmp_path))
    cases = read(tmp_path).findall("testcase")
    tags = [next((each.tag for each in case), "") for case in cases]
    red = [tag for tag in tags if tag in {"failure", "error"}]
    assert bool(red) is (decided.decision is not Decision.PROMOTE)
    following = {result.check for found in decided.findings for result in found.consequences}
    expected = {Outcome.PASSED: "", Outcome.SKIPPED: "skipped", Outcome.FAILED: "failure"}
    for result, tag in zip(decided.checks, tags, strict=False):
        known = (
            "skipped" if result.check in following else expected.get(result.outcome or Outcome.ERROR, "error")
        )
        assert tag == known, result.check
    causes = [found.cause.check for found in decided.findings if found.consequences and found.cause]
    by_check = dict(zip((result.check for result in decided.checks), tags, strict=False))
    assert all(by_check[cause] in {"failure", "error"} for cause in causes)
