"""A disk that is full when a run ends: its exit code and `rampgate verdict` say the same."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import SETTINGS, Project, deployed, environment

if TYPE_CHECKING:
    from pathlib import Path

# Stands in for a disk that takes the journal, and no more of these files.
CONFTEST = """
import errno
from pathlib import Path

written = Path.write_bytes

def write_bytes(path, data):
    if path.name.startswith({full!r}):
        raise OSError(errno.ENOSPC, "No space left on device")
    return written(path, data)

Path.write_bytes = write_bytes
"""


@pytest.mark.parametrize(("full", "code"), [(".verdict.json", 10), (".report.html", 0)])
def test_the_exit_code_is_what_is_read_later(tmp_path: Path, full: str, code: int) -> None:
    """Without verdict.json it holds, now and later; a report that is missing costs no verdict."""
    with deployed() as deployment:
        project = Project(tmp_path, SETTINGS.format(api=deployment.url))
        project.write("conftest.py", CONFTEST.format(full=full))
        ran = project.run("-m", "immediate")
    assert ran.code == code, ran.told
    assert "No space left on device" in ran.told
    later = subprocess.run(
        [sys.executable, "-m", "rampgate", "verdict"],
        cwd=tmp_path,
        env=environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert later.returncode == code, later.stdout
    assert ("did not come to its end" in later.stdout) == bool(code)
