"""Whether a rollback took effect, on a real deployment and in a real browser."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from proofs.cases import ROOT, flag, switch
from proofs.mutations import deployment, heal

from rampgate.checks.flag_service.settings import FlagSettings
from rampgate.io.browser import SignedInBrowser, SignIn
from rampgate.stage.rollback_tab import OpenTab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.async_api import Page, Response
    from proofs.cases import Ready
    from tests.journeys.conftest import Program

    from rampgate.model.measurement import Measurement

ENROLLED = "alice"
FLAG = "virtualization"
PATH = "/api/feature-flags/{flag}?userId={user}&workspaceId={workspace}"
SETTINGS = """
percentage = 0
[target]
name = "clinic"
web = "{web}"
api = "{api}"
[login]
path = "/api/auth/login"
body = {{ email = "{email}", password = "{password}" }}
form = {{ path = "/signin" }}
[flags]
path = "/api/feature-flags/{{flag}}?userId={{user}}&workspaceId={{workspace}}"
expected = {{ virtualization = 25, apiCaching = 25, performanceMonitoring = 100 }}
bulk = {{ path = "/api/feature-flags/evaluate" }}
[[pages]]
name = "patients"
path = "/patients"
sign_in = true
[[endpoints]]
name = "patients"
path = "/api/patients?limit=20"
body = "items"
[rollout]
enrolled = [{{ user = "alice", workspace = "ward" }}]
tab = "patients"
propagation = "1s"
[rollout.data]
path = "/api/patients?limit=20"
count = "items"
minimum = 20
[[alerts]]
name = "on-call"
url = "json://{inbox}/alerts?-token={secret}"
"""
SECRET = "s3cret-of-the-channel"  # made up


@pytest.fixture(scope="module")
def rolled_back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ready, Path]]:
    """A deployment in which every feature is off, and what says where it is."""
    with deployment("rollback", (), tmp_path_factory.mktemp("deployment")) as found:
        yield found


@pytest.fixture
def ready(rolled_back: tuple[Ready, Path]) -> Iterator[Ready]:
    """The same, which a test may break."""
    yield rolled_back[0]
    heal(rolled_back[0])
    flag(FLAG, enabled=False, percentage=0, userOverrides={ENROLLED: None})(rolled_back[0])


def verified(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """The exit code, the verdict and the output of the stage."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-m", "rollback", "-p", "tests.journeys.short_look"),
            *(f"--rampgate-reports={folder / 'reports'}", *arguments),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    path = folder / "reports" / "latest" / "verdict.json"
    assert path.is_file(), done.stdout + done.stderr
    return done.returncode, json.loads(path.read_text(encoding="utf-8")), done.stdout + done.stderr


def verified_here(ready: Ready, folder: Path) -> tuple[int, dict[str, Any], str]:
    """The same with settings of its own."""
    inbox = ready["inbox"].partition("://")[2]
    text = SETTINGS.format(**{**ready, "inbox": inbox, "secret": SECRET})
    (folder / "rampgate.toml").write_text(text, encoding="utf-8")
    return verified(folder)


def outcomes(verdict: dict[str, Any]) -> dict[str, str]:
    """Check -> outcome, of those that did not pass."""
    return {each["check"]: each["outcome"] for each in verdict["checks"] if each["outcome"] != "passed"}


def sent(ready: Ready, run: str) -> list[str]:
    """The messages about a run that arrived."""
    answer = httpx.get(f"{ready['inbox']}/messages", params={"contains": run}, timeout=10)
    return [each["text"] for each in answer.json()["messages"]]


@pytest.mark.alone
def test_a_rollback_that_took_effect_is_a_go(rolled_back: tuple[Ready, Path], tmp_path: Path) -> None:
    """Every feature is off, the deployment is well: PROMOTE, and nobody is alerted."""
    code, verdict, told = verified(tmp_path, f"--demo-ready={rolled_back[1]}")
    assert (code, outcomes(verdict)) == (0, {}), told
    tab = next(each for each in verdict["checks"] if each["check"] == "rollback/tab::open_tab_reads_off")
    assert "reads off: virtualization" in str(tab)
    assert not sent(rolled_back[0], verdict["run"])


def test_a_feature_left_on_for_those_enrolled_holds_and_alerts(ready: Ready, tmp_path: Path) -> None:
    """Off for everybody else, it is named with the user who has it, and one message goes to each channel."""
    flag(FLAG, enabled=True, percentage=0, userOverrides={ENROLLED: True})(ready)
    code, verdict, told = verified_here(ready, tmp_path)
    assert code == 10, told
    assert outcomes(verdict) == {"rollback/flags::features_are_off_for_those_enrolled": "failed"}
    assert f"{FLAG} of {ENROLLED}" in verdict["reason"]
    (message,) = sent(ready, verdict["run"])
    assert f"{FLAG} of {ENROLLED}" in message
    assert "alerts.on-call took the message" in told
    assert SECRET not in told


def test_an_api_that_fails_holds_though_every_feature_is_off(ready: Ready, tmp_path: Path) -> None:
    """Flags that are off are no rollback that worked while requests fail: hold, named by the endpoint."""
    switch("api", errors={"status": 500, "endpoint": "/api/patients"})(ready)
    code, verdict, told = verified_here(ready, tmp_path)
    assert code == 10, told
    found = outcomes(verdict)
    assert found["rollback/health::endpoint_answers_in_time[patients]"] == "failed"
    assert not [check for check in found if check.startswith(("rollback/flags", "rollback/features"))], told
    assert len(sent(ready, verdict["run"])) == 1


def test_a_feature_left_on_for_everybody_is_seen_by_each_reader(ready: Ready, tmp_path: Path) -> None:
    """Fresh users, the account and a page that is loaded again all have it still, and each check says so."""
    flag(FLAG, enabled=True, percentage=100)(ready)
    code, verdict, told = verified_here(ready, tmp_path)
    assert code == 10, told
    assert {check for check, outcome in outcomes(verdict).items() if outcome == "failed"} == {
        "rollback/flags::features_are_off_for_everybody",
        "rollback/flags::features_are_off_for_those_enrolled",
        "rollback/features::features_are_off_for_the_account",
        "rollback/tab::open_tab_reads_off",
    }
    assert "keeps virtualization until it is loaded again; then it reads virtualization on" in told


def test_a_tab_that_asks_once_keeps_the_feature_until_it_is_loaded_again(
    ready: Ready, program: Program
) -> None:
    """Rolled back while it is open, it is said to keep the feature; loaded again it reads off."""
    flag(FLAG, enabled=True, percentage=100)(ready)
    opened = OpenTab(
        "patients", f"{ready['web']}/patients", FlagSettings(path=PATH, expected={FLAG: 100}), [FLAG]
    )
    off: list[asyncio.Future[None]] = []

    def answered(answer: Response) -> None:
        if f"/{FLAG}?" in answer.url and not off:
            change = flag(FLAG, enabled=False)
            off.append(asyncio.get_running_loop().run_in_executor(None, change, ready))

    async def work(tab: Page) -> list[Measurement]:
        tab.on("response", answered)
        found = await opened.read(tab, 2.0)
        await asyncio.gather(*off)
        return found

    form = SignIn(f"{ready['web']}/signin", ready["email"], ready["password"], "/")
    with SignedInBrowser(program, sign_in=form) as browser:
        (left,) = browser.visit(f"{ready['web']}/patients", work)
    assert left.value == 0
    assert left.note == "asks once, and keeps virtualization until it is loaded again; then it reads off"
