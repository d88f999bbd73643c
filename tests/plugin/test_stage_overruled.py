"""A stage whose verdict is waived or overridden, from pytest to the exit code of ``rampgate verdict``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.plugin.deployment import SETTINGS, VERSION, Deployment, Project

from rampgate.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

OWN = "import pytest\n\n\n@pytest.mark.immediate\ndef test_it():\n    assert not 'slow'\n"
OWN_CHECK = "test_own.py::test_it"


def waiver(check: str, until: str = "2099-01-01T00:00:00+01:00") -> str:
    """A waiver in rampgate.toml."""
    return f'[[waivers]]\ncheck = "{check}"\nreason = "OPS-812"\nby = "ada"\nexpires = {until}\n'


def rampgate(project: Project, *words: str) -> Result:
    """A command on the project's runs."""
    return CliRunner().invoke(main, [*words, "--reports", str(project.folder / "reports")])


def made(folder: Path, deployment: Deployment, more: str) -> Project:
    """A project whose deployment answers with another version than expected."""
    deployment.version = "0.9.0"
    return Project(folder, SETTINGS.format(api=deployment.url) + more)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_waived_check_does_not_hold_the_stage(tmp_path: Path, deployment: Deployment, workers: str) -> None:
    """Exit 0, in red, from one process and from workers; a user's own check may be waived, too."""
    project = made(tmp_path, deployment, waiver(VERSION) + waiver(OWN_CHECK))
    project.write("test_own.py", OWN)
    ran = project.run("-m", "immediate", "-n", workers)
    assert (ran.code, ran.verdict["verdict"]) == (0, "hold"), ran.told
    assert "WAIVED: HOLD → PROMOTE until 2098-12-31 23:00:00 UTC" in ran.told
    assert f"{OWN_CHECK}: waived until" in ran.told
    assert "counts now: PROMOTE with waivers until" in ran.told
    assert rampgate(project, "verdict").exit_code == 0
    assert rampgate(project, "rejudge").exit_code == 10


def test_waivers_that_count_for_nothing(tmp_path: Path, deployment: Deployment) -> None:
    """Another check that fails holds; an expired waiver is named; one of no check is refused."""
    project = made(tmp_path, deployment, waiver(VERSION))
    project.write("test_own.py", OWN)
    assert project.run("-m", "immediate").code == 10
    (tmp_path / "expired").mkdir()
    past = waiver(VERSION, "2026-01-01T00:00:00Z")
    ran = made(tmp_path / "expired", deployment, past).run("-m", "immediate")
    assert (ran.code, "its waiver has expired, and counts for nothing" in ran.told) == (10, True), ran.told
    (tmp_path / "unknown").mkdir()
    ran = made(tmp_path / "unknown", deployment, waiver(f"{VERSION}s")).run("-m", "immediate")
    assert (ran.code, "accepted are " in ran.told, VERSION in ran.told) == (4, True, True), ran.told


def test_an_override_is_void_once_the_run_is_joined(tmp_path: Path, deployment: Deployment) -> None:
    """It was for other evidence; it never met ``--require``; the owner of what holds is named."""
    owner = '[checks."immediate/health"]\nowner = "team-api"\n'
    project = made(tmp_path, deployment, owner)
    ran = project.run("-m", "immediate", RAMPGATE_RUN="one")
    assert (ran.code, "owner: team-api" in ran.told) == (10, True), ran.told
    said = ["--verdict", "promote", "--by", "ada", "--reason", "known", "--expires", "1h"]
    assert rampgate(project, "override", "latest", *said).exit_code == 0
    assert rampgate(project, "verdict", "one").exit_code == 0
    required = rampgate(project, "verdict", "--release", "current", "--require", "immediate")
    assert (required.exit_code, "counts for no release" in required.output) == (10, True), required.output
    assert project.run("-m", "immediate", RAMPGATE_RUN="one").code == 10
    later = rampgate(project, "verdict", "one")
    assert (later.exit_code, "for other evidence than this, and is void" in later.output) == (10, True)
