from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.watching import SETTINGS, World

from rampgate.outcome import Decision, Outcome
from rampgate.watch import state
from rampgate.watch.release import same
from rampgate.watch.rounds import Position

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.judging.results import Verdict
    from rampgate.watch.session import Watch

KEPT, BAD = 0.5, 70.0
VERSION = SETTINGS.replace("[target]", '[version]\nexpected = "2"\n[target]')


def verdict_of(world: World, values: list[float | None], **asked: Any) -> Verdict:
    """What a watch over these readings comes to."""
    with world.watch(**asked) as watch:
        world.rounds(watch, values)
        return watch.end()


def header(watch: Watch) -> dict[str, Any]:
    """The release that a journal's header names."""
    (path,) = watch.run.folder.glob("journal-*.jsonl")
    release: dict[str, Any] = json.loads(path.read_text(encoding="utf-8").splitlines()[0])["release"]
    return release


def test_a_run_is_about_the_percentage_that_is_in_force(tmp_path: Path) -> None:
    """Settings that say 25 make no run about 25 where the flags' source says 0."""
    world = World(tmp_path)
    world.position = Position(0.0, ("1",))
    with world.watch() as watch:
        world.rounds(watch, [KEPT])
        assert header(watch)["percentage"] == 0


@pytest.mark.parametrize(
    ("versions", "says"),
    [
        (("1",), "version 1 answered (expected 2)"),
        (("1", "2"), "version 1 and 2 answered (expected 2)"),
    ],
)
def test_a_watch_of_another_version_holds(tmp_path: Path, versions: tuple[str, ...], says: str) -> None:
    """No release is promoted on answers of another version, or of a mix."""
    world = World(tmp_path, VERSION)
    world.position = Position(25.0, versions)
    verdict = verdict_of(world, [KEPT] * 11)
    assert verdict.decision is Decision.HOLD
    assert says in verdict.reasons[0]


def test_a_percentage_that_changes_within_a_run_is_no_evidence_for_either(tmp_path: Path) -> None:
    """What was observed at 5 % and at 100 % is not added up: whoever goes on in the same run holds."""
    world = World(tmp_path)
    world.position = Position(5.0, ("1",))
    with world.watch() as watch:
        world.rounds(watch, [KEPT] * 6)
        before = watch.is_of_another
        world.position = Position(100.0, ("1",))
        world.rounds(watch, [KEPT] * 6)
        assert (before, watch.is_of_another) == (False, True)
        verdict = watch.end()
    assert verdict.decision is Decision.HOLD
    assert "100 % is in force, and this run is about 5 %" in verdict.reasons[0]


def test_after_a_change_of_percentage_a_watch_begins_anew(tmp_path: Path) -> None:
    """The run of the new percentage has its own time to observe, and its own header."""
    world = World(tmp_path)
    with world.watch() as watch:
        world.rounds(watch, [KEPT] * 6)
        first = watch.run.id
        world.position = Position(50.0, ("1",))
        world.rounds(watch, [KEPT])
        watch.end(early=True)
        watch.renew()
        assert watch.run.id != first
        assert header(watch)["percentage"] == 50
        assert watch.engine.observed == 0
        world.rounds(watch, [KEPT] * 11)
        assert watch.end().decision is Decision.PROMOTE


def test_rounds_by_cron_begin_anew_after_a_change_of_percentage(tmp_path: Path) -> None:
    """A round of another percentage is not the next one of the same run."""
    world = World(tmp_path)
    with world.watch(once=True) as first:
        world.rounds(first, [KEPT])
    world.position = Position(50.0, ("1",))
    with world.watch(once=True) as second:
        assert second.run.id != first.run.id
        assert second.engine.observed == 0


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        SETTINGS.replace("decides =", "renamed ="),
        SETTINGS.replace("> 50%", "> 50.0 %"),
        SETTINGS.replace('severity = "critical"', 'severity = "warning"'),
        SETTINGS.replace("127.0.0.1", "localhost"),
        SETTINGS.replace("[target]", '[target]\nweb = "http://127.0.0.1:10"'),
    ],
    ids=["same", "renamed", "respelt", "warning", "localhost", "web"],
)
def test_a_critical_failure_stays_one_through_other_percentages_and_settings(
    tmp_path: Path, settings: str
) -> None:
    """Rolled back, tried at 0, and raised once more: what has failed is not promoted on the same version."""
    world = World(tmp_path)
    assert verdict_of(world, [BAD]).decision is Decision.ROLLBACK
    world.position = Position(0.0, ("1",))
    world.clock.sleep(4_000)
    assert verdict_of(world, [KEPT] * 15).decision is Decision.PROMOTE
    world.position = Position(25.0, ("1",))
    world.use(settings)
    verdict = verdict_of(world, [KEPT] * 15)
    assert verdict.decision is Decision.ROLLBACK
    assert "has shown at" in verdict.reasons[0]
    world.position = Position(25.0, ("2",))
    world.clock.sleep(4_000)
    assert verdict_of(world, [KEPT] * 15).decision is Decision.PROMOTE


def test_a_release_that_is_known_to_be_bad_has_one_reason(tmp_path: Path) -> None:
    """A second watch names the run that has shown it, and says of nothing else that it was never read."""
    world = World(tmp_path)
    first = verdict_of(world, [BAD])
    second = verdict_of(world, [None])
    assert second.decision is Decision.ROLLBACK
    assert f"run {first.run} has shown" in second.reasons[0]
    assert "never read" not in "".join(second.reasons)
    outcomes = {result.check: result.outcome for result in second.checks}
    assert outcomes["watch/warns"] is outcomes["watch/observed"] is Outcome.SKIPPED


def test_a_rule_that_is_broken_from_its_first_reading_is_known_since_when(tmp_path: Path) -> None:
    """It was read all the time: it is undecided, with the time that it still lacks."""
    alert = 'warns = { expect = "reported > 2% for 5m", bad = true }'
    world = World(tmp_path, SETTINGS.replace('warns = "reported < 2%"', alert))
    verdict = verdict_of(world, [3.0] * 4)
    (found,) = [result for result in verdict.checks if result.check == "watch/warns"]
    assert found.outcome is Outcome.UNDECIDED
    assert "(1 min 30 s of 5 min): 3 %" in found.reason


def test_what_is_remembered_of_a_target_has_one_file_however_its_address_is_written(tmp_path: Path) -> None:
    """Ports and hosts differ; spellings of this machine do not."""
    world = World(tmp_path)
    here = state.file_of(world.settings)
    world.use(SETTINGS.replace("127.0.0.1:9", "LOCALHOST:9/"))
    assert state.file_of(world.settings) == here
    world.use(SETTINGS.replace("127.0.0.1:9", "127.0.0.1:10"))
    assert state.file_of(world.settings) != here


@pytest.mark.parametrize(
    ("one", "other", "same_release"),
    [
        ((25.0, ("1",)), (25.0, ("1",)), True),
        ((25.0, ("1",)), (0.0, ("1",)), False),
        ((25.0, ("1",)), (25.0, ("2",)), False),
        ((25.0, ("1", "2")), (25.0, ("2",)), True),
        ((25.0, ()), (25.0, ("2",)), True),
        ((None, ("1",)), (25.0, ("1",)), True),
        ((0.0, ()), (25.0, ()), False),
    ],
)
def test_what_is_not_known_may_be_the_same_release(
    one: tuple[Any, ...], other: tuple[Any, ...], *, same_release: bool
) -> None:
    """A failure is remembered where it may concern this release."""
    assert same(one, other) is same_release
