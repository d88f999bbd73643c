from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.fakes import FakeClock

from rampgate.config import plan, policy
from rampgate.config.settings import Settings
from rampgate.errors import EvidenceError, RefusedError
from rampgate.evidence import journal, session
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks of these tests lie in a folder of their own."""
    folder = tmp_path / "locks"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


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


TARGET = Settings.model_validate({"target": {"api": "http://127.0.0.1:5"}})
OTHER = Settings.model_validate({"target": {"api": "http://127.0.0.1:6"}})


def silent(_text: str) -> None:
    """Say nothing."""


def test_a_second_run_on_a_target_is_refused_with_owner_and_age() -> None:
    """Two runs at once would measure each other; the refusal says whom to ask."""
    with session.measuring(TARGET, "run-a", wait=False, say=silent):
        with pytest.raises(RefusedError) as caught, session.measuring(TARGET, "b", wait=False, say=silent):
            pass
        assert re.fullmatch(
            r"this target is being measured by run run-a \(process \d+, since \d+ s\); wait .* --wait",
            str(caught.value),
        )


def test_another_target_is_another_lock() -> None:
    """Two deployments can be measured side by side."""
    with (
        session.measuring(TARGET, "a", wait=False, say=silent),
        session.measuring(OTHER, "b", wait=False, say=silent),
    ):
        pass


def test_a_process_of_the_run_measures_under_its_lock() -> None:
    """Who knows the word in the lock belongs to the run that holds it; there is one such at a time."""
    with session.measuring(TARGET, "a", wait=False, say=silent) as word:
        of_the_run = {session.LOCK_VARIABLE: word}
        with session.measuring(TARGET, "a", wait=False, say=silent, environ=of_the_run) as inner:
            assert inner != word
            for known in (of_the_run, {session.LOCK_VARIABLE: inner}):
                with (
                    pytest.raises(RefusedError, match="run a"),
                    session.measuring(TARGET, "a", wait=False, say=silent, environ=known),
                ):
                    pass
        with session.measuring(TARGET, "a", wait=False, say=silent, environ=of_the_run):
            pass


@pytest.mark.parametrize("word", ["", "guessed"])
def test_who_does_not_know_the_word_is_refused(word: str) -> None:
    """A variable left over in a shell lets nobody in."""
    with (
        session.measuring(TARGET, "a", wait=False, say=silent),
        pytest.raises(RefusedError, match="run a"),
        session.measuring(TARGET, "b", wait=False, say=silent, environ={session.LOCK_VARIABLE: word}),
    ):
        pass


def test_the_word_of_a_run_that_has_ended_is_worth_nothing() -> None:
    """Its process that outlived it takes the lock like anybody, and so keeps others out."""
    with session.measuring(TARGET, "a", wait=False, say=silent) as word:
        pass
    environ = {session.LOCK_VARIABLE: word}
    with (
        session.measuring(TARGET, "a", wait=False, say=silent, environ=environ),
        pytest.raises(RefusedError, match="run a"),
        session.measuring(TARGET, "b", wait=False, say=silent, environ=environ),
    ):
        pass


def test_one_address_is_one_target() -> None:
    """A load run asks the API alone, and still meets the stage that names the same address twice."""
    both = Settings.model_validate({"target": {"web": "http://127.0.0.1:5", "api": "http://127.0.0.1:5"}})
    with (
        session.measuring(TARGET, "a", wait=False, say=silent),
        pytest.raises(RefusedError),
        session.measuring(both, "b", wait=False, say=silent),
    ):
        pass


def test_the_lock_is_free_when_the_run_has_ended() -> None:
    """However it ended."""
    with pytest.raises(ZeroDivisionError), session.measuring(TARGET, "a", wait=False, say=silent):
        raise ZeroDivisionError
    with session.measuring(TARGET, "b", wait=False, say=silent):
        pass


def test_waiting_for_the_other_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``wait`` the second run says once whom it waits for, and begins when the first has ended."""
    said: list[str] = []
    polls: list[float] = []
    over = threading.Event()
    holding = threading.Event()

    def first() -> None:
        with session.measuring(TARGET, "run-a", wait=False, say=silent):
            holding.set()
            over.wait(10)

    def poll(seconds: float) -> None:
        polls.append(seconds)
        if len(polls) == 3:
            over.set()
            holder.join()

    monkeypatch.setattr(time, "sleep", poll)
    holder = threading.Thread(target=first)
    holder.start()
    assert holding.wait(10)
    with session.measuring(TARGET, "run-b", wait=True, say=said.append):
        assert len(polls) == 3
    assert len(said) == 1
    assert said[0].startswith("waiting for run run-a (process ")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"run": "a", "pid": 1, "since": "x"}'])
def test_an_owner_that_cannot_be_read_is_another_run(tmp_path: Path, content: str) -> None:
    """The refusal stands, even in the instant before the owner has written its name."""
    path = tmp_path / "a.lock"
    path.write_text(content, encoding="utf-8")
    assert session._owner(path) == "another run"


