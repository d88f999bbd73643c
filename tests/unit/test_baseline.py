from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import FakeClock

from rampgate.errors import EvidenceError
from rampgate.evidence import baseline, journal
from rampgate.model.measurement import Measurement
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from pathlib import Path


def run(reports: Path, name: str, at: float, **told: Any) -> Path:
    """A run of one check; ``ended`` says whether it came to its end, ``value`` what it measured."""
    folder = journal.start_run(reports, name)
    book = journal.Journal(folder, "main", Redactor(), FakeClock(at))
    book.write("header", stage=told.get("stage", "predeploy"), release={"environment": told.get("env", "e")})
    for check, value in (("predeploy/x", told.get("value", 1.0)), ("immediate/x", -1.0)):
        seen = Measurement("bundle_bytes", value=value, n=1, labels={"page": "p"})
        book.write("measurement", check=check, measurement=seen.to_json())
    if told.get("ended", True):
        book.write("end", status=told.get("status", 1))
    book.close()
    return folder


def test_newest_run_before_a_deploy_is_found(tmp_path: Path) -> None:
    """Of this environment and stage, by its time and not by its name, and with its own checks alone."""
    run(tmp_path, "z", 10, value=10.0)
    run(tmp_path, "a", 20, value=20.0)
    run(tmp_path, "elsewhere", 30, env="other")
    run(tmp_path, "after", 40, stage="deploy")
    found = baseline.newest(tmp_path, "e")
    assert found
    assert (found.run, found.time, [m.value for m in found.measurements]) == ("a", 20, [20.0])


def test_run_that_was_interrupted_is_no_baseline(tmp_path: Path) -> None:
    """Half of the numbers are not what the deploy is compared with; the run before is."""
    run(tmp_path, "whole", 10)
    run(tmp_path, "cut-short", 20, ended=False)
    found = baseline.newest(tmp_path, "e")
    assert found
    assert found.run == "whole"


def test_without_a_run_there_is_no_baseline(tmp_path: Path) -> None:
    """No reports, no folder, or only torn ones."""
    assert baseline.newest(tmp_path / "none", "e") is None
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "journal-main.jsonl").write_text('{"type": "hea', encoding="utf-8")
    assert baseline.newest(tmp_path, "e") is None


def test_broken_baseline_is_told(tmp_path: Path) -> None:
    """It is not passed over in silence for an older one."""
    run(tmp_path, "old", 10)
    path = run(tmp_path, "new", 20) / "journal-main.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], "{", *lines[2:], ""]), encoding="utf-8")
    with pytest.raises(EvidenceError, match="line 2 is not a record"):
        baseline.newest(tmp_path, "e")


def test_last_measurement_of_a_metric_counts() -> None:
    """The latest with these labels; none where nothing was measured."""
    one, two = (Measurement("m", value=value, labels={"page": "p"}) for value in (1.0, 2.0))
    found = baseline.Baseline("r", 0.0, (one, two, Measurement("m", value=3.0, labels={"page": "q"})))
    assert found.of("m", page="p") is two
    assert found.of("m", page="r") is None
    assert found.of("n") is None
