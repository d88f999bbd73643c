"""The report of a rollout: what it has brought, whom it reached, what went wrong, and what people wrote."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.report_runs import Story, latency
from tests.unit.rollout_documents import BEGIN, FAST, HOUR, MadeUp, after, before

from rampgate.documents import report
from rampgate.errors import ConfigurationError, ExitCode
from rampgate.model.measurement import Measurement
from rampgate.rollout.records import StepStatus
from rampgate.rollout.transitions import Command, Status

if TYPE_CHECKING:
    from pathlib import Path

PROMISES = """
[rollout.promises]
performance_score = "+30%"
api_response_time_p95 = "< 400ms"
bundle_bytes = "-50%"
error_rate = "< 1%"
cache_hit_rate = ">= 90%"
"""


@pytest.fixture
def made_up(tmp_path: Path) -> MadeUp:
    """A rollout to everybody, with runs before and after."""
    made = MadeUp(tmp_path)
    made.rises()
    return made


def row(text: str, begins: str) -> list[str]:
    """The cells of a row of a table."""
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {begins}")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_each_number_has_a_before_and_an_after(made_up: MadeUp) -> None:
    """Before is the predeploy run, after the newest run at the last percentage; each with its change."""
    made_up.more = PROMISES
    made_up.run("predeploy", 0, -1, *before())
    made_up.run("immediate", 25, 2, latency(n=400, slow=390))
    made_up.run("immediate", 100, 26, *after())
    made_up.stands(Status.COMPLETE, 100)
    assert made_up.make("report") is ExitCode.PROMOTE, made_up.said
    text = made_up.text("report")
    light = row(text, "Lighthouse performance, mobile: signin")
    assert light[1:] == [
        "61 (median of 3)",
        "91 (median of 3)",
        "49.2 % better",
        "beyond noise",
        "30 % more than before: met",
    ]
    fast = row(text, "API response time p95: patients")
    assert fast[3].endswith("% better")
    assert fast[4:] == ["beyond noise", "below 400 ms: met"]
    assert row(text, "Bundle size: app")[3:] == [
        "25 % better",
        "beyond noise",
        "50 % less than before: not met",
    ]
    assert row(text, "Error rate: patients")[3:] == ["no change", "within noise", "below 1 %: met"]
    assert row(text, "Cache hit rate")[1:] == [
        "not measured",
        "not measured",
        "",
        "",
        "at least 90 %: not measured",
    ]
    assert row(text, "Layout shift at a theme switch")[1:3] == ["not measured", "not measured"]
    assert "**Status**: Complete" in text
    assert "**Duration**: 25 h" in text
    assert "**Targets**: 3 met, 2 not measured, 1 not met" in text
    assert "after: immediate, 2026-09-22 17:13 UTC, at 100 %, run immediate-26" in text


def test_a_percentile_among_failures_is_no_fast_one(made_up: MadeUp) -> None:
    """Where more requests failed than a percentile leaves out, the answers that came do not stand for it."""
    made_up.more = PROMISES
    made_up.run("predeploy", 0, -1, *before())
    made_up.run("immediate", 100, 26, replace(latency(n=200), n=260))
    made_up.stands(Status.COMPLETE, 100)
    made_up.make("report")
    fast = row(made_up.text("report"), "API response time p95: patients")
    assert fast[2:] == [
        "none: too many of 260 requests failed",
        "worse",
        "beyond noise",
        "below 400 ms: not met",
    ]


def test_before_is_no_run_of_an_attempt_before(made_up: MadeUp) -> None:
    """What users had at 25 % of an earlier rollout, which was rolled back, is no measure of what is new."""
    made_up.run("load", 25, -2, *after())
    made_up.run("immediate", 0, -3, *before())
    made_up.run("immediate", 100, 26, *after())
    made_up.stands(Status.COMPLETE, 100)
    made_up.make("report")
    text = made_up.text("report")
    assert "before: immediate, 2026-09-21 12:13 UTC, at 0 %, run immediate--3" in text
    assert row(text, "Bundle size: app")[3] == "25 % better"


def test_what_says_nothing_about_the_target_is_no_number(made_up: MadeUp) -> None:
    """A measurement that a starved probe has made is left out, on either side."""
    folder = made_up.folder / "reports" / "starved"
    folder.mkdir(parents=True)
    release = {"environment": "production", "version": "1.4.0", "percentage": 100}
    run = Story(folder, [FAST], start=BEGIN + 26 * HOUR, release=release)
    run.judged(FAST, latency(), "p(95)<500", remarks={"unreliable": "the probe was starved"})
    run.ended(FAST)
    run.end()
    made_up.stands(Status.COMPLETE, 100)
    made_up.make("report")
    assert row(made_up.text("report"), "API response time p95")[1:3] == ["not measured", "not measured"]


def test_what_is_reached_within_noise_is_not_met(made_up: MadeUp) -> None:
    """A change that was promised counts only where it is beyond noise."""
    made_up.more = '[rollout.promises]\nperformance_score = "+1%"\n'
    made_up.run("predeploy", 0, -1, *before())
    made_up.run(
        "immediate",
        100,
        26,
        Measurement(
            "lighthouse_performance_score",
            "score",
            values=(62, 62, 62),
            labels={"page": "signin", "form_factor": "mobile"},
        ),
    )
    made_up.stands(Status.COMPLETE, 100)
    made_up.make("report")
    said = row(made_up.text("report"), "Lighthouse performance, mobile")
    assert said[4:] == ["within noise", "1 % more than before: reached, but within noise"]


def test_an_issue_has_what_became_of_it(made_up: MadeUp) -> None:
    """A check that failed and passed later, a step without effect, a pause, an episode of the watch."""
    made_up.run("immediate", 25, 2, failed=True)
    made_up.run("immediate", 25, 3, failed=True)
    made_up.run("immediate", 25, 4)
    failed = {"ok": False, "sentence": "12 users read 25 %", "undone": {"ok": True, "sentence": "back"}}
    made_up.steps.insert(2, made_up.steps[1])
    made_up.steps[1] = type(made_up.steps[1])(
        1,
        "advance",
        0,
        25,
        "bob",
        "",
        1,
        BEGIN + 0.5 * HOUR,
        StepStatus.FAILED,
        BEGIN + 0.6 * HOUR,
        effect=failed,
    )
    made_up.step(Command.PAUSE, 100, 100, 30, why="holiday")
    made_up.step(Command.RESUME, 100, 100, 40)
    watch(made_up, [("ok", "firing", 1, 3.0), ("recovering", "ok", 1, 3.5), ("ok", "firing", 2, 5.0)])
    made_up.stands(Status.COMPLETE, 100)
    made_up.make("report")
    issues = made_up.text("report").partition("## Issues")[2]
    assert "endpoint is fast" in issues
    assert "too slow by far (2 times) | passed at 2026-09-21" in issues
    assert "the step to 25 % did not take effect: 12 users read 25 % | back at 0 %; made at" in issues
    assert "paused at 100 % by ada: holiday | resumed at" in issues
    assert "watch: error\\_rate &gt; 5% (critical) | recovered after 30 min |" in issues
    assert "watch: error\\_rate &gt; 5% (critical) | open: it has not passed since |" in issues


def watch(made: MadeUp, changes: list[tuple[str, str, int, float]]) -> None:
    """A watch at 100 % that has counted requests, and whose rule changed its state."""
    folder = made.folder / "reports" / "watching"
    folder.mkdir(parents=True)
    release = {"environment": "production", "version": "1.4.0", "percentage": 100}
    rules = [{"name": "trigger: error_rate > 5%", "severity": "critical"}]
    header = {
        "type": "header",
        "schema": 2,
        "stage": "watch",
        "release": release,
        "target": {"web": "http://127.0.0.1:3000", "api": "http://127.0.0.1:5000"},
        "rules": rules,
        "plan": [],
    }
    records = [header]
    for was, state, number, hours in changes:
        at = BEGIN + hours * HOUR
        records.append(
            {
                "type": "episode",
                "rule": rules[0]["name"],
                "before": was,
                "state": state,
                "since": at,
                "number": number,
            }
        )
    read = {"error_rate": {"n": 1000, "failures": 5}, "user_feedback_score": {"value": 4.25}}
    records += [{"type": "reading", "at": BEGIN, "readings": read, "observed": 2.0} for _ in range(2)]
    lines = [
        json.dumps({"time": BEGIN + 26 * HOUR, "process": "watch-1", "sequence": number, **record})
        for number, record in enumerate(records, 1)
    ]
    (folder / "journal-watch-1.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_users_errors_and_feedback_are_those_that_were_counted(made_up: MadeUp) -> None:
    """The watch's counts of users' requests, their marks, and the users whom a step up has seen."""
    watch(made_up, [])
    made_up.step(Command.ADVANCE, 25, 100, 25, evidence={"users_on": 30, "users": 120})
    made_up.stands(Status.COMPLETE, 100)
    made_up.make("report")
    text = made_up.text("report")
    assert "**Error rate**: 0.5 % of 2,000 requests of users, counted by the watch" in text
    assert "**User feedback score**: 4.25 of 5" in text
    assert "**Users in total**: 120 (lately, at 2026-09-22 16:13 UTC at 25 %)" in text
    assert "**Users with the features**: 30 (25 %)" in text


def test_what_was_not_measured_says_so(made_up: MadeUp) -> None:
    """Without any run no number is there, and none is made up."""
    made_up.stands(Status.COMPLETE, 100)
    assert made_up.make("report") is ExitCode.PROMOTE
    text = made_up.text("report")
    for what in ("Users in total", "Error rate", "User feedback score"):
        assert f"**{what}**: not measured" in text
    assert row(text, "API response time p95")[1:3] == ["not measured", "not measured"]
    assert "None." in text.partition("## Issues")[2]


@pytest.mark.parametrize(
    ("status", "percentage", "says"),
    [
        (Status.RUNNING, 25, "Held at 25 %: immediate has not passed"),
        (Status.PAUSED, 25, "Held at 25 %: paused"),
        (Status.UNCERTAIN, 25, "Not known: a change was not seen to take effect"),
    ],
)
def test_the_status_says_where_it_stands(
    tmp_path: Path, status: Status, percentage: float, says: str
) -> None:
    """A rollout whose newest checks have not passed is held, whatever else goes on."""
    made = MadeUp(tmp_path)
    made.step(Command.START, 0, 0, 0)
    made.step(Command.ADVANCE, 0, 25, 1)
    made.run("immediate", 25, 2, failed=True)
    made.stands(status, percentage)
    made.make("report")
    assert f"**Status**: {says}" in made.text("report")
    assert "**End**: not yet" in made.text("report")


def test_a_rollback_has_its_reason_and_seconds(tmp_path: Path) -> None:
    """Who has rolled back from where and why, and after how many seconds users read off."""
    made = MadeUp(tmp_path)
    made.step(Command.START, 0, 0, 0)
    made.step(Command.ADVANCE, 0, 25, 1)
    made.step(Command.EMERGENCY, 25, 0, 2, who="watch", why="HTTP 500")
    made.run("immediate", 25, 1.5, failed=True)
    made.stands(Status.ROLLED_BACK, 0)
    made.make("report")
    text = made.text("report")
    assert "**Status**: Rolled back" in text
    assert "rolled back from 25 % by watch: HTTP 500 | off for everybody after 5 s: 100 users read it" in text
    assert "| rolled back at 2026-09-21 17:13 UTC |" in text
    assert "after, at 25 %" in text


def test_what_people_wrote_survives_a_new_making(made_up: MadeUp) -> None:
    """Lessons and next steps stay to the byte in Markdown, and the page has them, without tags of theirs."""
    made_up.stands(Status.COMPLETE, 100)
    made_up.make("report")
    path = made_up.folder / "report.md"
    own = (
        "- **Soak longer** at 5 %\r\n- <script>alert(1)</script> | `x`\n\n# a heading of ours \xe9".encode()
        + b" \xff"
    )
    text = path.read_bytes()
    begin, end = b"<!-- rampgate: lessons begins -->\n", b"\n<!-- rampgate: lessons ends -->"
    head, tail = text.partition(begin)[0], text.partition(end)[2]
    path.write_bytes(head + begin + own + end + tail)
    made_up.clock.time += HOUR
    made_up.make("report")
    newest = path.read_bytes()
    assert begin + own + end in newest
    assert newest != head + begin + own + end + tail  # it was made anew: its time has moved on
    page = made_up.text("report", "html")
    assert "<strong>Soak longer</strong>" in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("<!-- rampgate: lessons ends -->", "", "found the line '<!-- rampgate: lessons ends -->' nowhere"),
        ("<!-- rampgate: lessons ends -->", "<!-- rampgate: lesons ends -->", "line "),
        ("<!-- rampgate: lessons begins -->", "<!-- rampgate: lessons begins -->\n" * 2, "2 times"),
    ],
)
def test_a_damaged_mark_loses_nothing(made_up: MadeUp, before: str, after: str, says: str) -> None:
    """Where the marks are not as they were, the file stays as it is, and the message says where."""
    made_up.stands(Status.COMPLETE, 100)
    made_up.make("report")
    path = made_up.folder / "report.md"
    damaged = path.read_text(encoding="utf-8").replace(before, after)
    path.write_text(damaged, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="was left as it is") as caught:
        made_up.make("report")
    assert says in str(caught.value)
    assert path.read_text(encoding="utf-8") == damaged


def test_what_is_written_while_it_is_made_is_kept(made_up: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks are read once more just before the file is replaced, whose mode stays; a folder is no file."""
    made_up.stands(Status.COMPLETE, 100)
    made_up.make("report")
    path = made_up.folder / "report.md"
    path.chmod(0o640)
    page = report.page

    def slow(*given: Any) -> dict[str, Any]:
        text = path.read_text(encoding="utf-8").replace("- Written by hand", "- Soak longer; by hand", 1)
        path.write_text(text, encoding="utf-8")
        return page(*given)

    monkeypatch.setattr(report, "page", slow)
    made_up.make("report")
    assert "- Soak longer" in made_up.text("report")
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(ConfigurationError, match="cannot be written"):
        made_up.make("report", out=made_up.folder / "nowhere" / "x.md")


