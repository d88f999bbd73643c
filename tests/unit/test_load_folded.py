from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.load_runs import ACCOUNTS, Running, settings

from rampgate.load import folded
from rampgate.load.times import OFF, ON

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.judging import results


def measured(folder: Path, *, failing: int = 1) -> tuple[results.Verdict, Running]:
    """The same run every time: two cohorts, some failures, some slow answers, two processes."""
    told = settings(folder, load={"accounts": {"pattern": "u{n}@example.test"}, "abort": "off"}, **ACCOUNTS)
    running = Running(told)
    running.join("worker1")
    running.join("worker2")
    for second in range(1, 47):
        running.go_on(second, ms=1000.0 if second % 20 == 0 else second, failing=failing, cohorts=(ON, OFF))
    return running.end(), running


def numbers(decided: results.Verdict) -> dict[Any, Any]:
    """Everything that a judgement rests on."""
    return {
        (result.check, j.name, *j.labels.values()): (j.n, j.outcome, j.needed)
        for result in decided.checks
        for j in result.judgements
    }


@pytest.mark.parametrize("raw", [0, 1_000, 3_000])
def test_a_folded_run_is_judged_on_the_same_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: int
) -> None:
    """All, most or some requests folded: every cell has the counts and the outcomes of the raw run."""
    whole, _ = measured(tmp_path / "raw")
    monkeypatch.setattr(folded, "RAW_ROWS", raw)
    monkeypatch.setattr(folded, "WRITE_EVERY", 500)
    decided, running = measured(tmp_path / "folded")
    assert numbers(decided) == numbers(whole)
    (file,) = running.folder.glob("load-*-folded.jsonl")
    assert len(file.read_text(encoding="utf-8").splitlines()) > 3
    p95 = {j.name: j.measured for r in decided.checks for j in r.judgements if r.check == "load/whole run"}
    exact = {j.name: j.measured for r in whole.checks for j in r.judgements if r.check == "load/whole run"}
    assert p95 == pytest.approx(exact, rel=0.006), "shown from the histogram, to half a percent"


def test_folds_keep_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the set size no raw row is written any more."""
    monkeypatch.setattr(folded, "RAW_ROWS", 1_000)
    _, running = measured(tmp_path)
    (first, second) = sorted(running.folder.glob("load-*worker?.bin"))
    monkeypatch.undo()
    _, whole = measured(tmp_path / "raw")
    (raw, _) = sorted(whole.folder.glob("load-*worker?.bin"))
    assert first.stat().st_size + second.stat().st_size < raw.stat().st_size / 3


def test_a_fold_that_cannot_be_written_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests are missed, and the run says so."""
    monkeypatch.setattr(folded, "RAW_ROWS", 1_000)
    monkeypatch.setattr(folded, "WRITE_EVERY", 1)
    told = settings(tmp_path, load={"abort": "off"})
    running = Running(told)
    running.go_on(20)
    running.run._folded._path = tmp_path / "missing" / "folded.jsonl"
    running.go_on(46)
    running.run._folded._path = tmp_path / "folded.jsonl"
    decided = running.end()
    assert any("were lost: folded.jsonl: cannot be written" in reason for reason in decided.reasons)
