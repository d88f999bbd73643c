"""What the proof of a rollout is built from: a kill at a commit, and users who read off."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from proofs.rollout_users import Users

from rampgate.rollout.state import RolloutState

TAKES = """
import sys
from pathlib import Path
from proofs.rollout_killed import killed_at
from rampgate.rollout.records import Holder
from rampgate.rollout.state import RolloutState
killed_at(1, sys.argv[2])
with RolloutState(Path(sys.argv[1])) as state:
    state.take(Holder.here("advance", "ann", 0.0))
"""


@pytest.mark.parametrize(("when", "kept"), [("after", True), ("before", False)])
def test_a_kill_is_at_its_commit(when: str, kept: bool, tmp_path: Path) -> None:
    """A process that is killed after a commit has made it durable, and one that is killed before has not."""
    path = tmp_path / "state.sqlite"
    root = Path(__file__).parents[2]
    words = [sys.executable, "-c", TAKES, str(path), when]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert f"killed {when}: lease taken" in done.stdout
    with RolloutState(path, new=False) as state:
        assert (state.holder() is not None) == kept


def test_a_user_is_off_only_who_stays_off() -> None:
    """Somebody who reads on once more after off is not off, and whoever never had it does not count."""
    users = Users("http://127.0.0.1")
    for number, on in ((1, True), (2, False), (1, False)):
        users.note(number, on=on)
    before = users.all_off
    users.note(1, on=True)
    assert (before, users.all_off) == (True, False)
    assert users.had == {1}
