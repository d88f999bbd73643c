"""Names as others have them: folders, endpoints, a user's own tests, and what a target answers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from tests.plugin.deployment import HEALTH, ITEMS, SETTINGS, VERSION, Project, deployed

if TYPE_CHECKING:
    from pathlib import Path

OWN = """
import pytest

@pytest.mark.immediate
@pytest.mark.parametrize("x", range(3), ids=["Übersicht", "q'\\"%[x]", "n\\nl\\x1b[31m"])
def test_größe(x):
    pass

@pytest.mark.immediate
def test_half_a_character():
    print("\\ud83d")
    assert "\\ud83d" == "whole", "\\ud83d\\x1b[31m\\x00"
"""


@pytest.mark.parametrize("processes", [[], ["-n", "2"]])
def test_a_folder_of_any_name_is_a_project(tmp_path: Path, processes: list[str]) -> None:
    """Blanks, brackets, quotes, a line end; an endpoint and tests of such names: each check runs.

    A failing test with half a character in its message is reported like any other.
    """
    folder = tmp_path / "prüf %s [x] 'q' \"d\"\nend"
    folder.mkdir()
    with deployed() as deployment:
        settings = SETTINGS.format(api=deployment.url).replace('"items"', '"Übersicht/a b[c] %s"')
        project = Project(folder, settings)
        project.write("test_own.py", OWN)
        ran = project.run("-m", "immediate", *processes)
    assert ran.code == 10, ran.told
    outcomes = ran.outcomes
    assert outcomes.pop("test_own.py::test_half_a_character") == "failed"
    assert set(outcomes.values()) == {"passed"}, ran.told
    assert {HEALTH, VERSION, ITEMS.replace("items", "Übersicht/a b[c] %s")} <= set(outcomes)
    assert len(outcomes) == 6
    assert "INTERNALERROR" not in ran.told
    ET.parse(project.latest / "junit.xml")  # noqa: S314  # our own


@pytest.mark.parametrize("variables", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_what_a_target_answers_controls_no_terminal(tmp_path: Path, variables: dict[str, str]) -> None:
    """A version of control characters is shown by their names, in every report and whatever the locale."""
    with deployed() as deployment:
        deployment.version = "1\x1b[31m\x00\x07\ud83d\u202e<b>&]]>\r\n::error::PROMOTE"
        deployment.version += " ##[set-output name=v]1 ##vso[task.complete]1 ##teamcity[buildStatus]"
        project = Project(tmp_path, SETTINGS.format(api=deployment.url))
        ran = project.run("-m", "immediate", **variables)
    assert ran.outcomes[VERSION] == "failed", ran.told
    assert "INTERNALERROR" not in ran.told
    reports = [project.latest / name for name in ("report.html", "summary.md", "junit.xml")]
    for text in (ran.told, *(path.read_text(encoding="utf-8") for path in reports)):
        assert not set(text) & set("\x1b\x00\x07\ud83d\u202e")
        assert not any(line.startswith("::error::PROMOTE") for line in text.splitlines())
        assert not any(f"##{name}[" in text for name in ("", "vso", "teamcity"))
        assert "<b>" not in text or text == ran.told
    ET.parse(project.latest / "junit.xml")  # noqa: S314  # our own


@pytest.mark.parametrize("processes", [[], ["-n", "2"]])
def test_a_session_that_is_called_as_a_check_renames_none(tmp_path: Path, processes: list[str]) -> None:
    """Whichever process signed in, each check is the one of the plan."""
    with deployed() as deployment:
        settings = SETTINGS.format(api=deployment.url).replace('"items"', '"quarterly"')
        project = Project(
            tmp_path, f'{settings}\n[login]\npath = "/quarterly"\nbody = {{ a = "b" }}\ntoken = "[0]"\n'
        )
        deployment.items = ["quarterly"]
        ran = project.run("-m", "immediate", *processes)
    assert ran.code in {0, 10}, ran.told
    assert set(ran.outcomes.values()) == {"passed"}, ran.told
    assert "never ran" not in ran.told
