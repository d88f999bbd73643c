"""Whether the proof of bad inputs would see what it says that it looks for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from proofs import bad_input_cases, bad_input_world, bad_inputs
from proofs.bad_input_world import MARK, SECRETS, World

if TYPE_CHECKING:
    from pathlib import Path

CASE = next(case for case in bad_input_cases.CASES if case.check and not case.whole)
ROW = {
    "outcome": CASE.outcome,
    "code": CASE.code,
    "reasons": 1,
    "noticed": True,
    "leftovers": [],
}


DAEMON = """
import subprocess, sys
print(subprocess.Popen(sys.argv[2:], cwd=sys.argv[1], start_new_session=True, stdout=-3, stderr=-3).pid)
"""


@pytest.mark.parametrize("sign", ["environment", "folder"])
def test_a_process_that_stays_is_seen_whoever_its_parent_is(tmp_path: Path, sign: str) -> None:
    """A grandchild of a session of its own, whose parent has ended: by its mark, or by where it works."""
    folder, environ = (tmp_path, {}) if sign == "folder" else ("/", {MARK: "m1"})
    command = [sys.executable, "-c", DAEMON, str(folder), "sleep", "60"]
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True, check=True)
    pid = int(done.stdout)
    try:
        assert bad_input_world.marked("m1", tmp_path) == [f"process {pid} (sleep 60)"]
        assert bad_input_world.marked("m2", tmp_path / "elsewhere") == []
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"outcome": "passed"},
        {"code": 0},
        {"reasons": 2},
        {"noticed": False},
        {"leftovers": ["data: redis"]},
    ],
)
def test_a_row_with_anything_wrong_is_not_right(wrong: dict[str, Any]) -> None:
    """Passed, another exit code, two reasons, an unclear one, something left: each spoils it."""
    assert bad_inputs.right(CASE, ROW)
    assert not bad_inputs.right(CASE, {**ROW, **wrong})


def test_what_a_run_changed_or_left_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data, files that were there, new ones, half backups, temporary files, secrets, messages sent on."""
    project, temporary = tmp_path / "project", tmp_path / "temporary"
    for folder in (project / "reports", project / "backups" / "the-backup" / "redis.partial", temporary):
        folder.mkdir(parents=True)
    (project / "precious").write_text("changed", encoding="utf-8")
    (project / "core").touch()
    (project / "reports" / "journal").write_text(f"address: {SECRETS[0]}", encoding="utf-8")
    (temporary / "keys.sqlite").touch()
    monkeypatch.setattr(bad_inputs, "held", lambda _: {"redis": "2 keys", "rampgate_scratch_1.x": "1"})
    before = {"data": {"redis": "3 keys"}, "files": {"precious": b"mine"}, "temporary": {}}
    seen = World("", "", "", "", "", "", ["GET"])
    found = bad_inputs._changed(
        replace(CASE, whole=("mongodb",)), before, seen, project, temporary, f"said {SECRETS[3]}"
    )
    assert found == [
        "data: rampgate_scratch_1.x",
        "data: redis",
        "changed: precious",
        "new: core",
        "temporary: keys.sqlite",
        "backup: mongodb",
        "backup: redis.partial",
        "secret in reports/journal",
        "secret in what it printed",
        "the message was sent on: GET",
    ]
