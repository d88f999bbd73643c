"""A full disk, a reader that leaves: the exit code and `rampgate verdict` say the same."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.plugin.deployment import PYTEST, SETTINGS, Project, deployed, environment

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


@pytest.mark.parametrize("processes", ["", "-n 2"])
def test_a_reader_that_leaves_changes_nothing(tmp_path: Path, processes: str) -> None:
    """`| head -1`: the stage goes on to its end, its exit code is the verdict's, and so is the command's."""
    with deployed() as deployment:
        project = Project(tmp_path, SETTINGS.format(api=deployment.url))
        stage = f"{' '.join(PYTEST)} -m immediate {processes}"
        codes = [piped(project.folder, stage)]
    rampgate = f"{sys.executable} -m rampgate"
    codes += [piped(project.folder, f"{rampgate} {name}") for name in ("verdict", "rejudge")]
    assert codes == ["0", "0", "0"]
    assert project.verdict["verdict"] == "promote"
    assert (project.latest / "report.html").is_file()


def piped(folder: Path, command: str) -> str:
    """The exit code of a command of which nobody reads a line, nor what it says of errors."""
    ended = subprocess.run(
        ["bash", "-c", f"{command} 2>&1 | true; echo ${{PIPESTATUS[0]}}"],
        cwd=folder,
        env=environment({}),
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.strip()


def test_a_log_is_written_as_the_stage_goes_on(tmp_path: Path) -> None:
    """Who follows it sees what is checked before the first check has ended, though it is no terminal."""
    with deployed() as deployment:
        deployment.stuck = "/health"
        deployment.go_on.clear()
        project = Project(tmp_path, SETTINGS.format(api=deployment.url))
        with project.started("-m", "immediate") as process:
            assert process.stdout
            assert any("3 checks planned" in line for line in process.stdout)
            assert not deployment.go_on.is_set()
            deployment.go_on.set()
            assert "PROMOTE" in process.stdout.read()


@pytest.mark.parametrize("processes", [[], ["-n", "2"]])
def test_a_journal_that_takes_no_more_holds_and_names_its_folder(
    tmp_path: Path, processes: list[str]
) -> None:
    """Whichever record no longer fits: the gate's own exit code, and no more is measured for nothing."""
    codes, said = set(), set()
    with deployed() as deployment:
        for kib in (4, 7):
            (tmp_path / str(kib)).mkdir()
            project = Project(tmp_path / str(kib), SETTINGS.format(api=deployment.url))
            project.kib = kib
            ran = project.run("-m", "immediate", "-p", "no:cacheprovider", *processes)
            codes.add(ran.code)
            full = rf"{project.latest.resolve()}\S*: (the journal )?could not be written whole: "
            said.add(bool(re.search(full, ran.told)) and "Traceback" not in ran.told)
    assert (codes, said) == ({10}, {True})
