"""What ``pytest -m <stage>`` ends with where a project's conftest.py has a say in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import SETTINGS, Project

if TYPE_CHECKING:
    from pathlib import Path

HOOK = "import pytest\n@pytest.hookimpl({})\ndef pytest_cmdline_main(config):\n    {}\n"


@pytest.mark.parametrize(
    ("conftest", "typed", "code"),
    [
        ("import sys\nsys.exit(0)\n", [], 4),
        (HOOK.format("tryfirst=True", "return 0"), [], 10),
        (HOOK.format("wrapper=True, tryfirst=True", "yield; return 0"), [], 20),
        ("", ["--fixtures"], 10),
        ("", ["--help"], 0),
        (HOOK.format("tryfirst=True", "return 3"), [], 3),
    ],
)
def test_a_project_makes_no_pass_of_what_was_none(
    tmp_path: Path, conftest: str, typed: list[str], code: int
) -> None:
    """Ended at import, answered in pytest's place, or another code at the end; what prints is let be."""
    project = Project(tmp_path, SETTINGS.format(api="http://127.0.0.1:9"))
    project.write("conftest.py", conftest)
    ran = project.run("-m", "immediate", *typed)
    assert ran.code == code, ran.told
    assert (tmp_path / "reports/latest").exists() == (code not in {0, 3})
