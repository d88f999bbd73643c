"""What measures nothing: a bare pytest, a collection, wrong settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.plugin.deployment import SETTINGS, Deployment, Project

from rampgate.cli import main
from rampgate.config.plan import validation_folder

if TYPE_CHECKING:
    from pathlib import Path

OWN = """
import pytest

@pytest.mark.immediate
def test_own_check():
    raise AssertionError("a failing test of the user's")

def test_ordinary():
    pass

def test_with_our_fixture(expect):
    raise AssertionError("must not run")

@pytest.mark.immediate
def test_with_our_settings(settings):
    raise AssertionError("must not run")

@pytest.mark.rollback
@pytest.mark.parametrize("expect", [1, 2])
def test_with_a_parameter_of_that_name(expect):
    assert expect
"""


def nothing_happened(project: Project, deployment: Deployment) -> bool:
    """No request reached the target, and no run was begun."""
    return not deployment.asked and not (project.folder / "reports").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 1, "1 failed, 3 passed, 2 deselected"),
        (["-m", "not (immediate or extended)"], 0, "3 passed, 3 deselected"),
        ([str(validation_folder()), "."], 1, "1 failed, 3 passed"),
        (["--collect-only", "-q", "-m", "immediate"], 10, "endpoint_answers_in_time[items]"),
    ],
)
def test_without_a_stage_nothing_is_measured(
    project: Project, deployment: Deployment, arguments: list[str], code: int, told: str
) -> None:
    """A bare pytest, or one that only collects, sends a deployment no request and makes no folder.

    It counts a user's own tests as without rampgate, but those that ask for a fixture of rampgate's.
    """
    project.write("test_own.py", OWN)
    ran = project.run(*arguments)
    assert ran.code == code, ran.told
    assert told in ran.told
    assert nothing_happened(project, deployment)


@pytest.mark.parametrize(
    ("settings", "arguments", "environ", "problems"),
    [
        (
            "percentage = 101\n[target]\nwbe = 'x'\n",
            [],
            {},
            [
                "rampgate.toml: percentage: found 101;",
                "rampgate.toml: target.wbe: unknown key; did you mean web?",
            ],
        ),
        (
            "[thresholds]\na = 'x'\nb = 'y'\n",
            [],
            {},
            ["rampgate.toml: thresholds.a:", "rampgate.toml: thresholds.b"],
        ),
        ("[stages.immediate]\nrequire = ['mongo']\n", [], {}, ["stages.immediate.require: found 'mongo'"]),
        ("[target", [], {}, ["rampgate.toml: is not TOML"]),
        (SETTINGS, [], {"RAMPGATE_RUN": "../x"}, ["RAMPGATE_RUN: found '../x'; accepted are letters"]),
        (SETTINGS, [], {"RAMPGATE_RUN": "Latest"}, ["RAMPGATE_RUN: found 'Latest'; accepted are letters"]),
        (SETTINGS, ["--rampgate-config", "none.toml"], {}, ["none.toml: cannot be read: No such file"]),
        (
            SETTINGS,
            ["--rampgate-config", "rampgate.toml", "--demo-ready", "none.json"],
            {},
            ["--rampgate-config rampgate.toml: found beside --demo-ready none.json; accepted is one of them"],
        ),
        (SETTINGS, ["--demo-ready", "none.json"], {}, ["none.json: is no ready file of a deployment"]),
    ],
)
def test_a_wrong_configuration_is_a_usage_error(
    project: Project,
    deployment: Deployment,
    settings: str,
    arguments: list[str],
    environ: dict[str, str],
    problems: list[str],
) -> None:
    """Exit code 4, one line for each problem, no traceback; nothing is measured, and the latest run holds."""
    project.write("rampgate.toml", settings.replace("{api}", deployment.url))
    ran = project.run_here("-m", "immediate", *arguments, **environ)
    lines = ran.told.splitlines()
    assert ran.code == 4, ran.told
    assert "Traceback" not in ran.told
    for problem in problems:
        assert len([line for line in lines if problem in line]) == 1, ran.told
        assert problem in ran.verdict["reason"]
    assert deployment.asked == []
    assert ran.verdict["verdict"] == "hold"


def test_two_stages_at_once_are_refused(project: Project, deployment: Deployment) -> None:
    """Each stage is a run of its own; nothing is measured, and both are on record as not started."""
    ran = project.run_here("-m", "immediate or extended")
    assert ran.code == 4, ran.told
    assert "-m immediate or extended: names immediate and extended" in ran.told
    assert not deployment.asked
    assert (ran.verdict["verdict"], set(ran.verdict["stages"])) == ("hold", {"immediate", "extended"})


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["-m", "imediate"], 4, "-m imediate: names no stage and no test; did you mean immediate?"),
        (["-m", "imediate", "-n", "2"], 4, "did you mean immediate?"),
        (
            ["-m", "load"],
            4,
            "-m load: names no stage and no test; did you mean rampgate load, which runs Locust",
        ),
        (["-m", "immediate", "--bogus"], 4, "unrecognized arguments: --bogus"),
        (["-m", "deploy", "--step", "nothing"], 4, "argument --step: invalid choice"),
        (["-m", "immediate", "none.py"], 4, "a usage error"),
        (["-m", "immediate", "--deselect", "x", "-p", "broken"], 3, "an internal error"),
        (["-m", "immediate", "build"], 4, "the conftest is broken"),
    ],
)
def test_whatever_refuses_a_stage_leaves_a_record_that_holds(
    project: Project, deployment: Deployment, arguments: list[str], code: int, says: str
) -> None:
    """Whether rampgate or pytest refused it: the older promotion is the newest verdict no longer.

    What the run was about is said where it is known.
    """
    assert project.run("-m", "immediate").code == 0
    project.write("broken.py", "def pytest_collection_finish(): raise RuntimeError('broken')")
    (project.folder / "build").mkdir()
    project.write("build/conftest.py", "raise RuntimeError('the conftest is broken')")
    ran = project.run(*arguments)
    assert ran.code == code, ran.told
    assert ran.verdict["verdict"] == "hold"
    assert says in ran.verdict["reason"]
    assert ran.verdict["release"]["version"] == "1.0.0"
    assert ran.verdict["target"]["api"] == deployment.url
    shown = CliRunner().invoke(main, ["verdict", "--reports", str(project.folder / "reports")])
    assert shown.exit_code == 10, shown.output


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-m", "slow"], 5),
        (["-m", "not load"], 0),
        (["-m", "deployed"], 5),
        (["-m", "not imediate"], 0),
        (["-m", "immediately"], 0),
        (["-m", "slow", "--bogus"], 4),
        (["--co", "-m", "imediate"], 5),
    ],
)
def test_a_run_of_a_projects_own_marks_is_its_own(
    project: Project, deployment: Deployment, arguments: list[str], code: int
) -> None:
    """A mark that is registered, or that a test carries, is no stage, however much it looks like one."""
    project.write("pytest.ini", "[pytest]\nmarkers =\n    deployed: of ours\n    slow\n")
    project.write("test_own.py", "import pytest\n@pytest.mark.immediately\ndef test_own(): pass\n")
    ran = project.run(*arguments)
    assert ran.code == code, ran.told
    assert "did you mean" not in ran.told
    assert nothing_happened(project, deployment)


@pytest.mark.parametrize("ours", [True, False])
def test_a_stage_that_does_not_exist_is_a_usage_error(
    project: Project, deployment: Deployment, *, ours: bool
) -> None:
    """It names the stages that exist. The run is recorded where there are settings of rampgate's."""
    if not ours:
        (project.folder / "rampgate.toml").unlink()
    ran = project.run("-m", "rollbacks")
    assert ran.code == 4, ran.told
    stages = "predeploy, deploy, immediate, extended, rollback"
    assert f"did you mean rollback? The stages are {stages}" in ran.told
    assert ran.verdict.get("verdict") == ("hold" if ours else None)
    assert not deployment.asked


