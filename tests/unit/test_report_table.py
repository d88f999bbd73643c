from __future__ import annotations

import io
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from tests.unit import report_runs as runs
from tests.unit.judging import held

from rampgate.checks.frame.discovery import checks
from rampgate.evidence import journal
from rampgate.evidence.verdicts import judge
from rampgate.judging import verdict
from rampgate.model.measurement import Measurement
from rampgate.report import groups, markdown, sentences, table

if TYPE_CHECKING:
    from pathlib import Path


def shown(folder: Path, width: int = 120, *, encoding: str = "utf-8", **options: object) -> str:
    """What is printed about the run."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    console = Console(file=stream, width=width, highlight=False, **options)  # type: ignore[arg-type]  # passed on
    table.render(verdict.decide(*journal.read(folder)), console, folder=folder)
    stream.flush()
    return raw.getvalue().decode(encoding)


def row(text: str, name: str) -> str:
    """The first line about a check."""
    return next(line for line in text.splitlines() if line.startswith(name))


def test_what_passed_is_a_line_a_group(tmp_path: Path) -> None:
    """A group's checks are counted in one line, with the worst that was measured of each metric."""
    runs.promoted(tmp_path)
    text = shown(tmp_path)
    (latency,) = (line for line in text.splitlines() if line.startswith("latency"))
    assert latency.split("  ")[0] == "latency (2 checks)"
    assert "p95 up to 17.3 ms" in latency
    assert "; error rate 0 %" in latency
    assert latency.split()[-1] == "passed"
    assert "performance score 97 or more" in row(text, "pages")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_flags_line_gives_the_largest_error_that_may_be_there(order: tuple[int, ...]) -> None:
    """A flag for nobody, or for everybody, shows much smaller errors of its share than one for a quarter."""
    flags = [
        held("flag_share == 0%", n=498, failures=0),
        held("flag_share == 25%", n=498, failures=124),
        held("flag_share == 100%", n=498, failures=498),
    ]
    seen: Any = SimpleNamespace(judgements=[flags[at] for at in order])
    (error,) = (flag.sentence.rpartition("; ")[2] for flag in flags if flag.limit == 0.25)
    assert groups.summary([seen]) == f"498 users: {error}"


def test_what_passed_is_folded_in_a_red_run_too(tmp_path: Path) -> None:
    """What failed comes first, and no check that passed has a row of its own."""
    runs.mixed(tmp_path)
    lines = shown(tmp_path).splitlines()
    first = next(n for n, line in enumerate(lines) if "FAILED" in line)
    passed = [n for n, line in enumerate(lines) if line.split()[-1:] == ["passed"]]
    assert passed
    assert first < min(passed)
    assert all("check" in lines[n] for n in passed)


def test_only_what_is_behind_the_outcome_has_rows(tmp_path: Path) -> None:
    """Of eleven flags the one that does not agree has a row and a sentence; those that do have none."""
    check = "immediate/flags::flags_agree"
    story = runs.Story(tmp_path, [check])
    for number in range(11):
        labels = {"flag": f"flag {number}"}
        seen = Measurement("flag_mismatches", n=2_000, failures=3 if number == 4 else 0, labels=labels)
        story.judged(check, seen, "flag_mismatches == 0")
    story.ended(check, "failed")
    story.end(1)
    text = shown(tmp_path)
    assert row(text, "flags agree").split()[:5] == ["flags", "agree", "(flag", "4)", "3"]
    assert "  flag 4: 3 of 2,000 decisions are not as expected" in text
    assert "flag 5" not in text


def test_an_advisory_limit_that_is_undecided_is_not_shown_beside_promote(tmp_path: Path) -> None:
    """What does not count does not shout: its check passed, and its judgement stays in the report."""
    story = runs.Story(tmp_path, ["load/slices"])
    story.judged("load/slices", runs.errors(n=10, failures=0), "error_rate < 2%", remarks={"advisory": True})
    story.ended("load/slices")
    story.end()
    text = shown(tmp_path)
    assert "PROMOTE" in text
    assert "UNDECIDED" not in text


