"""What a load run can come to, said before it begins; and which run is a rehearsal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.load_runs import Running, settings

from rampgate.judging.next_steps import next_command
from rampgate.load import profile
from rampgate.load.plan import prepare
from rampgate.model.redact import Redactor
from rampgate.report import sentences

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.evidence.session import Setup


def asked(folder: Path, options: dict[str, Any], **load: Any) -> Setup:
    """A run with these options on the command line, over a [load] of 30 s of plateau."""
    meant = settings(folder, load={"users": 20, **load})
    changed = meant.model_copy(update={"load": profile.with_options(meant.load, options)})
    return prepare(changed, Redactor(), meant=meant.load)


@pytest.mark.parametrize(
    ("load", "says"),
    [
        (
            {"duration": 30, "users": 5},
            (
                "5 users who pause 1 s send one at most 155 requests in 30 s of plateau, and rate<0.02 takes "
                "342 without a failure: 2 min of it, or 12 users who pause 1 s"
            ),
        ),
        (
            {"duration": 30, "executor": "constant-arrival-rate", "rate": 2},
            (
                "2 visits a second send one at most 60 requests in 30 s of plateau, and rate<0.02 takes 342 "
                "without a failure: 3 min of it, or 12 visits a second"
            ),
        ),
        ({"duration": 30, "users": 12}, ""),
        ({"duration": 5, "users": 1, "pause": 0}, ""),
        ({"stages": "10s:20,5s:20,300s:1"}, "at most 120 requests in 5 s of plateau"),
        ({"thresholds": {"http_req_duration": ["p(99)<3000"]}, "users": 15}, "p(99)<3000 takes 688"),
    ],
)
def test_a_run_that_can_never_promote_says_so_first(tmp_path: Path, load: dict[str, Any], says: str) -> None:
    """Too few requests for its limits, however good the target is: what would be enough is named."""
    notes = prepare(settings(tmp_path, load=load), Redactor()).notes
    assert says in " ".join(notes)
    assert bool(notes) is bool(says)


def test_bodies_that_must_be_checked_count_too(tmp_path: Path) -> None:
    """With loose limits it is the 200 bodies that a run is too short for."""
    loose = {"http_req_failed": ["rate<0.2"], "http_req_duration": ["p(50)<1000"]}
    endpoints = [{"name": "one", "path": "/one", "load": True, "body": "items"}]
    made = settings(tmp_path, load={"users": 5, "thresholds": loose}, endpoints=endpoints)
    assert "body_failure_rate > 5% takes 200" in prepare(made, Redactor()).notes[0]


@pytest.mark.parametrize(
    ("options", "rehearsal", "text"),
    [
        ({}, False, "up to 20 users for 45 s"),
        ({"time_scale": "20"}, True, "up to 20 users for 3 s"),
        ({"duration": "25s"}, True, "20 users for 25 s"),
        ({"duration": "10m", "users": "5"}, True, "5 users for 10 min"),
        ({"duration": "10m"}, False, "20 users for 10 min"),
        ({"duration": "25s", "rate": "40"}, True, "40 visits a second for 26 s"),
    ],
)
def test_whoever_asks_for_less_than_the_settings_rehearses(
    tmp_path: Path, options: dict[str, str], rehearsal: bool, text: str
) -> None:
    """A shorter plateau, fewer users or compressed time is a rehearsal; what the file says is the run."""
    setup = asked(tmp_path, options)
    assert (setup.rehearsal, setup.profile) == (rehearsal, text)
    less = [note for note in setup.notes if note.startswith("rehearsal: ")]
    assert bool(less) is rehearsal
    assert all("where [load] means 20 for 30 s" in note for note in less)


def test_a_short_flat_run_of_the_settings_is_no_rehearsal(tmp_path: Path) -> None:
    """Whoever writes 25 s into the file means them; the verdict line says how little that is."""
    assert not asked(tmp_path, {}, duration=25).rehearsal


def test_the_load_of_a_stage_is_what_the_stage_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[load.predeploy] asks for a flat minute by options, and that is no rehearsal of anything."""
    monkeypatch.setenv("RAMPGATE_WITHIN", "predeploy")
    assert not asked(tmp_path, {"duration": "10s", "users": "5"}).rehearsal


@pytest.mark.parametrize(
    ("options", "typed", "says"),
    [
        (
            {"duration": "30s", "users": "2"},
            ["--duration=30s", "--users=2"],
            "rampgate load with a longer --duration or more --users",
        ),
        (
            {"duration": "30s", "rate": "2"},
            ["--duration=30s", "--rate=2"],
            "rampgate load with a longer --duration or a higher --rate",
        ),
        ({}, [], "a longer plateau or more users under [load]"),
        ({"stages": "10s:2,30s:2"}, [], "a longer steady stage or more users in [load] stages"),
        ({"duration": 30}, [], "a longer duration or more users under [load]"),
    ],
)
def test_after_too_few_requests_the_keys_in_force_are_named(
    tmp_path: Path, options: dict[str, Any], typed: list[str], says: str
) -> None:
    """What was typed, or the key that wins in the file: no advice that would change nothing."""
    in_file = {name: value for name, value in options.items() if not typed}
    meant = settings(tmp_path, load={"users": 2, **in_file})
    load = profile.with_options(meant.load, {} if in_file else options)
    running = Running(meant.model_copy(update={"load": load}))
    running.go_on(running.run.ramp.duration + 1, n=2)
    decided = running.end()
    header = decided.headers[0]
    header["invocation"] = ["locust", *typed]
    assert next_command(decided).startswith(says)


def test_the_verdict_line_says_what_the_load_was(tmp_path: Path) -> None:
    """How many users for how long, and that it was a rehearsal: a promotion by 3 s of load says so itself."""
    running = Running(settings(tmp_path, load={"time_scale": 10}))
    running.go_on(5, n=100)
    line = sentences.line(running.end())
    assert line.startswith("load (a rehearsal, up to 2 users for 5 s): production")
