"""Accepted pictures: a command, a journal that only grows, and nothing that nobody accepted."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from tests.unit.fakes import FakeClock

from rampgate.cli import main
from rampgate.errors import ProbeError
from rampgate.evidence.journal import Journal
from rampgate.evidence.visual_baselines import JOURNAL, VisualBaselines, digest_of, file_name
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from pathlib import Path

MAKER = "chromium-1.2.3-abcd"


def png(colour: str = "white") -> bytes:
    """A small picture."""
    kept = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(kept, "PNG")
    return kept.getvalue()


def run_of(folder: Path, **pages: bytes | None) -> Path:
    """A run that took these pictures; None: one that was not kept."""
    run = folder / "reports" / "run-1"
    (run / "visual").mkdir(parents=True)
    journal = Journal(run, "main", Redactor(set()), FakeClock())
    journal.write("header", stage="predeploy", settings={"visual": {"folder": "looks"}})
    for page, picture in pages.items():
        details: dict[str, Any] = {"page": page, "made_by": MAKER, "sha256": digest_of(picture or b"")}
        if picture is not None:
            details["file"] = f"visual/{page}.png"
            (run / details["file"]).write_bytes(picture)
        journal.write(
            "measurement", check=page, measurement={"metric": "picture_taken", "value": 1, "details": details}
        )
    journal.close()
    return run


def accept(*arguments: str) -> Result:
    """The command, as it is typed."""
    return CliRunner().invoke(main, ["accept", "run-1", *arguments])


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the project, in which commands are typed."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_accepting_keeps_the_pictures_and_says_who(project: Path) -> None:
    """Who, when, which run and which picture are added to a file that keeps what was there."""
    run_of(project, dashboard=png(), patients=png("red"))
    assert accept("--page", "dashboard", "--by", "Ada").exit_code == 0
    done = accept("--by", "Grace")
    assert done.exit_code == 0
    assert f"accepted: looks/{MAKER}/patients.png" in done.output
    pictures = VisualBaselines(project / "looks")
    assert pictures.of("dashboard", MAKER) == png()
    assert pictures.of("patients", MAKER) == png("red")
    assert pictures.of("dashboard", "chromium-9") is None
    assert pictures.others("dashboard") == [MAKER]
    entries = [json.loads(line) for line in (project / "looks" / JOURNAL).read_text().splitlines()]
    assert [(e["by"], e["page"], e["run"]) for e in entries] == [
        ("Ada", "dashboard", "run-1"),
        ("Grace", "dashboard", "run-1"),
        ("Grace", "patients", "run-1"),
    ]
    assert entries[2]["sha256"] == digest_of(png("red"))
    assert entries[0]["at"].endswith("Z")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--by", "Ada", "--page", "paitents"], "--page: found 'paitents'; accepted are dashboard, patients"),
        (["--by", " "], "--by: found nothing"),
        ([], "Missing option '--by'"),
    ],
)
def test_what_is_mistyped_is_told_and_nothing_is_accepted(
    project: Path, arguments: list[str], says: str
) -> None:
    """One line, exit code 2, and no folder."""
    run_of(project, dashboard=png(), patients=png())
    done = accept(*arguments)
    assert done.exit_code == 2
    assert says in done.output
    assert not (project / "looks").exists()


def test_pictures_that_were_not_kept_cannot_be_accepted(project: Path) -> None:
    """The line says why there is none."""
    run_of(project, dashboard=None)
    done = accept("--by", "Ada")
    assert done.exit_code == 2
    assert "no picture to accept: it checked none, or evidence.page_content was none" in done.output


def test_a_picture_that_was_changed_since_is_refused(project: Path) -> None:
    """Only what the run has seen is accepted, and all of it or nothing."""
    run = run_of(project, dashboard=png(), patients=png())
    (run / "visual" / "patients.png").write_bytes(png("black"))
    done = accept("--by", "Ada")
    assert done.exit_code == 2
    assert "patients.png: is not the picture in the run's journal" in done.output
    assert not (project / "looks").exists()


def test_a_picture_that_nobody_accepted_is_not_compared_with(project: Path) -> None:
    """A picture that was slipped into the folder is an error, not a baseline."""
    run_of(project, dashboard=png())
    accept("--by", "Ada")
    (project / "looks" / MAKER / "dashboard.png").write_bytes(png("black"))
    with pytest.raises(ProbeError, match="has no line for this picture"):
        VisualBaselines(project / "looks").of("dashboard", MAKER)


def test_names_that_would_be_one_file_are_two() -> None:
    """A page's name may hold what a file's may not."""
    assert file_name("dashboard") == "dashboard.png"
    assert len({file_name(name) for name in ("a/b", "a-b", "a b", "../a-b")}) == 4
    assert all("/" not in file_name(name) for name in ("a/b", "../x", "/"))
