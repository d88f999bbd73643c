"""The whole stage before a deploy, as somebody types it, with everything real but the auditor."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from proofs import leftovers
from proofs.bad_input_world import MARK, marked
from proofs.cases import ROOT

from rampgate import demo
from rampgate.config import plan
from rampgate.config.loading import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALONE = str(Path(sys.executable).parent)
"""A PATH that has the interpreter's folder, and nothing that is installed on the machine."""


@dataclass
class Ran:
    """A run that has ended: its exit code, what it printed, its verdict, and all that is left of it."""

    code: int
    said: str
    verdict: dict[str, Any]
    stores: dict[str, list[str]]
    left: list[str]

    @property
    def outcomes(self) -> dict[str, str]:
        """Check -> outcome."""
        return {check["check"]: check["outcome"] for check in self.verdict["checks"]}


def predeploy(folder: Path, arguments: Sequence[str], **environ: str) -> Ran:
    """Run ``pytest -m predeploy --demo`` in an empty folder, with a folder of its own for what is temporary.

    Its path is short: a browser's socket lies in it, and a socket's path has 107 letters at most.
    """
    with tempfile.TemporaryDirectory(prefix="predeploy-") as temporary:
        return ran(folder, Path(temporary), arguments, environ)


def ran(folder: Path, temporary: Path, arguments: Sequence[str], environ: Mapping[str, str]) -> Ran:
    """The run, and what is left of it in both folders."""
    project, stores = folder / "project", folder / "stores.json"
    project.mkdir()
    (project / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    mark = secrets.token_hex(8)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAMPGATE_")}
    own = {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "STORES_AT_END": str(stores), MARK: mark}
    names = ("calm_auditor", "short_look", "stores_at_end")
    seams = [argument for name in names for argument in ("-p", f"tests.journeys.{name}")]
    before = leftovers.descendants(os.getpid()).keys()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "predeploy", "--demo", *seams, *arguments],
        cwd=project,
        env={**kept, **own, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    (project / "pytest.ini").unlink()
    now = leftovers.descendants(os.getpid())
    verdict = project / "reports" / "latest" / "verdict.json"
    assert verdict.is_file(), done.stdout
    return Ran(
        done.returncode,
        done.stdout,
        json.loads(verdict.read_text(encoding="utf-8")),
        json.loads(stores.read_text(encoding="utf-8")),
        [
            *marked(mark, folder.resolve()),
            *(command for pid, command in now.items() if pid not in before),
            *leftovers.files(project, temporary),
        ],
    )


def planned() -> set[str]:
    """The checks that the demo's settings plan."""
    wanted = demo.for_stage(demo.settings_of(demo.settings_file()), "predeploy")
    overrides = {setting: value for setting, value in wanted.settings.items() if "." not in setting}
    settings, _ = load(demo.settings_file(), overrides=overrides, from_environment=False)
    return {each.check for each in plan.make("predeploy", settings).checks}


@pytest.mark.alone
def test_the_stage_promotes_the_demo_and_leaves_nothing(tmp_path: Path) -> None:
    """Every planned check passes, the short load decides, and stores, processes and folders are as before."""
    told = predeploy(tmp_path, [])
    assert (told.code, told.verdict["verdict"]) == (0, "promote"), told.said
    assert ": production 1.0.0 at 0 %, from " in told.said
    stage = {check: outcome for check, outcome in told.outcomes.items() if check.startswith("predeploy/")}
    assert stage == dict.fromkeys(planned(), "passed")
    assert len(stage) == 29
    plateau = {check for check in told.outcomes if check.startswith("load/plateau")}
    assert len(plateau) == 4
    assert set(told.outcomes.values()) == {"passed"}
    assert "pharmapilot_reference" in told.stores["mongodb"], "the demo's own stores were looked at"
    assert leftovers.scratch(told.stores) == []
    assert told.left == []


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "two workers"])
def test_without_prometheus_it_holds_and_says_what_is_missing(tmp_path: Path, workers: list[str]) -> None:
    """Where the programs are not installed one line says so, first and beside the verdict: never a go."""
    told = predeploy(tmp_path, ["-k", "monitoring", *workers], PATH=ALONE)
    missing = "not installed: alertmanager, prometheus; as root: rampgate doctor --fix"
    assert told.said.splitlines()[0] == f"rampgate: {missing}"
    assert (told.code, told.verdict["verdict"]) == (10, "hold"), told.said
    assert told.verdict["notes"] == [missing]
    assert "Traceback" not in told.said
    monitoring = "predeploy/monitoring::"
    failed = {f"{monitoring}monitoring_is_up[{name}]" for name in ("prometheus", "alertmanager")}
    assert {check for check, outcome in told.outcomes.items() if outcome == "failed"} == failed
    skipped = {f"{monitoring}{name}" for name in ("jobs_are_up", "rules_are_loaded", "metrics_are_delivered")}
    assert {check for check, outcome in told.outcomes.items() if outcome == "skipped"} == skipped
    assert told.left == []
