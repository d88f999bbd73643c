"""A real deployment whose percentage is moved by an actuator, and read back as its users read it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.test_deployment import Deployment

from rampgate.actuators.dotenv import DotenvActuator
from rampgate.actuators.frame import Change
from rampgate.clock import SystemClock
from rampgate.config.loading import load
from rampgate.io import http
from rampgate.rollout.effect import Effect, ReadBack
from rampgate.rollout.records import Holder
from rampgate.rollout.state import RolloutState
from rampgate.rollout.tools import RolloutTools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.actuators.frame import ActuatorSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment that reads its dotenv file at each start of its API."""
    with Deployment(tmp_path_factory.mktemp("rollout"), "--flags", "dotenv") as running:
        yield running


@contextmanager
def mover(deployment: Deployment, folder: Path, propagation: str, **more: str) -> Iterator[Any]:
    """Makes a change by an actuator, that of rampgate.toml where none is given; returns what users read."""
    own = {"target.api": deployment.ready["api"], "target.admin_token": deployment.ready["admin_token"]}
    own |= {"rollout.users": "20", "rollout.settle": "0s", "rollout.propagation": propagation}
    own |= {key.replace("__", "."): value for key, value in more.items()}
    settings, redactor = load(ROOT / "rampgate.toml", overrides=own, from_environment=False, environ={})
    assert settings.flags is not None
    clock, holder = SystemClock(), Holder.here("advance", "ada", 0.0)
    clients = partial(http.client, settings.target.base("api"), run_id="rollout", timeout_s=30.0)
    read_back = ReadBack(settings.flags, settings.rollout, clients, clock, lambda _: None)
    with RolloutState(folder / "rollout.sqlite") as state:
        tools = RolloutTools(settings, redactor, folder, state, state.take(holder)[0], holder, clock)

        def move(actuator: ActuatorSettings | None, percentage: float, *, on: bool = True) -> Effect:
            change = Change(tuple(settings.rollout.features), percentage, on)
            read_back.before(change.features)
            began = clock.monotonic()
            (actuator or settings.rollout.actuators[0]).apply(change, tools)
            return read_back.after(change, began)

        yield move
        state.leave(tools.token)


def test_a_dotenv_file_and_a_restart_move_the_percentage(deployment: Deployment, tmp_path: Path) -> None:
    """Up, and off again: users read what the file says once the API has started anew."""
    restart = [sys.executable, "-m", "pharmapilot", "--restart", str(deployment.ready_file)]
    dotenv = DotenvActuator(name="env", kind="dotenv", file=deployment.ready["dotenv"], restart=restart)
    without = dotenv.model_copy(update={"restart": []})
    with mover(deployment, tmp_path, "120s") as move:
        for percentage, on in ((75.0, True), (0.0, False)):
            effect = move(dotenv, percentage, on=on)
            assert effect.ok, effect.sentence
    with mover(deployment, tmp_path, "1s") as move:
        effect = move(without, 50.0)
    assert "are not those of 50 %" in effect.sentence


def test_the_flag_api_moves_the_percentage_and_each_lie_of_it_is_found(
    deployment: Deployment, tmp_path: Path
) -> None:
    """What the answer says is no evidence: ignored, of another flag, late, or of one replica alone."""
    with mover(deployment, tmp_path, "60s") as move:
        effect = move(None, 75.0)
        assert effect.ok, effect.sentence
        assert move(None, 0.0, on=False).ok
    lies: dict[str, dict[str, Any]] = {
        "flag_change_ignored": {},
        "flag_change_another": {"flag": "serviceWorker"},
        "flag_change_late": {"s": 600},
        "flag_replica_stale": {"share": 0.5},
    }
    found = {}
    with mover(deployment, tmp_path, "2s") as move:
        for name, parameters in lies.items():
            deployment.admin.put("/api/admin/faults", json={name: parameters})
            found[name] = move(None, 75.0).sentence
            deployment.admin.delete("/api/admin/faults")
            move(None, 0.0, on=False)
            deployment.admin.put("/api/admin/feature-flags/serviceWorker", json={"enabled": False})
    assert all("are not those of 75 %" in sentence for sentence in found.values()), found


def test_a_deployment_that_counts_in_workspaces_is_read_back_by_them(
    deployment: Deployment, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Its buckets are those of the reference; one that counts in users has mixed workspaces."""
    unknown = {"flags__algorithm": "unknown"}
    with Deployment(tmp_path_factory.mktemp("unit"), "--flag-unit", "workspace") as by_workspace:
        with mover(by_workspace, tmp_path, "60s", rollout__unit="workspace") as move:
            effect = move(None, 50.0)
            assert effect.ok, effect.sentence
            assert effect.sentence.endswith("each of 200 workspaces is on one side")
        with mover(by_workspace, tmp_path, "2s", rollout__unit="user", **unknown) as move:
            assert "users are on both sides, by the workspace: rampgate-" in move(None, 50.0).sentence
    with mover(deployment, tmp_path, "2s", rollout__unit="workspace", **unknown) as move:
        effect = move(None, 50.0)
        assert not effect.ok
        assert " of 200 workspaces have users on both sides: rampgate-" in effect.sentence
        move(None, 0.0, on=False)
