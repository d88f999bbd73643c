"""How every report names what was checked: the stage, and of a deploy its steps."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from tests.unit import report_runs as runs
from tests.unit.test_report_html import Page

from rampgate.evidence import journal
from rampgate.judging import results, verdict
from rampgate.model.measurement import Measurement
from rampgate.report import html, junit, markdown, sentences, table

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = "production 1.4.0 at 25 %"


def decided(folder: Path, stage: str, **header: list[str]) -> results.Verdict:
    """A run of one stage that promotes."""
    check = f"{stage}/backend::cache_answers"
    story = runs.Story(folder, [check], stage=stage, **header)
    story.judged(check, Measurement("cache_misses", n=9, failures=0), "cache_misses == 0")
    story.ended(check)
    story.end()
    return verdict.decide(*journal.read(folder))


@pytest.mark.parametrize(
    ("steps", "named"),
    [
        (["backend"], "deploy, step backend"),
        (["backend", "frontend"], "deploy, steps backend and frontend"),
    ],
)
def test_every_report_names_the_step_of_a_deploy(tmp_path: Path, steps: list[str], named: str) -> None:
    """Whoever reads one report of four knows which step it is about: on top, and where the verdict stands."""
    found = decided(tmp_path, "deploy", steps=steps)
    page = html.dumps(found)
    assert f"<title>PROMOTE {named}: {RELEASE}</title>" in page
    assert f'<p class="release">{named}: {RELEASE}</p>' in page
    assert Page(page).text.count(named) == 4  # title, banner, the facts of the run, what was asked
    first = markdown.dumps(found).splitlines()[0]
    assert f"PROMOTE {named}: {RELEASE}, ended " in first
    suite = ET.fromstring(junit.dumps(found)).find("testsuite")  # noqa: S314 - our own output
    assert suite is not None
    assert suite.get("name") == f"rampgate {named}"
    printed = io.StringIO()
    table.render(found, table.console(printed), folder=None)
    assert f"PROMOTE  {named}: {RELEASE}, ended " in printed.getvalue()


def test_other_stages_are_named_alone(tmp_path: Path) -> None:
    """A stage without steps is named as it is."""
    found = decided(tmp_path, "predeploy")
    assert sentences.stages(found) == ["predeploy"]
    assert sentences.subject(found) == f"predeploy: {RELEASE}"
    assert "step" not in Page(html.dumps(found)).text
