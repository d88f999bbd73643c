"""What the rollback stage is about, and what its data are compared with."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from rampgate.config import plan, rollback
from rampgate.config.rollout import DataSettings
from rampgate.config.settings import Settings
from rampgate.model.measurement import Measurement
from rampgate.stage.rollback import beside_baseline, least
from rampgate.stage.rollback_tab import _pattern

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.stage.context import StageContext

FLAGS: Any = {"path": "/flags/{flag}?user={user}", "expected": {"a": 25, "b": 0, "monitoring": 100}}
TARGET: Any = {"api": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("rollout", "features"), [({}, ["a", "b"]), ({"features": ["b"]}, ["b"])], ids=["none named", "named"]
)
def test_the_features_are_those_of_the_rollout_else_all_that_are_not_for_everybody(
    rollout: Any, features: list[str]
) -> None:
    """Each of them is expected at 0 %, whatever the settings expect while the rollout goes on."""
    settings = Settings(flags=FLAGS, rollout=rollout)
    assert rollback.features(settings) == features
    assert rollback.subjects(settings)["rollback_flags"][""].expected == dict.fromkeys(features, 0)


def test_what_is_not_configured_is_listed_by_its_key() -> None:
    """Without [rollout] the plan has the flags all the same; what it lacks is named as in rampgate.toml."""
    made = plan.make("rollback", Settings(flags=FLAGS, target=TARGET))
    assert "rollback/flags::features_are_off_for_everybody" in [each.check for each in made.checks]
    assert {"rollout.enrolled", "rollout.tab", "rollout.data", "login"} <= set(made.not_configured)


@pytest.mark.parametrize(
    ("rollout", "found"),
    [
        ({"unit": "workspace"}, "rollout.unit: found workspace"),
        ({"enrolled": [{"workspace": "w"}]}, "rollout.enrolled: found a workspace without a user"),
    ],
)
def test_a_workspace_that_no_request_names_is_refused(rollout: dict[str, Any], found: str) -> None:
    """Nothing could be read back of it."""
    flags: Any = {"path": "/{flag}?u={user}", "expected": {"one": 25}}
    accepted = r"accepted is \{workspace\} in path, body or headers of \[flags\]"
    with pytest.raises(ValueError, match=f"{found}; {accepted}"):
        Settings.model_validate({"flags": flags, "rollout": rollout})
    flags["path"] += "&w={workspace}"
    assert Settings.model_validate({"flags": flags, "rollout": rollout}).flags


def test_a_tab_that_is_no_page_is_refused() -> None:
    """The page that is held open is one of [[pages]]."""
    with pytest.raises(
        ValueError, match=r"rollout.tab: found 'home'; accepted are the names of \[\[pages\]\]"
    ):
        Settings.model_validate({"rollout": {"tab": "home"}})


def written(folder: Path, *lines: dict[str, Any]) -> None:
    """A run with one journal."""
    folder.mkdir()
    whole = [
        {"process": "main", "sequence": number, "time": 1.0, "schema": 2, **line}
        for number, line in enumerate(lines)
    ]
    (folder / "journal-main.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in whole))


def context_of(settings: Settings, folder: Path) -> StageContext:
    """What checks share, as far as it is asked for here."""
    run = SimpleNamespace(settings=settings, stage="rollback", folder=folder)
    return cast("StageContext", SimpleNamespace(run=run))


@pytest.mark.parametrize("stage", ["predeploy", "immediate"])
def test_an_endpoint_is_shown_beside_the_run_before_the_deploy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """With its rate then and whether they differ; where no such run was, nothing stands beside it."""
    before, now = (Measurement("error_rate", n=1000, failures=k, labels={"endpoint": "me"}) for k in (1, 200))
    release = {"environment": "production"}
    written(
        tmp_path / "before",
        {"type": "header", "stage": stage, "time": 1.0, "release": release},
        {"type": "measurement", "check": f"{stage}/baseline::me", "measurement": before.to_json()},
        {"type": "end", "status": 0},
    )
    monkeypatch.setattr("rampgate.stage.rollback.latency_before", lambda *_: [now])
    settings = Settings.model_validate({"reports": tmp_path, "endpoints": [{"name": "me", "path": "/me"}]})
    found = beside_baseline(context_of(settings, tmp_path / "now"), settings.endpoints[0])
    notes = [each.note for each in found]
    assert notes == (["before 0.1 %: beyond noise"] if stage == "predeploy" else [])


@pytest.mark.parametrize(
    ("stage", "api", "counted", "expected"),
    [
        ("immediate", TARGET["api"], 7, 7),
        ("immediate", TARGET["api"], 2, 5),
        ("immediate", "http://127.0.0.1:10", 7, 5),
        ("rollback", TARGET["api"], 7, 5),
    ],
    ids=["counted", "fewer than the minimum", "another target", "another stage"],
)
def test_data_are_compared_with_the_newest_count_of_the_rollout(
    tmp_path: Path, stage: str, api: str, counted: int, expected: float
) -> None:
    """No less than that run counted must be there, and `minimum` at least."""
    release = {"environment": "production"}
    counts = {"metric": "data_items", "value": counted, "labels": {"path": "/n"}}
    written(
        tmp_path / "before",
        {"type": "header", "stage": stage, "time": 1.0, "release": release, "target": {"api": api}},
        {"type": "measurement", "measurement": counts},
    )
    context = context_of(Settings(target=TARGET, reports=tmp_path), tmp_path / "now")
    assert least(context, DataSettings(path="/n?of=me", minimum=5)) == expected


@pytest.mark.parametrize(
    ("path", "asked", "is_it"),
    [
        ("/flags/{flag}?user={user}", "/proxy/flags/new%20list", True),
        ("/users/{user}/flags/{flag}", "/users/7/flags/new%20list", True),
        ("/flags/{flag}?user={user}", "/flags/new%20list-2", False),
        ("/flags?user={user}", "/flags", True),
    ],
)
def test_a_request_of_a_page_is_known_by_the_flag_in_its_path(path: str, asked: str, *, is_it: bool) -> None:
    """For whichever user, and behind whichever proxy, but for no flag whose name only begins so."""
    assert bool(_pattern(path, "new list").search(asked)) is is_it
