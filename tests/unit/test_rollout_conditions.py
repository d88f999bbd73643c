"""What a step up needs: every condition with its sentence, and nothing else in the way."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.fakes import always
from tests.unit.rolling import FlagService, Rolling
from tests.unit.watching import SETTINGS, World

from rampgate.evidence import releases
from rampgate.judging.release import ReleaseVerdict, StageRun
from rampgate.outcome import Decision
from rampgate.rollout.conditions import Conditions
from rampgate.rollout.records import Rollout
from rampgate.rollout.soak import observed
from rampgate.rollout.transitions import Status
from rampgate.watch.state import WatchState, file_of

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.config.settings import Settings

NOW = 1_800_000_000.0
RUNNING = Rollout(("one",), "1", Status.RUNNING, 25.0, NOW, "ada", NOW, NOW)
ROLLOUT = """
[version]
expected = "1"
[rollout]
features = ["one"]
require = []
percentages = [0, 25, 100]
soak = { "25" = "60s" }
"""


def of(
    settings: Settings, rollout: Rollout, now: float, who: str = "bob", stopped: str = "", **answer: Any
) -> list[str]:
    """What is missing."""
    api = always(httpx.Response(200, json=answer) if answer else httpx.Response(503))
    asked = Conditions(settings, rollout, now, who, stopped, False, lambda _: api())  # noqa: FBT003
    return [each.sentence for each in asked.unmet()]


def settings_of(folder: Path, more: str = "") -> Settings:
    """Settings without a watch."""
    with Rolling(folder, FlagService(url="http://127.0.0.1:9"), more=more).session() as session:
        return session.settings


def watched(world: World, seconds: int, **asked: Any) -> None:
    """Watch for so long, a round every 10 s."""
    with world.watch(3600.0, **asked) as watch:
        world.rounds(watch, [0.5] * (seconds // 10 + 1), every=10.0)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A deployment that is watched, at 25 %."""
    return World(tmp_path, SETTINGS + ROLLOUT)


def test_nothing_is_missing_after_a_soak_under_a_living_watch(world: World) -> None:
    """Observed time at this percentage, and a round just now."""
    watched(world, 70)
    assert of(world.settings, RUNNING, world.clock.now()) == []


def test_time_that_was_not_watched_does_not_count(world: World) -> None:
    """Minutes of the wall clock between two watches are no soak."""
    watched(world, 40)
    world.clock.sleep(600.0)
    assert observed(world.settings, RUNNING) == pytest.approx(40, abs=11)
    (missing,) = of(world.settings, RUNNING, world.clock.now() - 590)
    assert missing.startswith("30 s of 1 min were observed at 25 %")


def test_time_before_the_change_and_of_other_releases_does_not_count(world: World) -> None:
    """A soak begins with the change; another percentage, version or target has its own."""
    watched(world, 70)
    now = world.clock.now()
    for other in (
        replace(RUNNING, since=now - 20),
        replace(RUNNING, percentage=5.0),
        replace(RUNNING, version="2"),
    ):
        assert observed(world.settings, other) < 25
    target = world.settings.target.model_copy(update={"api": "http://127.0.0.1:8"})
    assert observed(world.settings.model_copy(update={"target": target}), RUNNING) == 0


def test_a_pause_keeps_what_was_observed_and_adds_nothing(world: World) -> None:
    """Whatever is watched meanwhile."""
    watched(world, 70)
    assert observed(world.settings, replace(RUNNING, status=Status.PAUSED, soaked=12.0)) == 12.0


@pytest.mark.parametrize(
    ("later", "says"), [(130.0, "was 2 min"), (-3600.0, "later than now: a clock was set back")]
)
def test_a_watch_that_does_not_live_refuses(world: World, later: float, says: str) -> None:
    """Its last round is too old, or lies in the future."""
    watched(world, 70)
    assert any(says in each for each in of(world.settings, RUNNING, world.clock.now() + later))


def test_a_watch_that_never_ran_refuses(tmp_path: Path) -> None:
    """What nobody has watched has no soak, and the next command is named."""
    missing = of(settings_of(tmp_path), RUNNING, NOW)
    assert missing == ["no watch has ever run; start one: rampgate watch"]


def test_what_was_critical_stays_so(world: World) -> None:
    """A critical rule that fired at this percentage refuses, though all is well again."""
    with world.watch(3600.0) as watch:
        world.rounds(watch, [*[99.0] * 3, *[0.5] * 12], every=10.0)
    missing = of(world.settings, RUNNING, world.clock.now())
    assert any(each.startswith("the watch has seen at this percentage: reported > 50") for each in missing)
    before = replace(RUNNING, percentage=5.0)
    assert not any("watch has seen" in each for each in of(world.settings, before, world.clock.now()))


