"""What a pipeline reads of a verdict: outputs, summaries and metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.unit import report_runs as runs
from tests.unit.test_releases import Reports

from rampgate.cli import main
from rampgate.evidence import journal
from rampgate.judging import verdict
from rampgate.judging.release import ReleaseVerdict, StageRun
from rampgate.outcome import Decision, Severity
from rampgate.report import markdown, openmetrics

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = 'a"} 1\nverdict=promote\\ ::set-output'


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step of GitHub Actions: the folder of its two files."""
    folder = tmp_path / "github"
    folder.mkdir()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for variable, name in (("GITHUB_OUTPUT", "output"), ("GITHUB_STEP_SUMMARY", "summary")):
        monkeypatch.setenv(variable, str(folder / name))
        (folder / name).write_text("before\n")
    return folder


def run_of(folder: Path, up: float) -> Path:
    """A run of one check, which a target has named."""
    folder.mkdir(parents=True)
    written = runs.Story(folder, [runs.UP], run=folder.name)
    written.judged(runs.UP, runs.up(up), "up == 1", severity=Severity.CRITICAL)
    written.ended(runs.UP, "passed" if up else "failed")
    written.end()
    return folder


@pytest.mark.parametrize(("up", "said", "code"), [(1.0, "promote", 0), (0.0, "rollback", 20)])
def test_a_step_of_github_gets_the_verdict_as_an_output(
    github: Path, tmp_path: Path, up: float, said: str, code: int
) -> None:
    """``verdict``, ``exit_code`` and ``run`` are outputs, and the summary begins with the verdict."""
    folder = run_of(tmp_path / "reports" / "run-1", up)
    shown = CliRunner().invoke(main, ["verdict", str(folder)])
    assert shown.exit_code == code, shown.output
    output = (github / "output").read_text().splitlines()
    assert output == ["before", f"verdict={said}", f"exit_code={code}", f"run={folder.name}"]
    assert said.upper() in (github / "summary").read_text(encoding="utf-8").splitlines()[1]


def test_elsewhere_nothing_is_written(github: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that other systems call so are left alone."""
    monkeypatch.delenv("GITHUB_ACTIONS")
    CliRunner().invoke(main, ["verdict", str(run_of(tmp_path / "run-1", 1.0))])
    assert [(github / name).read_text() for name in ("output", "summary")] == ["before\n"] * 2


def test_a_release_is_an_output_too(github: Path, tmp_path: Path) -> None:
    """What several stages come to holds a later job, with a row for each stage in the summary."""
    reports = Reports(tmp_path / "reports")
    reports.folder.mkdir()
    reports.run("b", "immediate")
    asked = [
        "verdict",
        "--reports",
        str(reports.folder),
        "--release",
        "current",
        "--require",
        "immediate,load",
    ]
    assert CliRunner().invoke(main, asked).exit_code == 10
    assert "verdict=hold\nexit_code=10\n" in (github / "output").read_text()
    summary = (github / "summary").read_text(encoding="utf-8").splitlines()
    assert "HOLD" in summary[1]
    assert [line.split(" | ")[0] for line in summary if "HOLD |" in line] == ["| immediate", "| load"]


def test_a_name_cannot_add_an_output(github: Path, tmp_path: Path) -> None:
    """A folder whose name has a line break adds no line to the outputs."""
    CliRunner().invoke(main, ["verdict", str(run_of(tmp_path / "run\nverdict=promote", 0.0))])
    lines = (github / "output").read_text().splitlines()
    assert [line for line in lines if line.startswith("verdict=")] == ["verdict=rollback"]


def test_metrics_are_text_that_a_parser_reads(tmp_path: Path) -> None:
    """The verdict, one of three, and each judged value with its labels, whatever a target wrote into them."""
    written = runs.Story(tmp_path, [runs.UP])
    hostile = replace(runs.up(0.0), labels={"service": HOSTILE})
    written.judged(runs.UP, hostile, "up == 1", severity=Severity.CRITICAL)
    written.ended(runs.UP, "failed")
    written.end()
    text = openmetrics.dumps(verdict.decide(*journal.read(tmp_path)))
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    found = {family.name: family.samples for family in families}
    assert {each.labels["result"]: each.value for each in found["rampgate_verdict"]} == {
        "promote": 0.0,
        "hold": 0.0,
        "rollback": 1.0,
    }
    (up,) = found["up"]
    assert (up.value, up.labels["check"]) == (0.0, runs.UP)


def test_a_summary_of_a_release_has_no_text_that_acts() -> None:
    """A reason opens no tag and no cell of a table."""
    stage = StageRun("immediate", "run-1", reason="<img src=x> | a", ended=1.0)
    text = markdown.of_release(ReleaseVerdict(Decision.HOLD, {}, (stage,)), 61.0)
    assert "<img" not in text
    assert [line.count(" | ") for line in text.splitlines() if line.startswith("|")][-1] == 4
    assert "1 min ago" in text