def test_checks_that_hold_for_one_cause_are_told_together(tmp_path: Path) -> None:
    """One cause is one paragraph, however many checks it stopped."""
    story = runs.Story(tmp_path, runs.PLAN)
    for check in runs.PLAN[1:]:
        story.ended(check, "skipped", "skipped because the API does not answer")
    story.end()
    text = shown(tmp_path)
    assert text.count("\n  skipped because the API does not answer") == 1
    assert "SKIPPED  endpoint is fast [patients]\n" in text
    assert "  for the same cause skipped: endpoint answers [patients], page is light" in text


@pytest.mark.parametrize(
    ("outcome", "heading"),
    [("failed", "FAILED (warning)"), ("error", "ERROR"), ("skipped", "SKIPPED (not required)")],
)
def test_only_what_holds_nothing_is_told_to_be_not_required(
    tmp_path: Path, outcome: str, heading: str
) -> None:
    """A check that may be skipped may not fail: then it holds, and nothing says that it does not matter."""
    story = runs.Story(tmp_path, [runs.UP], optional=[runs.REDIS])
    story.ended(runs.UP)
    story.ended(runs.REDIS, outcome, "said")
    story.end()
    assert f"\n{heading}  " in shown(tmp_path)


def test_the_decision_is_one_line_at_the_end(tmp_path: Path) -> None:
    """In a log the decision, stage, release, end and reason are a single line; then comes what to do."""
    runs.mixed(tmp_path)
    lines = shown(tmp_path, 80).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("ROLLBACK"))
    says = "notes answered HTTP 500 to 60 of 400 requests (expected 2xx): 15 %, at least "
    assert lines[at].startswith(
        f"ROLLBACK  immediate: production 1.4.0 at 25 %, ended 2026-09-21 14:13:24 UTC  \N{EM DASH} {says}"
    )
    assert lines[at].endswith("5 % allowed (and 4 more)")
    assert lines[at + 1] == "next: roll the percentage back, then: pytest -m immediate"
    assert lines[at + 2] == f"report: {tmp_path / 'report.html'}"
    assert lines[at + 3].startswith("chance: A healthy deployment is failed by chance at most once in 1,000")


@pytest.mark.parametrize("width", [80, 160])
def test_nothing_is_cut_at_any_width(tmp_path: Path, width: int) -> None:
    """Sentences are wrapped, not cut, and no line but the searchable ones is wider than the screen."""
    runs.mixed(tmp_path)
    text = shown(tmp_path, width)
    flat = " ".join(text.split())
    assert "220 of 2,000 took 500 ms or more (5 % allowed)" in flat
    assert "needs about 29,000 more requests, 4 min at this rate" in flat
    searchable = ("ROLLBACK", "next:", "report:")
    assert all(len(line) <= width for line in text.splitlines() if not line.startswith(searchable))


def test_every_outcome_reads_without_colour(tmp_path: Path) -> None:
    """In a log there is no escape code, and what holds is in capitals."""
    runs.mixed(tmp_path)
    text = shown(tmp_path)
    assert "\x1b" not in text
    for word in ("FAILED (critical)", "UNDECIDED", "ERROR", "NEVER RAN  one version answers", "SKIPPED"):
        assert word in text
    assert "not configured, not counted:\n  mongodb" in text
    assert "the time budget of 15 min ran out" in text


def test_a_terminal_gets_colours(tmp_path: Path) -> None:
    """On a terminal the decision is coloured."""
    runs.promoted(tmp_path)
    assert "\x1b[" in shown(tmp_path, force_terminal=True, color_system="standard")