def test_stages_must_be_promoted_after_the_change(tmp_path: Path) -> None:
    """None there, begun before it, of another version, a rehearsal: each with its sentence."""
    settings = settings_of(tmp_path).model_copy(update={})
    required = settings.model_copy(
        update={"rollout": settings.rollout.model_copy(update={"require": ["immediate"]})}
    )
    missing = of(required, RUNNING, NOW)
    assert any("no run of test there; run a stage first" in each for each in missing), missing


def test_the_runs_that_a_step_up_stands_on_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By stage the id of its run, for the history."""
    settings = settings_of(tmp_path)
    required = settings.model_copy(
        update={"rollout": settings.rollout.model_copy(update={"require": ["immediate"]})}
    )
    run = StageRun("immediate", "run-7", Decision.PROMOTE)
    monkeypatch.setattr(
        releases, "judge_current", lambda *_, **__: ReleaseVerdict(Decision.PROMOTE, {}, (run,))
    )
    asked = Conditions(required, RUNNING, NOW, "bob", "", False, lambda _: always(httpx.Response(503))())  # noqa: FBT003
    asked.unmet()
    assert asked.runs == {"immediate": "run-7"}


def test_a_freeze_refuses_until_its_end(tmp_path: Path) -> None:
    """With its reason; before and after it nothing is said."""
    begins = datetime.fromtimestamp(NOW, UTC)
    ends = begins + timedelta(hours=2)
    freeze = f'begins = "{begins.isoformat()}", ends = "{ends.isoformat()}", why = "audit"'
    settings = settings_of(tmp_path, f"freezes = [ {{ {freeze} }} ]")
    (missing,) = (each for each in of(settings, RUNNING, NOW + 60) if "rises" in each)
    assert missing == f"nothing rises until {ends.isoformat(timespec='minutes')} (audit)"
    assert not [each for each in of(settings, RUNNING, NOW + 7200) if "rises" in each]


def test_whoever_started_does_not_approve(tmp_path: Path) -> None:
    """Where approval is required, somebody else is needed; however the same name is typed."""
    settings = settings_of(tmp_path, 'approval = "required"')
    for same in ("ada", "Ada", " ADA\n", "\N{FULLWIDTH LATIN SMALL LETTER A}da"):
        assert any("somebody else" in each for each in of(settings, RUNNING, NOW, same)), same
    assert not any("somebody else" in each for each in of(settings, RUNNING, NOW, "bob"))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"on": 26, "off": 74}, ""),
        ({"on": 60, "off": 40}, "60 of 100 users have the features, and 25 % should"),
        ({"on": 0, "off": 200}, "0 of 200 users have the features"),
        ({"on": 0, "off": 0}, "no users were seen lately"),
        ({"on": "26", "off": 74}, "found '26' and 74; accepted are two numbers of users"),
        ({}, "answered HTTP 503"),
    ],
)
def test_users_have_the_features_as_planned(tmp_path: Path, answer: dict[str, Any], says: str) -> None:
    """Exactly tested; what cannot be read refuses."""
    settings = settings_of(tmp_path, 'exposure = { path = "/exposure" }')
    found = [each for each in of(settings, RUNNING, NOW, **answer) if "watch" not in each]
    assert (says in found[0]) if says else not found, json.dumps(found)


def test_exposure_is_counted_in_workspaces_where_they_are_the_unit(tmp_path: Path) -> None:
    """As many workspaces as the percentage says, which a count of their users is not."""
    settings = settings_of(tmp_path, 'exposure = { path = "/exposure" }\nunit = "workspace"')
    found = [each for each in of(settings, RUNNING, NOW, on=400, off=600) if "watch" not in each]
    assert found[0].startswith("400 of 1000 workspaces have the features, and 25 % should")


def test_a_stopped_line_refuses(tmp_path: Path) -> None:
    """With the reason that was given."""
    assert "the line is stopped: incident 7" in of(settings_of(tmp_path), RUNNING, NOW, stopped="incident 7")


@pytest.mark.parametrize(
    ("decided", "refuses"), [([True, False, True, False], True), ([False, False, True, False], False)]
)
def test_users_with_the_features_who_fail_more_refuse(
    world: World, decided: list[bool], refuses: bool
) -> None:
    """What bunches do not explain refuses; what is only shown of requests does not."""
    watched(world, 70)
    with WatchState(file_of(world.settings), new=False) as remembered, remembered.transaction():
        kept = remembered.get("engine")
        remembered.put("engine", kept | {"cohorts": {"tests": {"error_rate": {"decided": decided}}}})
    missing = of(world.settings, RUNNING, world.clock.now())
    says = "the watch has found that users with the features fail more: error_rate"
    assert missing == ([says] if refuses else [])
