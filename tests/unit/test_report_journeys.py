from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.report_runs import Story
from tests.unit.test_report_html import ALLOWED, HOSTILE, Page, source

from rampgate.checks.journeys import JourneySettings
from rampgate.checks.visits.measured import works
from rampgate.evidence import journal
from rampgate.journeys.record import Visit
from rampgate.judging import verdict
from rampgate.model.measurement import Histogram, Measurement
from rampgate.report import compared, html, journeys, markdown

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.judging.results import Verdict

WORKS, PERFORMANCE = "extended/journeys::journey_works[{}]", "extended/performance::performance_stays"
WHY = "Timeout 10000ms exceeded waiting for get_by_role('link', name='Patients')"


def visit(number: int, *, failed: bool = False, **more: Any) -> dict[str, Any]:
    """One visit of two steps; where it fails, in the second."""
    steps = [
        {"name": "sign in", "ms": 800.0 + number, "shift": 0.0, "ok": True},
        {"name": "patients", "ms": 10_000.0 if failed else 200.0, "shift": 0.05, "ok": not failed},
    ]
    failure: dict[str, Any] = {
        "outcome": "failed",
        "why": WHY,
        "step": "patients",
        "place": "journeys.py:41",
        "console": ["TypeError: x is undefined"],
        "failed_requests": {"GET /api/patients": ["HTTP 500", "HTTP 500"]},
        "notes": ['a dialog stood in the way: "Sure?"'],
        "screenshot": f"visit-{number}.png",
        "trace": "",
    }
    return {"visit": number, "outcome": "passed", "steps": steps, **(failure if failed else {}), **more}


def visited(story: Story, name: str, visits: list[dict[str, Any]], rounds: int = 3) -> None:
    """What a journey came to, as its check writes it."""
    bad = any(each["outcome"] == "failed" for each in visits)
    check, labels = WORKS.format(name), {"journey": name}
    seen = Measurement(
        "journey_failures",
        n=rounds,
        value=float(bad),
        labels=labels,
        details={"folder": f"journeys/{name}", "visits": visits},
    )
    story.shown(check, seen)
    times = Measurement("journey_lcp", "ms", n=3, labels=labels, histogram=Histogram.of([900, 1000, 1100]))
    story.shown(check, times)
    story.shown(check, Measurement("journey_cls", n=3, value=0.02, labels=labels))
    story.ended(check, "failed" if bad else "passed", severity="warning")


def extended(folder: Path) -> Verdict:
    """Two journeys, one of which failed, and what the watch has read beside a baseline."""
    names = ("clinic", "flags-late")
    story = Story(folder, [*(WORKS.format(name) for name in names), PERFORMANCE], stage="extended")
    visited(story, names[0], [visit(number) for number in (1, 2, 3)])
    visited(story, names[1], [visit(1), *(visit(number, failed=True) for number in (2, 3, 4))])
    before = {
        "run": "20260920T100000Z-0a1b",
        "n": 600,
        "difference": "beyond noise",
        "why": "p95 above by chance once in 10,000",
    }
    p95 = Measurement(
        "api_response_time",
        "ms",
        n=6000,
        exceedances={200.0: 900, 500.0: 40},
        details={"before": {**before, "value": 180.0}},
    )
    story.shown(PERFORMANCE, p95)
    story.shown(PERFORMANCE, Measurement("web_vitals_lcp", "ms", n=60, value=1290.0))
    story.ended(PERFORMANCE)
    story.end()
    return verdict.decide(*journal.read(folder))


def test_a_journey_that_failed_comes_first_with_its_last_failed_visit(tmp_path: Path) -> None:
    """In which step, why, where in its file, what the console and the network said, and the picture."""
    found = extended(tmp_path)
    first, second = journeys.section(found, found.records)
    assert (first.name, first.outcome) == ("flags-late", ("failed", "warning"))
    assert first.line == "3 rounds, 4 visits, 3 failed"
    assert first.failure is not None
    assert first.failure.title == (
        "Visit 4 failed in the step \N{LEFT DOUBLE QUOTATION MARK}patients\N{RIGHT DOUBLE QUOTATION MARK}; "
        "2 more failed: journeys/flags-late"
    )
    assert first.failure.why == f"{WHY} (journeys.py:41)"
    assert dict(first.failure.lists) == {
        "Its steps": ["sign in: 804 ms", "patients: 10 s, failed"],
        "Errors on the console": ["TypeError: x is undefined"],
        "Failed requests": ["GET /api/patients: HTTP 500, HTTP 500"],
        "Besides": ['a dialog stood in the way: "Sure?"'],
    }
    assert (second.name, second.failure) == ("clinic", None)


def test_the_console_of_a_visit_that_failed_is_shown(tmp_path: Path) -> None:
    """At most 20 lines, each cut: the report reads the journal, and not the files beside it."""
    failed = Visit(outcome="failed", why=WHY, console=("x" * 500,) * 30, screenshot="visit-7.png")
    journey = JourneySettings(name="clinic", file=tmp_path / "journeys.py")
    story = Story(tmp_path, [WORKS.format("clinic")], stage="extended")
    story.shown(WORKS.format("clinic"), works(journey, [[failed]], "journeys/clinic"))
    story.end()
    found = verdict.decide(*journal.read(tmp_path))
    (seen,) = journeys.section(found, found.records)
    assert seen.failure is not None
    assert seen.failure.title.startswith("Visit 7 failed")
    console = dict(seen.failure.lists)["Errors on the console"]
    assert len(console) == 20
    assert all(line.startswith("x" * 300) and len(line) < 400 for line in console)


