from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from rampgate.config.loading import load
from rampgate.evidence import chance
from rampgate.evidence.chance import FALSE_HOLD_PER_ROLLOUT, FALSE_ROLLBACK_PER_ROLLOUT
from rampgate.model.redact import Redactor
from rampgate.rollout import ledger, plan
from rampgate.rollout.records import Rollout
from rampgate.rollout.transitions import Status
from rampgate.watch import asked, state

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.config.settings import Settings
    from rampgate.evidence.session import Setup

SETTINGS = """
environment = "test"
reports = "{folder}/reports"
[target]
api = "http://127.0.0.1:9"
[watch.thresholds]
errors = "error_rate < 2%"
many = {{ expect = "error_rate < 5%", severity = "critical" }}
[[metrics]]
name = "error_rate"
path = "/metrics.json"
each = "endpoints"
total = "requests"
failed = "failures"
cohort = "cohort"
endpoint = "endpoint"
votes = true
[rollout]
features = ["one"]
{more}
"""
NOW = datetime(2026, 12, 1, 8, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0


def settings_of(folder: Path, more: str = "") -> Settings:
    """Settings of a rollout that is watched by votes."""
    path = folder / "rampgate.toml"
    path.write_text(SETTINGS.format(folder=folder, more=more), encoding="utf-8")
    return load(path, from_environment=False)[0]


def setup_of(settings: Settings, folder: Path) -> Setup:
    """The setup of a watch."""
    return asked.setup_of(settings, Redactor(), folder, asked.rules_of(settings, folder), asked.Asked(60.0))


def at(percentage: float, status: Status = Status.RUNNING) -> Rollout:
    """A rollout that came to a percentage an hour ago."""
    return Rollout(("one",), None, status, percentage, NOW - HOUR, "ada", NOW - 9 * HOUR, NOW - HOUR)


def printed(found: plan.Plan) -> str:
    """What a person reads."""
    console = Console(file=io.StringIO(), width=140)
    plan.render(found, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_dates_are_the_sum_of_the_soaks(tmp_path: Path) -> None:
    """Every percentage begins when the soak before it is over, the last of the default plan in 96 h."""
    found = plan.rows(settings_of(tmp_path), None, None, NOW)
    assert [each.phase for each in found.stages] == ["internal"] + 3 * ["beta"] + 3 * ["general"]
    begins = [each.begins - NOW for each in found.stages if each.begins is not None]
    assert begins == [hours * HOUR for hours in (0, 0, 24, 48, 72, 84, 96)]
    assert found.ends == NOW + 96 * HOUR
    assert "2026-12-05 08:00 UTC at the earliest" in printed(found)


def test_a_freeze_pushes_what_begins_within_it(tmp_path: Path) -> None:
    """A percentage that would begin in a freeze begins at its end, and all after it later; why is said."""
    freeze = (
        '[[rollout.freezes]]\nbegins = 2026-12-02T00:00:00Z\nends = 2026-12-03T00:00:00Z\nwhy = "a fair"\n'
        "[[rollout.freezes]]\nbegins = 2026-12-02T23:00:00Z\nends = 2026-12-03T08:00:00Z"
    )
    found = plan.rows(settings_of(tmp_path, freeze), None, None, NOW)
    pushed = found.stages[2]
    assert (pushed.begins, len(pushed.freezes)) == (NOW + 48 * HOUR, 2)
    assert found.ends == NOW + 120 * HOUR
    assert "15 % waits for the end of a freeze, 2026-12-03 00:00 UTC (a fair)" in printed(found)


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED])
def test_a_rollout_goes_on_from_where_it_is(tmp_path: Path, status: Status) -> None:
    """What is over has no dates; of the percentage in force what was not observed yet is to come."""
    found = plan.rows(settings_of(tmp_path), at(25.0, status), None, NOW)
    assert [each.begins for each in found.stages[:3]] == [None] * 3
    assert (found.stages[3].begins, found.stages[3].ends) == (NOW - HOUR, NOW + 24 * HOUR)
    assert found.ends == NOW + 48 * HOUR
    again = plan.rows(settings_of(tmp_path), at(25.0, Status.ROLLED_BACK), None, NOW)
    assert again.stages[0].begins == NOW


def test_a_soak_that_is_too_short_is_shown(tmp_path: Path) -> None:
    """By default a harm that a soak cannot see is shown; it is refused only where the settings ask for it."""
    shown = plan.rows(settings_of(tmp_path, "background = 0.01"), None, 0.05, NOW)
    assert shown.stages[1].too_short
    assert not shown.refused
    assert "too short" in printed(shown)
    refused = plan.rows(settings_of(tmp_path, "background = 0.01\nharm = 5"), None, 0.05, NOW)
    assert "rollout.soak.5: found 24 h, which does not see 5 times the background" in refused.refused[0]
    enough = plan.rows(settings_of(tmp_path, "background = 0.01\nharm = 5"), None, 20.0, NOW)
    assert not enough.refused
    assert "too short" not in printed(enough)


