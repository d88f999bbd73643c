from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from typing import TYPE_CHECKING

import pytest

from rampgate.config.settings import Settings
from rampgate.errors import RefusedError
from rampgate.evidence.lock import LOCK_VARIABLE, _described, _owner, running, target_lock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks of these tests lie in a folder of their own."""
    folder = tmp_path / "locks"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


TARGET = Settings.model_validate({"target": {"api": "http://127.0.0.1:5"}})
OTHER = Settings.model_validate({"target": {"api": "http://127.0.0.1:6"}})


def silent(_text: str) -> None:
    """Progress that is not shown."""


def test_a_second_run_on_a_target_is_refused_with_owner_and_age() -> None:
    """Two runs at once would measure each other; the refusal says whom to ask."""
    with target_lock(TARGET, "run-a", wait=False, progress=silent):
        with pytest.raises(RefusedError) as caught, target_lock(TARGET, "b", wait=False, progress=silent):
            pass
        assert re.fullmatch(
            r"this target is being measured by run run-a \(process \d+, since \d+ s\); wait .* --wait",
            str(caught.value),
        )


def test_another_target_is_another_lock() -> None:
    """Two deployments can be measured side by side."""
    with (
        target_lock(TARGET, "a", wait=False, progress=silent),
        target_lock(OTHER, "b", wait=False, progress=silent),
    ):
        pass


def test_a_process_of_the_run_measures_under_its_lock() -> None:
    """Who knows the token in the lock belongs to the run that holds it; there is one such at a time."""
    with target_lock(TARGET, "a", wait=False, progress=silent) as token:
        of_the_run = {LOCK_VARIABLE: token}
        with target_lock(TARGET, "a", wait=False, progress=silent, environ=of_the_run) as inner:
            assert inner != token
            for known in (of_the_run, {LOCK_VARIABLE: inner}):
                with (
                    pytest.raises(RefusedError, match="run a"),
                    target_lock(TARGET, "a", wait=False, progress=silent, environ=known),
                ):
                    pass
        with target_lock(TARGET, "a", wait=False, progress=silent, environ=of_the_run):
            pass


@pytest.mark.parametrize("token", ["", "guessed"])
def test_who_does_not_know_the_token_is_refused(token: str) -> None:
    """A variable left over in a shell lets nobody in."""
    with (
        target_lock(TARGET, "a", wait=False, progress=silent),
        pytest.raises(RefusedError, match="run a"),
        target_lock(TARGET, "b", wait=False, progress=silent, environ={LOCK_VARIABLE: token}),
    ):
        pass


def test_the_token_of_a_run_that_has_ended_is_worth_nothing() -> None:
    """Its process that outlived it takes the lock like anybody, and so keeps others out."""
    with target_lock(TARGET, "a", wait=False, progress=silent) as token:
        pass
    environ = {LOCK_VARIABLE: token}
    with (
        target_lock(TARGET, "a", wait=False, progress=silent, environ=environ),
        pytest.raises(RefusedError, match="run a"),
        target_lock(TARGET, "b", wait=False, progress=silent, environ=environ),
    ):
        pass


def test_one_address_is_one_target() -> None:
    """A load run asks the API alone, and still meets the stage that names the same address twice."""
    both = Settings.model_validate({"target": {"web": "http://127.0.0.1:5", "api": "http://127.0.0.1:5"}})
    with (
        target_lock(TARGET, "a", wait=False, progress=silent),
        pytest.raises(RefusedError),
        target_lock(both, "b", wait=False, progress=silent),
    ):
        pass


def test_the_lock_is_free_when_the_run_has_ended() -> None:
    """However it ended."""
    with pytest.raises(ZeroDivisionError), target_lock(TARGET, "a", wait=False, progress=silent):
        raise ZeroDivisionError
    with target_lock(TARGET, "b", wait=False, progress=silent):
        pass


def test_waiting_for_the_other_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``wait`` the second run says once whom it waits for, and begins when the first has ended."""
    said: list[str] = []
    polls: list[float] = []
    over = threading.Event()
    holding = threading.Event()

    def first() -> None:
        with target_lock(TARGET, "run-a", wait=False, progress=silent):
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
    with target_lock(TARGET, "run-b", wait=True, progress=said.append):
        assert len(polls) == 3
    assert len(said) == 1
    assert said[0].startswith("waiting for run run-a (process ")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"run": "a", "pid": 1, "since": "x"}'])
def test_an_owner_that_cannot_be_read_is_another_run(tmp_path: Path, content: str) -> None:
    """The refusal stands, even in the instant before the owner has written its name."""
    path = tmp_path / "a.lock"
    path.write_text(content, encoding="utf-8")
    assert _described(_owner(path)) == "another run"


def test_a_lock_folder_of_somebody_else_is_refused(locks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns the folder could delete the lock under us."""
    with target_lock(TARGET, "a", wait=False, progress=silent):
        pass
    folder = next(locks.iterdir())
    uid = folder.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    folder.rename(folder.with_name(f"rampgate-{uid + 1}"))
    with (
        pytest.raises(RefusedError, match="belongs to somebody else"),
        target_lock(TARGET, "a", wait=False, progress=silent),
    ):
        pass


def test_a_run_that_still_measures_is_known_by_its_id() -> None:
    """While it holds the lock its process is named; at its end none is, nor ever for another run."""
    with target_lock(TARGET, "run-a", wait=False, progress=silent):
        assert f"run run-a (process {os.getpid()}, since " in running("run-a")
        assert running("run-b") == ""
    assert running("run-a") == ""
