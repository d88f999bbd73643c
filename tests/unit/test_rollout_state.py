"""What a rollout remembers, who may act, and which command may follow which state."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rampgate.errors import ConfigurationError, EvidenceError
from rampgate.rollout.records import Holder, Rollout, Step, StepStatus, born
from rampgate.rollout.state import HeldError, OvertakenError, RolloutState
from rampgate.rollout.transitions import Command, Status, after

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0
BEGUN = Rollout(("a", "b"), "1.2", Status.RUNNING, 5.0, NOW, "ada", NOW, NOW, 60.0)
STEP = Step(1, "advance", 5.0, 15.0, "ada", "soak over", 1, NOW, evidence={"immediate": "run-1"})


def opened(folder: Path) -> RolloutState:
    """The file of a rollout."""
    return RolloutState(folder / "rollout.sqlite")


def holder(what: str = "advance") -> Holder:
    """This process."""
    return Holder.here(what, "ada", NOW)


def test_what_was_written_is_read_by_the_next_process(tmp_path: Path) -> None:
    """A rollout and its steps, with their numbers, as they were written last."""
    with opened(tmp_path) as state, state.transaction():
        rollout = state.write(BEGUN)
        step = state.note(STEP)
        state.note(replace(step, status=StepStatus.ACTED, calls=({"actuator": "store"},)))
    with opened(tmp_path) as state:
        assert state.current() == replace(BEGUN, id=rollout.id)
        (found,) = state.steps()
        assert found == state.unfinished()
        assert (found.id, found.status, found.calls) == (step.id, StepStatus.ACTED, ({"actuator": "store"},))
        with state.transaction():
            state.note(replace(found, status=StepStatus.DONE))
        assert state.unfinished() is None


def test_what_is_not_committed_never_was(tmp_path: Path) -> None:
    """An exception between two writes leaves neither."""
    with opened(tmp_path) as state:
        with suppress(ZeroDivisionError), state.transaction():
            state.write(BEGUN)
            _ = 1 / 0
        assert state.current() is None


def test_one_holder_at_a_time_and_the_other_is_refused_by_name(tmp_path: Path) -> None:
    """Who acts, since when, and in which process."""
    with opened(tmp_path) as state, opened(tmp_path) as other:
        token, before = state.take(holder())
        assert before is None
        with pytest.raises(HeldError, match=rf"advance by ada \(pid {os.getpid()} on .* ago\)"):
            other.take(holder("advance")._replace(at=NOW + 5))
        state.leave(token)
        assert other.take(holder())[0] == token + 1


def test_an_emergency_overtakes_and_whoever_was_overtaken_changes_nothing_more(tmp_path: Path) -> None:
    """The token grows, and the older one is refused from then on, whatever its holder still does."""
    with opened(tmp_path) as state, opened(tmp_path) as other:
        token, _ = state.take(holder())
        newer, before = other.take(holder("rollback --emergency"), pre_empts=True)
        assert newer > token
        assert before is not None
        assert before.what == "advance"
        for act in (state.check, lambda old: state.renew(old, holder())):
            with pytest.raises(OvertakenError, match="overtaken by rollback --emergency"):
                act(token)
        state.leave(token)
        other.check(newer)
        assert other.holder() is not None, "the lease of another is not given back"


def test_a_holder_that_died_holds_nothing(tmp_path: Path) -> None:
    """A kill leaves no lock; a pid that another process has by now is not taken for the holder."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        gone = holder()._replace(pid=process.pid, born=born(process.pid) or 0)
        with opened(tmp_path) as state:
            state.take(gone)
            with pytest.raises(HeldError):
                state.take(holder())
        process.kill()
    with opened(tmp_path) as state:
        state.take(holder())
        state.take(holder()._replace(born=1), pre_empts=True)
        state.take(holder())


def test_a_holder_on_another_machine_is_believed_for_a_while() -> None:
    """Its process cannot be asked, so that its last sign of life decides."""
    elsewhere = holder()._replace(host="another")
    assert elsewhere.alive(NOW + 599)
    assert not elsewhere.alive(NOW + 601)
    assert not elsewhere.is_here


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """Nothing of it is changed."""
    with opened(tmp_path) as state:
        state.connection.execute("PRAGMA user_version = 99")
    with pytest.raises(EvidenceError, match=r"is of a newer rampgate \(version 99, here 1\)"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("command", "status", "follows"),
    [
        (Command.START, None, Status.RUNNING),
        (Command.START, Status.ROLLED_BACK, Status.RUNNING),
        (Command.ADVANCE, Status.RUNNING, Status.RUNNING),
        (Command.PAUSE, Status.RUNNING, Status.PAUSED),
        (Command.RESUME, Status.PAUSED, Status.RUNNING),
        (Command.GRADUAL, Status.PAUSED, Status.ROLLING_BACK),
        (Command.EMERGENCY, Status.UNCERTAIN, Status.ROLLED_BACK),
        (Command.EMERGENCY, Status.ROLLED_BACK, Status.ROLLED_BACK),
    ],
)
def test_a_command_leads_from_one_state_to_the_next(
    command: Command, status: Status | None, follows: Status
) -> None:
    """An emergency is heeded wherever a rollout stands."""
    assert after(command, status) is follows


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        (Command.ADVANCE, None, "there is no rollout; accepted then: start"),
        (Command.ADVANCE, Status.PAUSED, "the rollout is paused; accepted then: resume, rollback"),
        (Command.ADVANCE, Status.ROLLING_BACK, "accepted then: rollback --gradual, rollback --emergency"),
        (Command.ADVANCE, Status.UNCERTAIN, "the rollout is uncertain; accepted then: rollback --emergency"),
        (Command.START, Status.RUNNING, "the rollout is running; accepted then: advance, pause"),
        (Command.PAUSE, None, "there is no rollout; accepted then: start, rollback --emergency"),
    ],
)
def test_a_command_that_cannot_follow_says_which_can(
    command: Command, status: Status | None, says: str
) -> None:
    """Nothing moves up from a state that nobody is sure of."""
    with pytest.raises(ConfigurationError, match=says):
        after(command, status)
