from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from rampgate.cli import main
from rampgate.load.plan import locustfile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that took rampgate's place."""
    commands: list[list[str]] = []

    def execv(program: str, arguments: list[str]) -> None:
        assert program == arguments[0] == sys.executable
        commands.append(arguments)
        raise SystemExit(10)

    monkeypatch.setattr(os, "execv", execv)
    return commands


@pytest.mark.parametrize(
    "mistyped",
    [
        ["--users", "x"],
        ["--time-scale", "x"],
        ["--abort", "maybe"],
        ["--nosuch"],
        ["extra"],
        ["-f", "nosuch.py"],
        ["--users"],
        ["--users", "x", "--config", "own.toml"],
    ],
)
def test_a_mistyped_start_is_the_latest_run(
    started: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistyped: list[str]
) -> None:
    """Nothing starts, and no older verdict is shown in its place: it holds, and says why."""
    monkeypatch.chdir(tmp_path)
    reports = "elsewhere" if "--config" in mistyped else "reports"
    (tmp_path / "own.toml").write_text("reports = 'elsewhere'", encoding="utf-8")
    ended = CliRunner().invoke(main, ["load", *mistyped])
    assert (ended.exit_code, started) == (2, [])
    after = CliRunner().invoke(main, ["verdict", "--reports", reports])
    assert after.exit_code == 10, after.output
    assert "rampgate load: " in after.output


def test_help_is_no_run(started: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads how it is typed has started nothing."""
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["load", "--help"]).exit_code == 0
    assert (started, list(tmp_path.iterdir())) == ([], [])


@pytest.mark.parametrize(
    ("typed", "locust"),
    [
        ([], ["--headless", "--only-summary"]),
        (["--web"], []),
        (
            ["--time-scale", "20", "--abort", "report", "--processes", "2", "--wait"],
            [
                "--headless",
                "--only-summary",
                "--time-scale=20.0",
                "--abort=report",
                "--processes=2",
                "--wait",
            ],
        ),
        (
            ["--duration", "10m", "--users", "50", "--host", "http://127.0.0.1:5", "--config", "own.toml"],
            [
                *("--headless", "--only-summary", "--rampgate-config=own.toml"),
                *("--host=http://127.0.0.1:5", "--users=50", "--duration=10m"),
            ],
        ),
        (
            ["--rate", "2.5", "--", "--loglevel", "WARNING"],
            ["--headless", "--only-summary", "--rate=2.5", "--loglevel", "WARNING"],
        ),
    ],
)
def test_what_is_typed_reaches_locust(started: list[list[str]], typed: list[str], locust: list[str]) -> None:
    """Locust takes rampgate's place with the installed locustfile, so that the exit code is its own."""
    ended = CliRunner().invoke(main, ["load", *typed])
    assert ended.exit_code == 10, ended.output
    (command,) = started
    ours = locustfile()
    assert command[1:5] == ["-P", str(ours.with_name("start.py")), "-f", str(ours)]
    assert sorted(command[5:]) == sorted(locust)


def test_a_locustfile_of_ones_own(started: list[list[str]], tmp_path: Path) -> None:
    """Instead of the installed one; one that is not there is refused before anything starts."""
    own = tmp_path / "own.py"
    assert CliRunner().invoke(main, ["load", "-f", str(own)]).exit_code == 2
    own.touch()
    CliRunner().invoke(main, ["load", "-f", str(own)])
    assert [command[4] for command in started] == [str(own)]
