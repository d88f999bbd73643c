from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.unit.watching import World, states

from rampgate.errors import EvidenceError
from rampgate.outcome import Decision
from rampgate.watch import state

if TYPE_CHECKING:
    from pathlib import Path

KEPT, BAD = 0.5, 70.0


@pytest.mark.parametrize("how", ["removed", "replaced", "log removed"])
def test_a_state_file_that_is_removed_is_put_back_with_all_that_it_knew(tmp_path: Path, how: str) -> None:
    """The command of a rollback runs, what had fired stays known, and the next watch knows it."""
    ran, world = tmp_path / "ran", World(tmp_path)
    path = state.file_of(world.settings)
    with world.watch(command=["sh", "-c", f"echo ran >> {ran}"]) as watch:
        world.rounds(watch, [KEPT])
        ends = ("-wal",) if how == "log removed" else ("", "-wal", "-shm")
        for end in ends:
            path.with_name(path.name + end).unlink()
        if how == "replaced":
            state.WatchState(path).close()
        world.rounds(watch, [BAD])
        assert watch.troubles == [f"{path}: was removed or replaced, and is written anew"]
        assert watch.end().decision is Decision.ROLLBACK
    assert ran.read_text(encoding="utf-8").split() == ["ran"]
    with world.watch() as second:
        assert second.rolls_back
        assert states(second)["decides"] == "firing"


def test_a_run_whose_folder_is_removed_is_followed_by_one_that_judges(tmp_path: Path) -> None:
    """A watch goes on without the reports that it had, says so, and rolls back by what it then reads."""
    world = World(tmp_path)
    with world.watch() as watch:
        world.rounds(watch, [KEPT] * 3)
        first = watch.run.id
        shutil.rmtree(world.settings.reports)
        world.rounds(watch, [KEPT])
        assert watch.run.id != first
        assert watch.engine.observed == 0.0
        (path,) = watch.run.folder.glob("journal-*.jsonl")
        assert f"begins anew: the folder of run {first} was removed" in path.read_text(encoding="utf-8")
        world.rounds(watch, [BAD])
        assert watch.end().decision is Decision.ROLLBACK


def test_what_cannot_be_put_back_is_an_error_of_each_round(tmp_path: Path) -> None:
    """Nothing counts as observed while nothing can be remembered, and the next round tries once more."""
    world = World(tmp_path)
    with world.watch() as watch:
        world.rounds(watch, [KEPT])
        folder = state.file_of(world.settings).parent
        shutil.rmtree(folder)
        folder.write_text("in the way", encoding="utf-8")
        with pytest.raises(EvidenceError, match="was removed or replaced, and cannot be written"):
            world.rounds(watch, [BAD])
        folder.unlink()
        world.rounds(watch, [BAD])
        assert states(watch)["decides"] == "firing"
        assert watch.engine.observed == 0.0


def test_no_sender_makes_a_file_that_the_watch_has_lost(tmp_path: Path) -> None:
    """An empty file in the place of what is remembered would forget every failure."""
    with pytest.raises(EvidenceError, match="No such file"):
        state.WatchState(tmp_path / "gone.sqlite", new=False)
    assert not (tmp_path / "gone.sqlite").exists()