def test_an_older_promotion_is_not_shown_after_a_refused_start(
    project: Project, deployment: Deployment
) -> None:
    """`rampgate verdict` with settings that became wrong holds, and says why; the older run keeps its."""
    assert project.run("-m", "immediate").code == 0
    promoted = project.latest.resolve()
    project.write("rampgate.toml", SETTINGS.format(api=deployment.url) + "patients = '0s'\n")
    assert project.run_here("-m", "immediate").code == 4
    shown = CliRunner().invoke(main, ["verdict", "--reports", str(project.folder / "reports")])
    assert shown.exit_code == 10, shown.output
    assert "stages.immediate.patients: unknown key" in shown.output
    kept = CliRunner().invoke(main, ["verdict", str(promoted)])
    assert kept.exit_code == 0, kept.output


def test_from_another_folder_the_file_that_was_seen_is_named(
    project: Project, deployment: Deployment
) -> None:
    """No rampgate.toml here: the empty plan holds, and the report names the one above."""
    below = project.folder / "tests"
    below.mkdir()
    elsewhere = Project(below, "")
    (below / "rampgate.toml").unlink()
    ran = elsewhere.run("-m", "immediate")
    assert ran.code == 5, ran.told
    assert ran.verdict["verdict"] == "hold"
    seen = f"one was seen at {project.folder / 'rampgate.toml'}"
    assert any(seen in note for note in ran.verdict["notes"])
    assert deployment.asked == []


def test_a_weight_that_does_not_exist_is_told(
    project: Project, deployment: Deployment, tmp_path: Path
) -> None:
    """It is told before anything runs, not when it would have counted."""
    project.write(
        "test_own.py",
        "import pytest\n@pytest.mark.immediate\n@pytest.mark.severity('fatal')\ndef test_own(): pass\n",
    )
    ran = project.run("-m", "immediate")
    assert ran.code == 4, ran.told
    assert "test_own.py::test_own: severity: found ('fatal',); accepted are critical and warning" in ran.told
    assert "Traceback" not in ran.told
    assert deployment.asked == []
    assert ran.verdict["verdict"] == "hold"
    assert tmp_path == project.folder
