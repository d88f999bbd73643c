from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.unit import report_runs as runs

from rampgate.evidence import journal
from rampgate.judging import results, verdict
from rampgate.outcome import Severity
from rampgate.report import markdown

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    "<img src=x onerror=a()> | `x` [a](http://b) **c** @team #1 ~~d~~ $e$ www.f.test\n\n## PROMOTE\n| a |"
)


def judged(folder: Path) -> results.Verdict:
    """The verdict of a run."""
    return verdict.decide(*journal.read(folder))


def failing(folder: Path, message: str, checks: int = 1) -> results.Verdict:
    """A run in which every check ends with the same error."""
    plan = [f"immediate/x::check_{number}" for number in range(checks)]
    story = runs.Story(folder, plan)
    for number, check in enumerate(plan):
        story.ended(check, "error", f"{message}{number or ''}")
        story.event(f"{message}{number or ''}")
    story.end()
    return judged(folder)


def test_the_verdict_is_the_first_line(tmp_path: Path) -> None:
    """Decision and release come first, then the reason and what to type next."""
    runs.mixed(tmp_path)
    lines = markdown.dumps(judged(tmp_path)).split("\n\n")
    assert "ROLLBACK immediate: production 1.4.0 at 25 %, ended 2026" in lines[0]
    assert lines[1].endswith("5 % allowed (and 4 more)")
    assert lines[2] == "**Next:** roll the percentage back, then: pytest -m immediate"


def test_tables_have_the_numbers(tmp_path: Path) -> None:
    """What is not passed stands in the open table, what passed in the folded one."""
    runs.mixed(tmp_path)
    text = markdown.dumps(judged(tmp_path))
    shown, _, folded = text.partition("<details>")
    assert "15 % (at least 8.75 %) | bad: error\\_rate &gt; 5% | 400 | FAILED (critical) |" in shown
    assert "| one version answers |  |  |  | NEVER RAN |" in shown
    assert "| reach (1 check) | service answers \\[web\\] |  |  | passed |" in folded
    assert "Not configured, not counted: mongodb" in folded


def test_hostile_text_is_inert(tmp_path: Path) -> None:
    """What a target answered opens no tag, table cell, link, emphasis, mention, heading or code."""
    text = markdown.dumps(failing(tmp_path, HOSTILE))
    assert set(re.findall(r"<[^>]*>", text)) == {
        "<details open>",
        "<details>",
        "</details>",
        "<summary>",
        "</summary>",
        "<span>",
        "</span>",
    }  # fmt: skip - one line
    escaped = r"\| \`x\` \[a\](http\://b) \*\*c\*\* <span>@</span>team \#1 \~\~d\~\~ \$e\$ www\.f.test"
    assert f"&lt;img src=x onerror=a()&gt; {escaped}" in text
    assert [line for line in text.splitlines() if line.startswith("#")] == [text.splitlines()[0]]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)


@pytest.mark.parametrize("message", ["long " * 90, "@" * 450, "日" * 450])
def test_it_fits_into_64_kib(tmp_path: Path, message: str) -> None:
    """However many checks fail with however much text, the file stays small and says what it left out."""
    text = markdown.dumps(failing(tmp_path, message, checks=600))
    assert len(text.encode()) <= markdown.LARGEST
    assert re.search(r"… \d+ more rows are in report.html", text)
    assert re.search(r"… \d+ more lines are in report.html", text)
    assert re.search(r"… \d+ more notes are in report.html", text)
    assert text.count("<details") == text.count("</details>")


def test_annotations_are_few_and_escaped(tmp_path: Path) -> None:
    """At most eight lines, the verdict first, with GitHub's escapes, and no line that a target began."""
    decided = failing(tmp_path, "100%\n::set-output name=a::b\r\x1b[1m", checks=20)
    lines = markdown.annotations(decided)
    assert len(lines) == 8
    assert all(re.fullmatch(r"::error title=[^:,\n]+::[^\n\r]+", line) for line in lines)
    title = "::error title=HOLD immediate%3A production 1.4.0 at 25 %25::"
    assert lines[0].startswith(f"{title}immediate/x::check_0: 100%25 ")
    assert lines[1] == (
        "::error title=ERROR check 0::100%25 ::set-output name=a::b\N{SYMBOL FOR CARRIAGE RETURN}"
        "\N{SYMBOL FOR ESCAPE}[1m"
    )


def test_a_promotion_has_no_annotations(tmp_path: Path) -> None:
    """Nothing is annotated where nothing holds."""
    runs.promoted(tmp_path)
    assert markdown.annotations(judged(tmp_path)) == []


def test_critical_failures_come_first_in_annotations(tmp_path: Path) -> None:
    """Behind the verdict stands the check that rolls back."""
    story = runs.Story(tmp_path, [runs.REDIS, runs.UP])
    story.ended(runs.REDIS, "error", "no driver")
    story.judged(runs.UP, runs.up(0.0), "up == 1", severity=Severity.CRITICAL)
    story.ended(runs.UP, "failed")
    story.end()
    titles = [line.split("::")[1] for line in markdown.annotations(judged(tmp_path))]
    assert titles[1:] == ["error title=FAILED service answers [web]", "error title=ERROR redis answers"]
