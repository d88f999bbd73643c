from __future__ import annotations

import os
import re
import stat
import tempfile
import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from rampgate.config.settings import Settings
from rampgate.errors import RefusedError
from rampgate.evidence.lock import LOCK_VARIABLE, _described, _owner, lock_folder, running, target_lock
from rampgate.stage.login_session import signing_in

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


def test_other_accounts_of_the_machine_meet_the_same_lock(locks: Path) -> None:
    """Whoever measures there: folder and files are everybody's, and a token cannot be read out of them."""
    with target_lock(TARGET, "a", wait=False, progress=silent) as token:
        (folder,) = locks.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o666}
        assert all(token not in path.read_text(encoding="utf-8") for path in folder.iterdir())


@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_a_lock_folder_that_hides_a_lock_is_refused(locks: Path, mode: int) -> None:
    """One that is closed to others, or in which everybody may take a lock away under us."""
    (locks / "rampgate-locks").mkdir()
    (locks / "rampgate-locks").chmod(mode)
    with (
        pytest.raises(RefusedError, match="no folder with mode 1777"),
        target_lock(TARGET, "a", wait=False, progress=silent),
    ):
        pass


def test_a_link_in_place_of_a_lock_is_refused(locks: Path, tmp_path: Path) -> None:
    """Nothing of somebody else's is written to, whoever has put a link there."""
    with target_lock(TARGET, "a", wait=False, progress=silent):
        pass
    (tmp_path / "kept").write_text("kept", encoding="utf-8")
    for path in (locks / "rampgate-locks").iterdir():
        path.unlink()
        path.symlink_to(tmp_path / "kept")
    with (
        pytest.raises(RefusedError, match="no lock can be kept there"),
        target_lock(TARGET, "a", wait=False, progress=silent),
    ):
        pass
    assert (tmp_path / "kept").read_text(encoding="utf-8") == "kept"


@pytest.mark.parametrize(
    ("target", "meets"),
    [
        ({"api": "http://127.0.0.1:5/sub/path"}, True),
        ({"api": "http://LOCALHOST:5/"}, True),
        ({"api": "http://localhost.:5"}, True),
        ({"api": "https://127.1:5"}, True),
        ({"api": "http://[::ffff:127.0.0.1]:5"}, True),
        ({"web": "http://127.0.0.1:6", "api": "http://localhost:5"}, True),
        ({"api": "http://127.0.0.2:5"}, False),
        ({"api": "http://127.0.0.1"}, False),
    ],
)
def test_a_target_is_what_its_address_resolves_to(target: dict[str, str], meets: bool) -> None:
    """However it is written, and whatever else a run asks beside it."""
    other = Settings.model_validate({"target": target})
    refused = pytest.raises(RefusedError, match="run a") if meets else nullcontext()
    with (
        target_lock(TARGET, "a", wait=False, progress=silent),
        refused,
        target_lock(other, "b", wait=False, progress=silent),
    ):
        pass


def test_the_default_port_is_a_port() -> None:
    """With it or without it is one address."""
    plain, with_port = (
        Settings.model_validate({"target": {"api": f"http://127.0.0.1{port}"}}) for port in ("", ":80")
    )
    with (
        target_lock(plain, "a", wait=False, progress=silent),
        pytest.raises(RefusedError, match="run a"),
        target_lock(with_port, "b", wait=False, progress=silent),
    ):
        pass


def test_a_run_that_still_measures_is_known_by_its_id() -> None:
    """While it holds the lock its process is named; at its end none is, nor ever for another run."""
    with target_lock(TARGET, "run-a", wait=False, progress=silent):
        assert f"run run-a (process {os.getpid()}, since " in running("run-a")
        assert running("run-b") == ""
    assert running("run-a") == ""


def test_every_account_may_take_its_turn_to_sign_in() -> None:
    """Another account of this machine signs in after us: it must be able to open what it waits for."""
    with signing_in():
        (turn,) = lock_folder().glob("sign-in.lock")
    assert stat.S_IMODE(turn.stat().st_mode) == 0o666
