from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit import report_runs as runs

from rampgate.errors import EvidenceError
from rampgate.evidence import journal, renames
from rampgate.evidence.verdicts import judge
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from pathlib import Path


def rewritten(folder: Path, change: Any) -> None:
    """The run's journal with every record changed."""
    (path,) = folder.glob("journal-*.jsonl")
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps(change(record)) + "\n" for record in records), encoding="utf-8")


def previous(record: dict[str, Any]) -> dict[str, Any]:
    """The record as the version before wrote it."""
    former = {new: old for kind, old, new in renames.RENAMES if kind in {"key", "check"}}
    record = {former.get(key, key): value for key, value in record.items()}
    for part in [record, *record.get("plan", [])]:
        if "check" in part:
            part["check"] = former.get(part["check"], part["check"])
    return {**record, "schema": renames.PREVIOUS} if record["type"] == "header" else record


def test_a_journal_of_the_version_before_is_judged_as_it_was(tmp_path: Path) -> None:
    """Its fields have today's names when they are read, so that what was advisory stays so."""
    story = runs.Story(tmp_path, ["load/slices"])
    few = runs.errors(n=10, failures=0)
    story.judged("load/slices", few, "error_rate < 2%")
    story.ended("load/slices")
    story.end()
    why = {"advisory": True, "unreliable": "the generator was starved"}
    rewritten(tmp_path, lambda record: {**record, **why} if record["type"] == "judgement" else record)
    before = judge(tmp_path)
    assert before.decision is Decision.PROMOTE
    rewritten(tmp_path, previous)
    (path,) = tmp_path.glob("journal-*.jsonl")
    written = path.read_text(encoding="utf-8")
    assert '"lenient": true' in written
    assert "load/cells" in written
    assert "load/slices" not in written
    after = judge(tmp_path)
    assert (after.decision, after.checks) == (before.decision, before.checks)


@pytest.mark.parametrize("schema", [0, 3, "2", None])
def test_a_journal_of_an_unknown_schema_is_refused(tmp_path: Path, schema: object) -> None:
    """What this version may not know how to read is no evidence for it, and never a pass."""
    runs.promoted(tmp_path)
    rewritten(tmp_path, lambda r: {**r, "schema": schema} if r["type"] == "header" else r)
    with pytest.raises(EvidenceError, match=f"found a journal of schema {schema}; accepted are 1 and 2"):
        judge(tmp_path)


def test_folded_requests_of_the_version_before_are_refused_by_name(tmp_path: Path) -> None:
    """A load run that did not keep its requests one by one is not judged as if it had."""
    runs.promoted(tmp_path)
    (tmp_path / "load-7-folded.jsonl").touch()
    rewritten(tmp_path, previous)
    with pytest.raises(EvidenceError, match=r"load-7-folded\.jsonl: folded requests"):
        journal.read(tmp_path)


def test_every_kind_of_name_is_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics in thresholds too, labels, and settings however deep."""
    rows = (
        ("metric", "old_time", "new_time"),
        ("label", "cell", "slice"),
        ("setting", "needs", "depends_on"),
    )
    monkeypatch.setattr(renames, "RENAMES", rows)
    found = renames.renamed(
        [
            {"type": "header", "schema": 1, "settings": {"endpoints": [{"needs": ["redis"]}]}},
            {"type": "measurement", "measurement": {"metric": "old_time", "labels": {"cell": "a"}}},
            {
                "type": "judgement",
                "threshold": {"metric": "old_time", "source": "old_time_p95 < 5", "min_n": 0},
            },
        ]
    )
    assert found[0]["settings"] == {"endpoints": [{"depends_on": ["redis"]}]}
    assert found[1]["measurement"] == {"metric": "new_time", "labels": {"slice": "a"}}
    assert found[2]["threshold"] == {"metric": "new_time", "source": "new_time_p95 < 5", "min_n": 0}
