"""The watch inside a stage: what it read over its whole time, and a source that is gone for minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.watching import COUNTED, SETTINGS, World

from rampgate.evidence import journal
from rampgate.evidence.verdicts import judge
from rampgate.outcome import Outcome
from rampgate.watch.totals import Totals

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.watch.session import Watch

WITHIN: dict[str, Any] = {"within": "extended"}


def lines(watch: Watch, kind: str) -> list[dict[str, object]]:
    """The records of a kind that it has written."""
    return [record for record in journal.read(watch.run.folder)[0] if record["type"] == kind]


def test_a_source_that_is_gone_for_ten_minutes_is_no_time_observed(tmp_path: Path) -> None:
    """The watch goes on for as much longer, its rules are judged, and it holds with one line."""
    world = World(tmp_path)
    file = tmp_path / "within.sqlite"
    with world.watch(1800.0, file=file, **WITHIN) as watch:
        world.rounds(watch, [0.5] * 21)
        world.rounds(watch, [None] * 20)
        assert world.clock.now() > 1_800_000_000 + 1200
        rounds = 0
        while not watch.over:
            world.rounds(watch, [0.5])
            rounds += 1
        watch.end()
        verdict = judge(watch.run.folder)
        assert rounds > 35, "what was lost is made up for"
        (reason,) = verdict.reasons
        assert reason.startswith(
            "watch/observed: 30 min of 30 min were observed; in 10 min more something was"
        )
        assert "HTTP 503" in reason
        gone = [note for note in verdict.notes if "HTTP 503" in note]
        assert len(gone) == 1, verdict.notes
        assert file.exists()
        assert not list((tmp_path / "reports" / "watch").glob("*"))


def test_it_tells_nobody(tmp_path: Path) -> None:
    """Its stage is attended: a channel is not told, and the header says to which stage it belongs."""
    world = World(tmp_path, SETTINGS + '[[alerts]]\nname = "on-call"\nurl = "json://127.0.0.1:9/x"\n')
    with world.watch(60.0, file=tmp_path / "within.sqlite", **WITHIN) as watch:
        world.rounds(watch, [99.0] * 3)
        watch.end(early=True)
        assert watch.channels == ()
        (header,) = lines(watch, "header")
        assert header["within"] == "extended"


def test_all_that_was_counted_is_added_up(tmp_path: Path) -> None:
    """Over the whole time, not over a window; without the minutes of our own load where it is counted too."""
    world, totals = World(tmp_path, SETTINGS + COUNTED), Totals()
    with world.watch(file=tmp_path / "within.sqlite", **WITHIN) as watch:
        for measuring in [False] * 30 + [True] * 10:
            world.counters["total"] += 100
            world.counters["failed"] += 1
            totals.take(watch.engine, *world.rounds(watch, [0.5]), measuring=measuring)
        found = {each.metric: each for each in totals.measurements(watch.engine)}
    assert (found["error_rate"].n, found["error_rate"].failures) == (2900, 29)
    assert found["reported"].details["readings"] == 40
    assert found["reported"].value == 0.5


FEEDBACK = """
feedback = "user_feedback_score >= 3"
[[metrics]]
name = "user_feedback_score"
path = "/score"
value = "average"
responses = "responses"
"""


def test_few_answers_are_undecided(tmp_path: Path) -> None:
    """A mean of fewer than are asked for was read, and says how many are needed."""
    world = World(tmp_path, SETTINGS.replace("[[metrics]]", FEEDBACK + "[[metrics]]", 1))
    world.responses = 5
    with world.watch(60.0, file=tmp_path / "within.sqlite", **WITHIN) as watch:
        world.rounds(watch, [0.5] * 5)
        watch.end(early=True)
        checks = {each.check: each for each in judge(watch.run.folder).checks}
    few = checks["watch/feedback"]
    assert (few.outcome, few.message) == (Outcome.UNDECIDED, "0.5 of 5: 30 are needed")


@pytest.mark.parametrize(("early", "outcome"), [(True, Outcome.UNDECIDED), (False, Outcome.ERROR)])
def test_what_an_interrupt_left_no_time_to_read_is_undecided(
    tmp_path: Path, early: bool, outcome: Outcome
) -> None:
    """Counters say something from their second reading on; a watch that ran its time should have one."""
    world = World(tmp_path, SETTINGS.replace("reported < 2%", "error_rate < 2%") + COUNTED)
    with world.watch(60.0, file=tmp_path / "within.sqlite", **WITHIN) as watch:
        world.rounds(watch, [0.5])
        watch.end(early=early)
        checks = {each.check: each for each in judge(watch.run.folder).checks}
    assert checks["watch/warns"].outcome is outcome