def test_a_step_is_counted_over_all_visits(tmp_path: Path) -> None:
    """Median and worst of those that came to their end, and how many did not."""
    found = extended(tmp_path)
    steps = {journey.name: journey.steps for journey in journeys.section(found, found.records)}
    assert steps["clinic"] == [
        ("sign in", "3", "802 ms", "803 ms", "0", "", 803.0),
        ("patients", "3", "200 ms", "200 ms", "0.05", "", 200.0),
    ]
    assert steps["flags-late"][1] == ("patients", "1", "200 ms", "200 ms", "0.05", "3", 200.0)


def test_a_summary_has_a_row_for_each_journey_and_each_difference(tmp_path: Path) -> None:
    """How often it works and its slowest step; before, now, and whether that is beyond noise."""
    found = markdown.dumps(extended(tmp_path))
    assert (
        "| clinic | 3 rounds, 3 visits, 0 failed | sign in: median 802 ms, worst 803 ms | passed |" in found
    )
    assert "| api response time | 180 ms of 600 | p95 at most 500 ms of 6,000 | beyond noise |" in found


def test_vitals_of_users_and_of_visits_stand_side_by_side(tmp_path: Path) -> None:
    """A column each; what one has not measured stays empty."""
    found = extended(tmp_path)
    vitals = compared.vitals(found, found.records)
    assert vitals is not None
    assert vitals.columns == [
        "users, as the deployment collects them",
        "visits: clinic",
        "visits: flags-late",
    ]
    assert vitals.rows == [
        ("LCP", ["1,290 ms of 60", "1,102 ms of 3", "1,102 ms of 3"]),
        ("CLS", ["", "0.02 of 3", "0.02 of 3"]),
    ]


def test_before_and_after_stand_side_by_side(tmp_path: Path) -> None:
    """The baseline's value, what it is now, and whether the difference is beyond noise."""
    found = extended(tmp_path)
    run, rows, reasons = compared.differences(found, found.records)
    assert run == "20260920T100000Z-0a1b"
    assert [each[:4] for each in rows] == [
        ("api response time", "180 ms of 600", "p95 at most 500 ms of 6,000", "beyond noise")
    ]
    assert [reasons[each.why - 1] for each in rows] == ["p95 above by chance once in 10,000"]
    page = Page(html.dumps(found))
    assert "Beside the predeploy baseline of run 20260920T100000Z-0a1b" in " ".join(page.text.split())


@pytest.mark.parametrize(
    ("folder", "name", "shown"),
    [
        ("journeys/clinic", "visit-2.png", True),
        ("journeys/clinic", "../../secret.png", False),
        ("../journeys/clinic", "visit-2.png", False),
        ("journeys/..", "visit-2.png", False),
        ("https://evil.test/journeys/a", "visit-2.png", False),
        ("journeys/clinic", 'visit-2.png" onerror="x', False),
    ],
)
def test_a_picture_is_shown_from_the_journeys_folder_alone(
    tmp_path: Path, folder: str, name: str, *, shown: bool
) -> None:
    """A name that leads elsewhere is none."""
    story = Story(tmp_path, [WORKS.format("clinic")], stage="extended")
    details = {"folder": folder, "visits": [visit(2, failed=True, screenshot=name, trace=name)]}
    seen = Measurement("journey_failures", n=1, value=1.0, labels={"journey": "clinic"}, details=details)
    story.shown(WORKS.format("clinic"), seen)
    story.end()
    page = Page(source(tmp_path))
    assert [a["src"] for a in page.named("img")] == (["journeys/clinic/visit-2.png"] if shown else [])


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_journey_saw_is_text(tmp_path: Path, text: str) -> None:
    """Names of journeys and steps, and all that a page wrote, open no tag and no handler."""
    story = Story(tmp_path, [WORKS.format("a")], stage="extended")
    seen = visit(1, failed=True, why=text, step=text, console=[text], failed_requests={text: [text]})
    seen["steps"][0]["name"] = text
    details = {
        "folder": "journeys/a",
        "visits": [seen],
        "before": {"run": text, "difference": text, "why": text},
    }
    measured = Measurement("journey_failures", n=1, value=1.0, labels={"journey": text}, details=details)
    story.shown(WORKS.format("a"), measured)
    story.end()
    page = Page(source(tmp_path))
    assert {tag for tag, _ in page.tags} <= ALLOWED | {"figure", "img", "figcaption", "ol"}
    assert not {name for _, attributes in page.tags for name in attributes if name.startswith("on")}


@pytest.mark.parametrize(
    "visits", [None, 1, [1], [{}], [{"steps": 1, "outcome": "failed"}], [{"steps": [1, {"ms": "x"}]}]]
)
def test_visits_that_are_none_cost_the_journey_nothing_else(tmp_path: Path, visits: Any) -> None:
    """The journey is named, and the report is made."""
    story = Story(tmp_path, [WORKS.format("clinic")], stage="extended")
    seen = Measurement(
        "journey_failures", n=1, value=0.0, labels={"journey": "clinic"}, details={"visits": visits}
    )
    story.shown(WORKS.format("clinic"), seen)
    story.ended(WORKS.format("clinic"))
    story.end()
    assert "clinic" in Page(source(tmp_path)).text


def test_many_visits_stay_within_a_size(tmp_path: Path) -> None:
    """A day of a journey each five minutes, all failed with long texts: one visit is told."""
    story = Story(tmp_path, [WORKS.format("clinic")], stage="extended")
    many = [visit(n, failed=True, console=["x" * 300] * 20, why="y" * 3000) for n in range(288)]
    visited(story, "clinic", many, 288)
    story.end()
    assert len(source(tmp_path)) < 100_000