def test_a_lock_folder_of_somebody_else_is_refused(locks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns the folder could delete the lock under us."""
    with session.measuring(TARGET, "a", wait=False, say=silent):
        pass
    folder = next(locks.iterdir())
    uid = folder.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    folder.rename(folder.with_name(f"rampgate-{uid + 1}"))
    with (
        pytest.raises(RefusedError, match="belongs to somebody else"),
        session.measuring(TARGET, "a", wait=False, say=silent),
    ):
        pass


def test_a_run_is_named_by_its_start_or_by_the_environment() -> None:
    """RAMPGATE_RUN joins invocations; without it each is a run of its own."""
    assert session.name_run({"RAMPGATE_RUN": "release-7"}) == "release-7"
    assert session.name_run({}, clock=FakeClock(0.0)).startswith("19700101T000000Z-")
    assert session.name_run({"RAMPGATE_RUN": ""}, clock=FakeClock(0.0)).startswith("1970")


def test_a_joined_run_is_the_same_folder(tmp_path: Path) -> None:
    """Both invocations write into it."""
    environ = {"RAMPGATE_RUN": "release-7"}
    first = session.begin(setup(tmp_path), environ=environ)
    assert session.begin(setup(tmp_path), environ=environ) == first
    assert first == ("release-7", (tmp_path / "reports" / "release-7").resolve())


def test_a_strange_name_of_a_run_is_refused(tmp_path: Path) -> None:
    """It would become a folder somewhere else."""
    with pytest.raises(EvidenceError, match="RAMPGATE_RUN"):
        session.begin(setup(tmp_path), environ={"RAMPGATE_RUN": "../x"})


def test_the_budget_of_false_failures_is_shared(tmp_path: Path) -> None:
    """One in a thousand per run, split over all tests of chance; with none, nothing is divided by zero."""
    assert setup(tmp_path, tests=20).alpha_fail == pytest.approx(5e-5)
    assert setup(tmp_path, tests=0).alpha_fail == pytest.approx(1e-3)


def test_tests_that_may_end_the_run_have_half_of_the_budget(tmp_path: Path) -> None:
    """The header says both chances, and only where there are such tests."""
    made = replace(setup(tmp_path, tests=20), abort_tests=2)
    assert [made.alpha_fail, made.alpha_abort] == pytest.approx([2.5e-5, 2.5e-4])
    session.write_header(session.open_journal(made, "run-1", tmp_path, "main", clock=FakeClock()), made)
    (header,), _ = journal.read(tmp_path)
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
    run = session.open_journal(made, "a", tmp_path, "main", clock=clock)
    worker = session.open_journal(made, "a", tmp_path, "gw0", clock=clock, deadline=run.deadline - 60)
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
    run = session.open_journal(made, "run-1", tmp_path, "main", clock=FakeClock())
    session.write_header(run, made)
    (header,), _ = journal.read(tmp_path)
    assert header["run"] == "run-1"
    assert header["release"] == {"environment": "production", "version": "1.4.0", "percentage": 25}
    assert header["target"]["api"] == "http://127.0.0.1:5"
    assert header["require"] == ["redis"]
    assert header["chance"] == {
        "false_fail_per_run": 1e-3,
        "tests": 20,
        "alpha_fail": 5e-5,
        "alpha_pass": 1e-3,
    }
    assert {"check": "immediate/health::service_is_up[api]", "required": True} in header["plan"]
    assert "hunter22" not in json.dumps(header)


def test_the_header_names_steps_and_is_followed_by_what_a_reader_must_know(tmp_path: Path) -> None:
    """Steps stand in the header, where there are any; notes are events, which every report shows."""
    made = setup(tmp_path)
    session.write_header(session.open_journal(made, "a", tmp_path, "main", clock=FakeClock()), made)
    (header,), _ = journal.read(tmp_path)
    assert "steps" not in header
    other = tmp_path / "other"
    other.mkdir()
    made = replace(made, steps=["backend"], notes=["not installed: prometheus"])
    session.write_header(session.open_journal(made, "b", other, "main", clock=FakeClock()), made)
    (header, event), _ = journal.read(other)
    assert header["steps"] == ["backend"]
    assert (event["type"], event["text"]) == ("event", "not installed: prometheus")


@pytest.mark.parametrize("program", ["/venv/bin/pytest", "/venv/lib/pytest/__main__.py"])
def test_what_was_typed_names_the_program_alone(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """``pytest`` and ``python -m pytest`` are both pytest, and no path of the machine is told."""
    monkeypatch.setattr(sys, "argv", [program, "-m", "predeploy"])
    assert session.invocation() == ["pytest", "-m", "predeploy"]


def test_each_writer_has_a_name_of_its_own() -> None:
    """Even two in one process."""
    assert session.process_name("main") != session.process_name("main")
