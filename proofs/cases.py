"""Nine faults as data, and the one function that runs a case: the seed of a drill.

A case says what to break in a fresh reference deployment, and what the gate must then say.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from rampgate import demo

ROOT = Path(__file__).parents[1]
Ready = Mapping[str, Any]
Inject = Callable[[Ready], None]
SCRAPED_S = 3.0
"""Prometheus scrapes each second; after so many it knows."""


@dataclass(frozen=True)
class Case:
    """One fault.

    Args:
        name: what a reader calls it.
        inject: breaks it, given the deployment's ready file.
        verdict: what the gate must say.
        reason: what its first reason must contain.
        environment: variables for the gate's process.
    """

    name: str
    inject: Inject
    verdict: str
    reason: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What the gate said of a case."""

    case: str
    verdict: str
    exit_code: int
    reason: str
    seconds: float
    checks: Mapping[str, int]


def switch(service: str, **faults: Any) -> Inject:
    """A fault that the deployment switches on by itself: on the api or on the web server."""
    path = "/api/admin/faults" if service == "api" else "/admin/faults"

    def inject(ready: Ready) -> None:
        headers = {"Authorization": f"Bearer {ready['admin_token']}"}
        httpx.put(ready[service] + path, json=faults, headers=headers, timeout=10).raise_for_status()

    return inject


def stop(process: str) -> Inject:
    """Kill one process of the deployment, by its own id."""

    def inject(ready: Ready) -> None:
        os.kill(int(ready["pids"][process]), signal.SIGKILL)

    return inject


def flag(name: str, **change: Any) -> Inject:
    """A flag that somebody has changed in the store."""

    def inject(ready: Ready) -> None:
        headers = {"Authorization": f"Bearer {ready['admin_token']}"}
        path = f"{ready['api']}/api/admin/feature-flags/{name}"
        httpx.put(path, json=change, headers=headers, timeout=10).raise_for_status()

    return inject


def later(inject: Inject) -> Inject:
    """Break it, and wait until Prometheus has seen it."""

    def both(ready: Ready) -> None:
        inject(ready)
        time.sleep(SCRAPED_S)

    return both


def without_rules(ready: Ready) -> None:
    """Take the alerting rules from Prometheus, as a broken configuration would."""
    words = Path(f"/proc/{ready['pids']['prometheus']}/cmdline").read_bytes().decode().split("\0")
    config = next(word.partition("=")[2] for word in words if word.startswith("--config.file="))
    settings = json.loads(Path(config).read_text(encoding="utf-8"))
    Path(config).write_text(json.dumps(settings | {"rule_files": []}), encoding="utf-8")
    os.kill(ready["pids"]["prometheus"], signal.SIGHUP)  # it reads its configuration once more
    time.sleep(1)


def nothing(ready: Ready) -> None:
    """Break nothing in the deployment."""
    del ready


CASES = (
    Case("API stopped", stop("api"), "rollback", "api"),
    Case("API answers a fast 500", switch("api", errors={"status": 500, "share": 1}), "rollback", "500"),
    Case(
        "200 with an empty list",
        switch("api", empty_bodies={"endpoint": "/api/patients"}),
        "rollback",
        "endpoint_answers_in_time[patients]",
    ),
    Case(
        "Lighthouse missing",
        nothing,
        "hold",
        "lighthouse is missing",
        {"RAMPGATE_LIGHTHOUSE": "/nonexistent"},
    ),
    Case(
        "page answers 500",
        switch("web", page_error={"path": "/patients", "status": 500}),
        "rollback",
        "/patients answered HTTP 500",
    ),
    Case(
        "flags on for 28 % instead of 25 %",
        switch("api", flag_percentage={"flag": "virtualization", "percentage": 28}),
        "hold",
        "flags_reach_the_users_of_their_bucket",
    ),
    Case("flags not sticky", switch("api", flags_not_sticky={"flag": "virtualization"}), "hold", "flags"),
    Case("Redis stopped", stop("redis"), "hold", "redis_answers"),
    Case("MongoDB stopped", stop("mongodb"), "rollback", "mongodb_answers"),
)
EXIT_CODES = {"promote": 0, "hold": 10, "rollback": 20}


def run_case(case: Case, reports: Path, *pytest_args: str) -> Result:
    """Bring a fresh deployment up, break it, run ``pytest -m immediate`` on it, and read the verdict.

    Args:
        case: what to break.
        reports: where the run is written.
        pytest_args: further arguments of pytest.
    """
    settings = demo.settings_of(demo.settings_file())
    with demo.deployment(settings) as ready, tempfile.TemporaryDirectory() as folder:
        ready_file = Path(folder) / "ready.json"
        ready_file.touch(mode=0o600)
        ready_file.write_text(json.dumps(ready), encoding="utf-8")
        case.inject(ready)
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-m", "immediate", f"--demo-ready={ready_file}"]
        done = subprocess.run(
            [*command, f"--rampgate-reports={reports}", *pytest_args],
            cwd=ROOT,
            env={**os.environ, **case.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        seconds = time.monotonic() - began
    path = reports / "latest" / "verdict.json"
    if not path.is_file():
        raise AssertionError(f"{case.name}: no verdict was written\n{done.stdout}\n{done.stderr}")
    verdict = json.loads(path.read_text(encoding="utf-8"))
    outcomes = [check["outcome"] for check in verdict["checks"]]
    return Result(
        case.name,
        verdict["verdict"],
        done.returncode,
        verdict["reason"],
        round(seconds, 1),
        {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
    )
