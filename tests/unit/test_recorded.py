"""Runs that the version before recorded, judged by this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.recorded_runs import ALL, expected, unpack

from rampgate.errors import EvidenceError
from rampgate.evidence import renames
from rampgate.evidence.verdicts import judge
from rampgate.report import write_all

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("run", ALL)
def test_a_recorded_run_is_decided_as_the_version_before_decided_it(run: str, tmp_path: Path) -> None:
    """The same outcome of each check, decision and exit code, and reports; folded requests are refused."""
    unpack(run, tmp_path)
    before = expected(run)
    if "refused" in before:
        with pytest.raises(EvidenceError, match=before["refused"]):
            judge(tmp_path)
        return
    verdict = judge(tmp_path)
    outcomes = {each.check: each.outcome.value if each.outcome else "never ran" for each in verdict.checks}
    names = {old: new for kind, old, new in renames.RENAMES if kind == "check"}
    assert outcomes == {names.get(check, check): outcome for check, outcome in before["checks"].items()}
    assert verdict.decision.value == before["decision"]
    assert verdict.decision.exit_code == before["exit_code"]
    assert verdict.complete is before["complete"]
    troubles: list[str] = []
    write_all(verdict, tmp_path, warn=troubles.append)
    assert troubles == []


def test_recorded_runs_cover_every_outcome_and_decision() -> None:
    """Promote, hold and roll back; passed, skipped, undecided, error, failed, never ran; one refusal."""
    all_of_them = [expected(run) for run in ALL]
    judged = [before for before in all_of_them if "refused" not in before]
    assert len(judged) == len(all_of_them) - 1 >= 20
    assert {before["decision"] for before in judged} == {"promote", "hold", "rollback"}
    outcomes = {outcome for before in judged for outcome in before["checks"].values()}
    assert outcomes == {"passed", "skipped", "undecided", "error", "failed", "never ran"}