def test_hostile_text_does_nothing(tmp_path: Path) -> None:
    """What a target answered neither moves the cursor, nor is read as markup, nor fills the screen."""
    story = runs.Story(tmp_path, [runs.UP])
    story.ended(runs.UP, "error", "[bold]x[/bold] \x1b[2J\x07\u202e" + "y" * 1_000_000)
    story.end()
    text = shown(tmp_path)
    assert "[bold]x[/bold] \N{SYMBOL FOR ESCAPE}[2J\N{SYMBOL FOR BELL}<U+202E>yyy" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert len(text) < 10_000
    assert "of 1,000,021 characters" in " ".join(text.split())


def test_a_target_gives_no_command_to_the_ci_server(tmp_path: Path) -> None:
    """No line of the log begins with GitHub's ``::``, nor holds its older ``##[``, whatever a target says."""
    story = runs.Story(tmp_path, [runs.UP])
    story.ended(runs.UP, "error", "::stop-commands::x " + "a" * 99 + " ::add-mask::HOLD ##[add-mask]HOLD")
    story.end()
    text = shown(tmp_path, 80)
    assert "add-mask" in text
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert "##[" not in text


def test_a_log_in_ascii_keeps_the_verdict(tmp_path: Path) -> None:
    """A stream that knows no foreign letters still gets every line."""
    story = runs.Story(tmp_path, [runs.UP])
    story.ended(runs.UP, "error", "日本")
    story.end()
    text = shown(tmp_path, encoding="ascii")
    assert r"\u65e5\u672c" in text
    assert "HOLD  immediate: production" in text


def test_without_a_terminal_a_line_has_120_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CI log gets LOG_WIDTH, unless COLUMNS says otherwise."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert table.console(io.StringIO()).width == table.LOG_WIDTH == 120
    monkeypatch.setenv("COLUMNS", "90")
    assert table.console(io.StringIO()).width == 90


def test_names_are_short_and_their_own(tmp_path: Path) -> None:
    """The file stands before a name that two files share, the stage where there are two stages."""
    story = runs.Story(
        tmp_path, ["immediate/a::it_works", "immediate/b::it_works", "extended/a::it_lasts[x]"]
    )
    story.end()
    names = sentences.short_names(verdict.decide(*journal.read(tmp_path)).checks)
    assert list(names.values()) == [
        "immediate: a: it works",
        "immediate: b: it works",
        "extended: it lasts [x]",
    ]


def test_an_empty_run_says_so(tmp_path: Path) -> None:
    """With nothing planned there is no table, and the verdict and its reason are there."""
    runs.Story(tmp_path, []).end()
    assert "HOLD  immediate: production 1.4.0 at 25 %, ended " in shown(tmp_path)
    assert " UTC  \N{EM DASH} the plan is empty" in shown(tmp_path)


def test_what_was_not_stated_is_named(tmp_path: Path) -> None:
    """A release without version or percentage does not look as if both had been checked."""
    nothing = {"environment": "production", "version": None, "percentage": None}
    story = runs.Story(tmp_path, [runs.REDIS], release=nothing)
    story.shown(runs.REDIS, Measurement("redis_up", n=1, value=1.0))
    story.ended(runs.REDIS)
    story.end()
    assert "PROMOTE  immediate: production, version unknown, percentage unknown" in shown(tmp_path)


def test_what_a_receipt_did_not_show_is_said_where_it_passed(tmp_path: Path) -> None:
    """A channel that took a message passes; that nobody saw it arrive stands in the table and the summary."""
    checks()  # the metric is known only with the file of its check
    plan = [f"predeploy/alerts::channel_delivers[{name}]" for name in ("on-call", "mail")]
    story = runs.Story(tmp_path, plan, stage="predeploy")
    for check, note in zip(plan, ("accepted; receipt not checked", "accepted, and arrived"), strict=True):
        alert = check.partition("[")[2].removesuffix("]")
        seen = Measurement("alert_delivered", n=1, value=1.0, labels={"alert": alert}, note=note)
        story.judged(check, seen, "alert_delivered == 1")
        story.ended(check, None)
    story.end()
    for text in (shown(tmp_path), markdown.dumps(judge(tmp_path))):
        assert "on-call: accepted; receipt not checked; mail: accepted, and arrived" in text
