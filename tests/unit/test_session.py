from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import FakeClock

from rampgate.config import plan, policy
from rampgate.config.settings import Settings
from rampgate.errors import EvidenceError
from rampgate.evidence import journal, session
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from pathlib import Path


def setup(tmp_path: Path, *secrets: str, tests: int = 20, **settings: Any) -> session.Setup:
    """What a run of the immediate stage is made of."""
    read = Settings.model_validate({"reports": str(tmp_path / "reports"), **settings})
    return session.Setup(
        stage="immediate",
        settings=read,
        redactor=Redactor(secrets),
        policy=policy.build(read),
        plan=plan.make("immediate", read),
        tests=tests,
        invocation=["pytest", "-m", "immediate"],
    )


def test_a_run_is_named_by_its_start_or_by_the_environment() -> None:
    """RAMPGATE_RUN joins invocations; without it each is a run of its own."""
    assert session.name_run({"RAMPGATE_RUN": "release-7"}) == "release-7"
    assert session.name_run({}, clock=FakeClock(0.0)).startswith("19700101T000000Z-")
    assert session.name_run({"RAMPGATE_RUN": ""}, clock=FakeClock(0.0)).startswith("1970")


def test_a_joined_run_is_the_same_folder(tmp_path: Path) -> None:
    """Both invocations write into it."""
    runs = [session.start(setup(tmp_path), "release-7", "main") for _ in range(2)]
    assert [run.id for run in runs] == ["release-7"] * 2
    assert {run.folder for run in runs} == {(tmp_path / "reports" / "release-7").resolve()}
    assert len(journal.read(runs[0].folder)[0]) == 2


def test_a_strange_name_of_a_run_is_refused(tmp_path: Path) -> None:
    """It would become a folder somewhere else."""
    with pytest.raises(EvidenceError, match="RAMPGATE_RUN"):
        session.start(setup(tmp_path), "../x", "main")


def test_the_budget_of_false_failures_is_shared(tmp_path: Path) -> None:
    """One in a thousand per run, a tenth of it kept for a user's checks, split over all tests of chance."""
    assert setup(tmp_path, tests=20).alpha_fail == pytest.approx(4.5e-5)
    assert setup(tmp_path, tests=0).alpha_fail == pytest.approx(9e-4)


@pytest.mark.parametrize(("stage", "children"), [("extended", 2), ("predeploy", 1), ("immediate", 0)])
def test_the_parts_of_a_stage_share_one_budget(tmp_path: Path, stage: str, children: int) -> None:
    """A stage, the load and the watch within it fail a healthy deployment once in 1,000 runs together."""
    parts = [replace(setup(tmp_path), stage=stage)]
    parts += [replace(setup(tmp_path), stage=kind, within=stage) for kind in ("load", "watch")[:children]]
    assert sum(part.false_fail for part in parts) == pytest.approx(1e-3)
    assert parts[-1].alpha_fail < parts[-1].false_fail


def test_tests_that_may_end_the_run_have_half_of_the_budget(tmp_path: Path) -> None:
    """The header says both chances, and only where there are such tests."""
    made = replace(setup(tmp_path, tests=20), abort_tests=2)
    assert [made.alpha_fail, made.alpha_abort] == pytest.approx([2.5e-5, 2.5e-4])
    run = session.start(made, "run-1", "main", clock=FakeClock())
    (header,), _ = journal.read(run.folder)
    assert header["chance"] == {
        "false_fail_per_run": 1e-3,
        "tests": 20,
        "alpha_fail": 2.5e-5,
        "alpha_pass": 1e-3,
        "abort_tests": 2,
        "alpha_abort": 2.5e-4,
    }


def test_the_time_budget_begins_with_the_run_and_is_shared(tmp_path: Path) -> None:
    """A worker keeps the deadline that its controller has, instead of a later one of its own."""
    made = setup(tmp_path, stages={"immediate": {"budget": "2m"}})
    clock = FakeClock(1_000.0)
    run = session.open_journal(made, tmp_path, "main", clock=clock)
    worker = session.open_journal(made, tmp_path, "gw0", clock=clock, deadline=run.deadline - 60)
    clock.time += 60
    assert (run.over_budget, worker.over_budget) == (False, True)
    clock.time += 60
    assert run.over_budget


def test_the_header_says_what_is_asked(tmp_path: Path) -> None:
    """Target, release, plan, chance, settings: all that the verdict and a reader need, and no secret."""
    made = setup(
        tmp_path,
        "hunter22",
        target={"name": "shop", "api": "http://127.0.0.1:5", "admin_token": "hunter22"},
        percentage=25,
        version={"expected": "1.4.0"},
        stages={"immediate": {"require": ["redis"]}},
    )
    run = session.start(made, "run-1", "main", clock=FakeClock())
    (header,), _ = journal.read(run.folder)
    assert header["run"] == "run-1"
    assert header["release"] == {"environment": "production", "version": "1.4.0", "percentage": 25}
    assert header["target"]["api"] == "http://127.0.0.1:5"
    assert header["require"] == ["redis"]
    assert header["chance"] == {
        "false_fail_per_run": 1e-3,
        "tests": 20,
        "alpha_fail": pytest.approx(4.5e-5),
        "alpha_pass": 1e-3,
    }
    assert {"check": "immediate/health::service_is_up[api]", "required": True} in header["plan"]
    assert "hunter22" not in json.dumps(header)


def test_the_header_names_steps_and_is_followed_by_what_a_reader_must_know(tmp_path: Path) -> None:
    """Steps stand in the header, where there are any; notes are events, which every report shows."""
    made = setup(tmp_path)
    run = session.start(made, "a", "main", clock=FakeClock())
    (header,), _ = journal.read(run.folder)
    assert "steps" not in header
    made = replace(made, steps=["backend"], notes=["not installed: prometheus"])
    other = session.start(made, "b", "main", clock=FakeClock())
    (header, event), _ = journal.read(other.folder)
    assert header["steps"] == ["backend"]
    assert (event["type"], event["text"]) == ("event", "not installed: prometheus")


def test_the_header_says_where_the_bars_of_a_report_end(tmp_path: Path) -> None:
    """latency_buckets of production-monitoring.yml, which a report cannot read where it is made."""
    (tmp_path / "m.yml").write_text("monitoring: {api_performance: {latency_buckets: [50, 100]}}", "utf-8")
    run = session.start(setup(tmp_path, policy=tmp_path / "m.yml"), "a", "main", clock=FakeClock())
    assert journal.read(run.folder)[0][0]["latency_buckets"] == [50.0, 100.0]


@pytest.mark.parametrize("program", ["/venv/bin/pytest", "/venv/lib/pytest/__main__.py"])
def test_what_was_typed_names_the_program_alone(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """``pytest`` and ``python -m pytest`` are both pytest, and no path of the machine is told."""
    monkeypatch.setattr(sys, "argv", [program, "-m", "predeploy"])
    assert session.invocation() == ["pytest", "-m", "predeploy"]


def test_each_writer_has_a_name_of_its_own() -> None:
    """Even two in one process."""
    assert session.process_name("main") != session.process_name("main")
