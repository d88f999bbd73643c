"""Runs that the version before recorded, judged by this one."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rampgate.errors import EvidenceError
from rampgate.evidence import renames
from rampgate.evidence.verdicts import judge
from rampgate.report import write_all

RECORDED = Path(__file__).parents[1] / "recorded"
RUNS = sorted(folder.name for folder in RECORDED.iterdir() if folder.is_dir())


@pytest.mark.parametrize("run", RUNS)
def test_a_recorded_run_is_decided_as_the_version_before_decided_it(run: str, tmp_path: Path) -> None:
    """The same outcome of each check, decision and exit code, and reports; folded requests are refused."""
    expected = _unpacked(run, tmp_path)
    if "refused" in expected:
        with pytest.raises(EvidenceError, match=expected["refused"]):
            judge(tmp_path)
        return
    verdict = judge(tmp_path)
    outcomes = {each.check: each.outcome.value if each.outcome else "never ran" for each in verdict.checks}
    names = {old: new for kind, old, new in renames.RENAMES if kind == "check"}
    assert outcomes == {names.get(check, check): outcome for check, outcome in expected["checks"].items()}
    assert verdict.decision.value == expected["decision"]
    assert verdict.decision.exit_code == expected["exit_code"]
    assert verdict.complete is expected["complete"]
    troubles: list[str] = []
    write_all(verdict, tmp_path, warn=troubles.append)
    assert troubles == []


def test_recorded_runs_cover_every_outcome_and_decision(tmp_path: Path) -> None:
    """Promote, hold and roll back; passed, skipped, undecided, error, failed, never ran; one refusal."""
    all_of_them = [_unpacked(run, tmp_path) for run in RUNS]
    judged = [expected for expected in all_of_them if "refused" not in expected]
    assert len(judged) == len(all_of_them) - 1 >= 20
    assert {expected["decision"] for expected in judged} == {"promote", "hold", "rollback"}
    outcomes = {outcome for expected in judged for outcome in expected["checks"].values()}
    assert outcomes == {"passed", "skipped", "undecided", "error", "failed", "never ran"}


def _unpacked(run: str, to: Path) -> dict[str, Any]:
    """Unpack a recorded run into a folder; return what is expected of it."""
    for file in sorted((RECORDED / run).iterdir()):
        if file.suffix == ".gz":
            (to / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        else:
            shutil.copy(file, to)
    expected: dict[str, Any] = json.loads((RECORDED / run / "expected.json").read_text(encoding="utf-8"))
    return expected