def test_a_file_that_is_no_document_is_not_written_over(made_up: MadeUp) -> None:
    """A file of somebody else's at --out has no marks, and stays."""
    made_up.stands(Status.COMPLETE, 100)
    (made_up.folder / "report.md").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="nowhere"):
        made_up.make("report")
    assert made_up.text("report") == "mine"


def test_a_run_that_cannot_be_read_is_named(made_up: MadeUp) -> None:
    """A torn line, one that is none, a newer schema, no journal: the rest is still reported."""
    made_up.run("predeploy", 0, -1, *before())
    newest = made_up.run("immediate", 100, 26, *after())
    torn = made_up.run("immediate", 100, 27)
    path = next(torn.glob("journal-*"))
    path.write_bytes(path.read_bytes()[:-20])
    broken = made_up.run("immediate", 100, 28)
    path = next(broken.glob("journal-*"))
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b"\xff{", *lines[1:]]))
    newer = made_up.run("immediate", 100, 29)
    path = next(newer.glob("journal-*"))
    path.write_bytes(path.read_bytes().replace(b'"schema":2', b'"schema":3'))
    gone = made_up.folder / "reports" / "gone"
    gone.mkdir()
    (gone / "verdict.json").write_text("{}", encoding="utf-8")
    made_up.stands(Status.COMPLETE, 100)
    assert made_up.make("report") is ExitCode.HOLD
    text = made_up.text("report")
    missing = text.partition("## Not in this document")[2]
    assert "run immediate-27: journal-immediate-1.jsonl: its last line is torn" in missing
    assert "run immediate-28: journal-immediate-1.jsonl: line 2 is not a record" in missing
    assert "run immediate-29: found a journal of schema 3" in missing
    assert "run gone: its journal is not there" in missing
    assert row(text, "Bundle size: app")[3] == "25 % better"
    assert newest.name in text
    assert [line for line in made_up.said if line.startswith("not in the document: run gone")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("release", {"environment": "production", "version": "1.4.0", "percentage": "many"}),
        ("release", 5),
        ("target", []),
        ("time", "noon"),
        ("steps", 5),
        ("rules", [5, {"name": 5}]),
        ("settings", {"waivers": 5, "metrics": 5}),
        ("plan", 5),
        ("readings", []),
        ("readings", {"error_rate": 5, "user_feedback_score": {"value": "good"}}),
        ("number", None),
        ("since", {}),
    ],
)
def test_whatever_a_journal_holds_the_rest_is_reported(made_up: MadeUp, field: str, value: object) -> None:
    """A field of another shape than a journal writes is no defect: the document is made."""
    watch(made_up, [("ok", "firing", 1, 3.0)])
    path = made_up.folder / "reports" / "watching" / "journal-watch-1.jsonl"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    broken = [
        {**record, field: value} if field in record or record["type"] == "header" else record
        for record in records
    ]
    path.write_text("".join(f"{json.dumps(each)}\n" for each in broken), encoding="utf-8")
    stage = made_up.run("immediate", 100, 26, *after())
    path = next(stage.glob("journal-*"))
    first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    path.write_text(f"{json.dumps({**json.loads(first), field: value})}\n{rest}", encoding="utf-8")
    made_up.stands(Status.COMPLETE, 100)
    assert made_up.make("report") in {ExitCode.PROMOTE, ExitCode.HOLD}
    assert made_up.make("announce") in {ExitCode.PROMOTE, ExitCode.HOLD}


def test_before_a_rollout_there_is_nothing_to_report(tmp_path: Path) -> None:
    """Without a rollout the command says what comes first."""
    with pytest.raises(ConfigurationError, match="rampgate rollout start"):
        MadeUp(tmp_path).make("report")