def test_traffic_is_what_the_watch_has_counted(tmp_path: Path) -> None:
    """Rate, background and endpoints are the watch's; without one, the plan says how to give them."""
    settings = settings_of(tmp_path)
    nothing = plan.rows(settings, None, None, NOW)
    assert nothing.traffic is None
    assert "--traffic" in printed(nothing)
    counted = {"/a": [100, 3, 900, 9], "/b": [100, 0, 900, 0]}
    with state.WatchState(state.file_of(settings)) as remembered, remembered.transaction():
        test = {"total": counted, "seconds": 100.0}
        remembered.put("engine", {"cohorts": {"tests": {"error_rate": {"tests": [test]}}}})
    found = plan.rows(settings, None, None, NOW).traffic
    assert found is not None
    assert found[:4] == (20.0, 0.005, True, 2)
    typed = plan.rows(settings, None, 7.0, NOW).traffic
    assert typed is not None
    assert typed[:2] == (7.0, 0.005)


def test_the_ledger_adds_up_to_what_is_promised(tmp_path: Path) -> None:
    """All watches of the default plan, and a stage before each step, may fail no oftener than is promised."""
    parts = ledger.ledger(settings_of(tmp_path), tmp_path)
    hold, rollback = ledger.totals(parts)
    assert hold == pytest.approx(sum(each.times * each.hold for each in parts))
    assert 6e-3 < hold <= FALSE_HOLD_PER_ROLLOUT
    assert 0 < rollback <= FALSE_ROLLBACK_PER_ROLLOUT
    watched = [each for each in parts if "stage" not in each.what]
    assert sum(each.times * each.hold for each in watched) <= FALSE_ROLLBACK_PER_ROLLOUT


def test_more_than_is_promised_is_said(tmp_path: Path) -> None:
    """Twenty features whose shares are asked at each of six steps sum up to more than one in a hundred."""
    names = [f"f{number}" for number in range(20)]
    flags = '[flags]\npath = "/flags/{flag}?user={user}"\nalgorithm = "unknown"\nexpected = { one = 5 }'
    settings = settings_of(tmp_path, flags)
    features = settings.rollout.model_copy(update={"features": names})
    more = settings.model_copy(update={"rollout": features})
    text = " ".join(printed(plan.rows(more, None, None, NOW)).split())
    assert "held by a failure by chance in at most 189" in text
    assert "more than the 100 that are promised" in text


@pytest.mark.parametrize("require", [["load"], ["immediate", "load"], ["immediate", "load", "extended"]])
def test_stages_that_a_rollout_requires_share_what_is_theirs(tmp_path: Path, require: list[str]) -> None:
    """However many stages each step up needs, their runs fail a healthy rollout 6 times in 1,000."""
    settings = settings_of(tmp_path, f"require = {json.dumps(require)}")
    kept = ledger.ledger(settings, tmp_path)
    assert sum(each.times * each.hold for each in kept if "stage" in each.what) == pytest.approx(6e-3)
    assert ledger.totals(kept)[0] <= FALSE_HOLD_PER_ROLLOUT
    runs = [replace(setup_of(settings, tmp_path), stage=stage) for stage in require]
    assert 6 * sum(chance.PARTS.get(each.stage, 1) * each.false_fail for each in runs) == pytest.approx(6e-3)
    assert all(0 < each.alpha_fail < each.false_fail for each in runs if each.stage != "load")


def test_a_stage_that_no_step_needs_keeps_its_own_chance(tmp_path: Path) -> None:
    """What a rollout does not ask for is a run like any other, and so is one without features."""
    settings = settings_of(tmp_path, 'require = ["immediate", "load"]')
    assert chance.of_stage(settings.rollout, "predeploy") == chance.FALSE_FAIL_PER_RUN
    nothing = settings.rollout.model_copy(update={"features": []})
    assert chance.of_stage(nothing, "load") == chance.FALSE_FAIL_PER_RUN


def test_watches_of_a_rollout_share_what_it_may_be_rolled_back_with(tmp_path: Path) -> None:
    """The watch of one of seven percentages has a seventh of 1 in 1,000; one of no rollout has its own."""
    settings = settings_of(tmp_path)
    rules = asked.rules_of(settings, tmp_path)
    setup = setup_of(settings, tmp_path)
    assert setup.false_fail == pytest.approx(FALSE_ROLLBACK_PER_ROLLOUT / 7)
    assert setup.alpha_fail == pytest.approx(ledger.alphas(settings, rules).test)
    assert setup.tests == 4
    assert setup.alpha_fail * setup.tests == pytest.approx(setup.false_fail)
