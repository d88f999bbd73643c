from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from tests.unit.fakes import FakeClock

from rampgate.cli import main
from rampgate.evidence import journal, lock
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0
OLD, YOUNG = 100.0, 1.0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a project, where the command is typed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    (tmp_path / "rampgate.toml").write_text('[visual]\npages = ["p"]\n[[pages]]\nname = "p"\npath = "/"\n')
    return tmp_path


def run(project: Path, name: str, days: float, **told: Any) -> Path:
    """A run that ended so many days ago; ``latest`` does not name it."""
    folder = journal.start_run(project / "reports", name, latest=False)
    book = journal.Journal(folder, "main", Redactor(), FakeClock(time.time() - days * DAY))
    release = {
        "environment": told.get("environment", "e"),
        "version": told.get("version", "1"),
        "percentage": told.get("percentage", 5.0),
    }
    book.write("header", stage=told.get("stage", "immediate"), release=release)
    book.write("end", status=0)
    book.close()
    return folder


def prune(*arguments: str) -> Result:
    """What the command said."""
    return CliRunner().invoke(main, ["prune", *arguments])


def left(project: Path) -> set[str]:
    """The folders that are there."""
    return {path.name for path in (project / "reports").iterdir()}


def test_old_runs_go_and_younger_ones_stay(project: Path) -> None:
    """90 days count where nothing else is said; what went is named with its age."""
    run(project, "old", OLD)
    run(project, "young", YOUNG, version="2")
    said = prune()
    assert left(project) == {"young"}
    assert "removed old: ended" in said.output
    assert "100 days ago" in said.output
    assert said.output.endswith("1 removed, 0 old ones kept, 1 are younger\n")


def test_retention_is_that_of_the_policy_file(project: Path) -> None:
    """production-monitoring.yml says how long; --keep says it for this time."""
    (project / "rampgate.toml").write_text('policy = "m.yml"\n')
    (project / "m.yml").write_text("monitoring: {web_vitals: {retention: 200d}}\n")
    run(project, "old", OLD)
    run(project, "young", YOUNG, version="2")
    assert prune().output == "0 removed, 0 old ones kept, 2 are younger\n"
    assert "removed old" in prune("--keep", "99d").output


def test_a_dry_run_removes_nothing(project: Path) -> None:
    """It says what would go."""
    run(project, "old", OLD)
    run(project, "young", YOUNG, version="2")
    assert "would remove old" in prune("--dry-run").output
    assert left(project) == {"old", "young"}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"version": "2", "stage": "load"}, "the newest load of the release that e has now"),
        ({"stage": "predeploy", "version": "1"}, "a baseline of e"),
        ({"environment": "other"}, "the newest immediate of the release that other has now"),
    ],
)
def test_a_run_that_is_used_stays(project: Path, told: dict[str, Any], reason: str) -> None:
    """The current release of each environment, and what is compared with, however old."""
    run(project, "used", OLD, **told)
    run(project, "old", OLD + 1)
    run(project, "young", YOUNG, version="2")
    assert f"kept used: {reason}" in prune().output
    assert left(project) == {"used", "young"}


def test_of_the_current_release_the_newest_run_of_each_stage_stays(project: Path) -> None:
    """A release that lasts for months, watched each day, does not keep every run of it."""
    for name, days in (("first", OLD + 1), ("second", OLD)):
        run(project, name, days, stage="watch")
    run(project, "young", YOUNG)
    prune()
    assert left(project) == {"second", "young"}


def test_the_baseline_of_the_version_before_stays(project: Path) -> None:
    """A bundle grows against the newest of another version; what is older than both goes."""
    run(project, "oldest", OLD + 2, stage="predeploy", version="1", percentage=0.0)
    run(project, "before", OLD + 1, stage="predeploy", version="2", percentage=0.0)
    run(project, "newest", OLD, stage="predeploy", version="3", percentage=0.0)
    run(project, "young", YOUNG, version="3")
    prune()
    assert left(project) == {"before", "newest", "young"}


def test_the_latest_run_stays(project: Path) -> None:
    """``rampgate verdict`` never loses what it shows."""
    run(project, "last", OLD)
    run(project, "young", YOUNG, version="2")
    (project / "reports" / "latest").symlink_to("last")
    assert "kept last: the latest run" in prune().output
    assert left(project) == {"last", "young", "latest"}


def test_a_run_that_goes_on_stays(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever measures for it is named."""
    run(project, "long", OLD)
    run(project, "young", YOUNG, version="2")
    monkeypatch.setattr(lock, "running", lambda run: "process 7" if run == "long" else "")
    assert "kept long: still measured by process 7" in prune().output


def test_a_run_whose_pictures_are_accepted_stays(project: Path) -> None:
    """As long as no later run's picture of the page was accepted in their place."""
    for name in ("first", "second"):
        run(project, name, OLD)
    run(project, "young", YOUNG, version="2")
    accepted = project / "visual-baselines" / "accepted.jsonl"
    accepted.parent.mkdir()
    entry = {"page": "p", "made_by": "chromium-1", "sha256": "0"}
    accepted.write_text("".join(json.dumps({**entry, "run": name}) + "\n" for name in ("first", "second")))
    assert "kept second: pictures of it are accepted" in prune().output
    assert left(project) == {"second", "young"}


def test_what_is_no_run_is_left_alone(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Folders and files of others, what a watch remembers, links: the run that a link leads to, too."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    run(project, "old", OLD)
    run(project, "young", YOUNG, version="2")
    (project / "reports" / "watch").mkdir()
    (project / "reports" / "watch" / "a.sqlite").write_text("")
    (project / "reports" / "notes").mkdir()
    (project / "reports" / "README.md").write_text("")
    (project / "reports" / "old").rename(elsewhere / "run")
    (project / "reports" / "link").symlink_to(elsewhere / "run")
    assert prune().output == "0 removed, 0 old ones kept, 1 are younger\n"
    assert left(project) == {"young", "watch", "notes", "README.md", "link"}
    assert (elsewhere / "run").is_dir()


def test_a_link_inside_a_run_is_removed_and_not_followed(project: Path) -> None:
    """What lies outside of reports/ stays."""
    folder = run(project, "old", OLD)
    run(project, "young", YOUNG, version="2")
    outside = project / "precious"
    outside.mkdir()
    (outside / "file").write_text("")
    (folder / "link").symlink_to(outside)
    prune()
    assert left(project) == {"young"}
    assert (outside / "file").is_file()


def test_a_broken_journal_stays_and_is_named(project: Path) -> None:
    """What cannot be read is not thrown away."""
    folder = run(project, "old", OLD)
    run(project, "young", YOUNG, version="2")
    with next(folder.glob("journal-*.jsonl")).open("a") as file:
        file.write("{\n{}\n")
    assert "kept old: " in prune().output
    assert left(project) == {"old", "young"}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--keep", "long"], "--keep: found 'long'; accepted is a duration such as 90s, 15m or 1h30m"),
        (["--keep", "0d"], "--keep: found '0d'; accepted is more than 0"),
        (["--reports", "nowhere"], "nowhere: cannot be read: No such file or directory"),
    ],
)
def test_bad_options_are_one_line(project: Path, arguments: list[str], line: str) -> None:
    """What was typed wrong is said in one line, and nothing is removed."""
    run(project, "old", OLD)
    said = prune(*arguments)
    assert said.exit_code == 2
    assert said.stderr.startswith(f"rampgate: {line}")
    assert left(project) == {"old"}
