"""What the rollback stage is about, and what its data are compared with."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from rampgate.config import plan, rollback
from rampgate.config.rollout import DataSettings
from rampgate.config.settings import Settings
from rampgate.stage.rollback import least
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


def test_a_tab_that_is_no_page_is_refused() -> None:
    """The page that is held open is one of [[pages]]."""
    with pytest.raises(
        ValueError, match=r"rollout.tab: found 'home'; accepted are the names of \[\[pages\]\]"
    ):
        Settings.model_validate({"rollout": {"tab": "home"}})


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
    folder = tmp_path / "before"
    folder.mkdir()
    lines: list[dict[str, Any]] = [
        {
            "type": "header",
            "stage": stage,
            "time": 1.0,
            "release": {"environment": "production"},
            "target": {"api": api},
        },
        {
            "type": "measurement",
            "measurement": {"metric": "data_items", "value": counted, "labels": {"path": "/n"}},
        },
    ]
    written = [
        {"process": "main", "sequence": number, "time": 1.0, "schema": 2, **line}
        for number, line in enumerate(lines)
    ]
    (folder / "journal-main.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in written))
    settings = Settings(target=TARGET, reports=tmp_path)
    run = SimpleNamespace(settings=settings, stage="rollback", folder=tmp_path / "now")
    context = cast("StageContext", SimpleNamespace(run=run))
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
