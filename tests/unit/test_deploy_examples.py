"""The examples in deploy/: no engine runs them here, so what can be checked without one is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from rampgate.cli import main
from rampgate.config.loading import load
from rampgate.load.plan import settings_of

DEPLOY = Path(__file__).parents[2] / "deploy"


def documents(name: str) -> list[dict[str, Any]]:
    """What a YAML file says."""
    return list(yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8")))


def jobs() -> dict[str, dict[str, Any]]:
    """The container of each Kubernetes job."""
    found = {d["metadata"]["name"]: d for d in documents("kubernetes/load.yaml") if d["kind"] == "Job"}
    return {name: job["spec"]["template"]["spec"]["containers"][0] for name, job in found.items()}


def commands() -> dict[str, list[str]]:
    """What each container is started with, by where it stands."""
    (compose,) = documents("compose/compose.yaml")
    services = {name: service["command"] for name, service in compose["services"].items()}
    return {**services, **{name: container["args"] for name, container in jobs().items()}}


def test_masters_and_workers_are_named_in_both() -> None:
    """One master and one kind of worker each."""
    assert sorted(commands()) == ["master", "rampgate-master", "rampgate-worker", "worker"]


@pytest.mark.parametrize(("name", "command"), commands().items())
def test_what_the_containers_start_is_a_load_run(
    name: str, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line is one that rampgate takes, and the master's name is the one that workers ask for."""
    started: list[list[str]] = []

    def execv(_: str, arguments: list[str]) -> None:
        started.append(arguments)
        raise SystemExit(0)

    monkeypatch.setattr(os, "execv", execv)
    ended = CliRunner().invoke(main, [part.replace("${WORKERS:-4}", "4") for part in command])
    assert ended.exit_code == 0, ended.output
    if name.endswith("master"):
        assert {"--master", "--expect-workers=4", "--expect-workers-max-wait=120"} <= set(started[0])
    else:
        host = name.replace("worker", "master")
        assert {"--worker", f"--master-host={host}"} <= set(started[0])


def test_the_settings_of_the_examples_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variables that the examples give, and with nothing else."""
    (target,) = (d for d in documents("kubernetes/load.yaml") if d["metadata"]["name"] == "rampgate-target")
    for name, value in target["data"].items():
        monkeypatch.setenv(name, value)
    settings, _ = settings_of(str(DEPLOY / "rampgate.toml"))
    assert settings.target.api == target["data"]["RAMPGATE_TARGET__API"]
    assert settings.allowed_hosts == json.loads(target["data"]["RAMPGATE_ALLOWED_HOSTS"])
    assert [endpoint.load for endpoint in load(DEPLOY / "rampgate.toml")[0].endpoints] == [True]


@pytest.mark.parametrize("name", ["Dockerfile", "compose/compose.yaml", "kubernetes/load.yaml"])
def test_each_example_says_that_it_is_untested(name: str) -> None:
    """Nobody takes them for proved."""
    assert "untested here" in (DEPLOY / name).read_text(encoding="utf-8").splitlines()[0]
