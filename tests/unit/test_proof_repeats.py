"""Whether the proof of repeated runs would see what it says that it looks for."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from proofs import leftovers, repeats

if TYPE_CHECKING:
    from pathlib import Path

NOTHING: dict[str, list[str]] = {
    "mongodb": ["local"],
    "redis": [],
    "processes": [],
    "orphans": [],
    "files": [],
}
OWN = "0:pharmapilot_reference:"


@pytest.mark.parametrize(
    ("what", "names", "told"),
    [
        ("mongodb", ["local", "rampgate_scratch_1"], ["mongodb: rampgate_scratch_1"]),
        ("redis", ["0:rampgate:1", f"{OWN}session"], ["redis: 0:rampgate:1"]),
        ("redis", ["3:anything"], ["redis: 3:anything"]),
        ("redis", [f"{OWN}rampgate_scratch"], [f"redis: {OWN}rampgate_scratch"]),
        ("redis", [f"{OWN}session"], []),
        ("processes", ["process 1 (chromium)"], ["processes: process 1 (chromium)"]),
        ("orphans", ["process 2 (chromium)"], ["orphans: process 2 (chromium)"]),
        ("files", ["TMPDIR/.org.chromium"], ["files: TMPDIR/.org.chromium"]),
    ],
)
def test_what_is_new_after_a_run_is_left_by_it(what: str, names: list[str], told: list[str]) -> None:
    """Databases, keys, processes and files that were not there; the deployment's own keys may come."""
    assert repeats.left(NOTHING, {**NOTHING, what: names}) == told
    assert repeats.left({**NOTHING, what: names}, {**NOTHING, what: names}) == [
        each for each in told if each.startswith(f"redis: {OWN}")
    ]


def test_files_that_a_run_is_there_to_write_are_none_that_it_leaves(tmp_path: Path) -> None:
    """Reports, whole backups, pictures, caches and locks stay; a half backup and all else are named."""
    project, temporary = tmp_path / "project", tmp_path / "temporary"
    for path in (
        project / "reports" / "1" / "verdict.json",
        project / "backups" / "one" / "mongodb" / "SHA256SUMS",
        project / "backups" / "one" / "redis.partial" / "keys",
        project / "visual-baselines" / "page.png",
        project / ".pytest_cache" / "x",
        project / "core",
        temporary / f"rampgate-{os.getuid()}" / "x.lock",
        temporary / "keys.sqlite",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert leftovers.files(project, temporary) == [
        "backups/one/redis.partial",
        "backups/one/redis.partial/keys",
        "core",
        "TMPDIR/keys.sqlite",
    ]


def test_processes_that_descend_from_one_are_seen() -> None:
    """A grandchild is seen while it runs, and not when it has ended."""
    child = "import subprocess; subprocess.run(['sleep', '60'])"
    with subprocess.Popen([sys.executable, "-c", child]) as process:
        while "sleep 60" not in leftovers.descendants(process.pid).values():
            assert process.poll() is None
        (grandchild,) = leftovers.descendants(process.pid)
        assert leftovers.descendants(os.getpid()).keys() >= {process.pid, grandchild}
        os.kill(grandchild, 15)
    assert not leftovers.descendants(os.getpid()).keys() & {process.pid, grandchild}


@pytest.mark.parametrize(
    ("wrong", "same", "right"),
    [
        ({}, True, True),
        ({"verdict": "hold"}, True, False),
        ({"leftovers": ["files: core"]}, True, False),
        ({"checks": {"a": "failed"}}, False, False),
        ({"checks": {}}, False, False),
    ],
)
def test_a_row_is_right_when_it_is_as_the_first_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], same: bool, right: bool
) -> None:
    """Another verdict, another outcome, a missing check, something left: each spoils the second run."""
    good = {"verdict": "promote", "leftovers": [], "checks": {"a": "passed"}}
    answers = iter([dict(good), {**good, **wrong}, dict(good)])
    monkeypatch.setattr(repeats, "run", lambda *_: next(answers))
    rows = list(repeats.repeated("predeploy", ["-m", "predeploy"], None))  # type: ignore[arg-type]  # not used
    assert [row["run"] for row in rows] == ["predeploy, first", "predeploy, again", "predeploy, -n 2"]
    assert [row["same"] for row in rows] == [True, same, True]
    assert [row["right"] for row in rows] == [True, right, True]
