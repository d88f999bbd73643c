from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from proofs.cases import ROOT
from proofs.mutation_cases import MUTATIONS, Mutation
from proofs.mutations import deployment, heal, prepare, run_check, sentence

from rampgate.config.plan import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proofs.cases import Ready

QUICK = (
    "backend::",
    "frontend::theme_shifts_nothing",
    "frontend::bundle_has_not_grown",
    "frontend::console_is_quiet",
    "frontend::flags_are_on",
)
"""The mutations that take seconds; ``make prove-mutations`` runs them all."""


@pytest.fixture(scope="module")
def advanced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ready, Path]]:
    """A deployment after its last step, with its monitoring: what every step has switched on is on."""
    with deployment("deploy-advanced", ("--stack", "full"), tmp_path_factory.mktemp("deployment")) as found:
        yield found


@pytest.mark.parametrize("step", STEPS)
def test_each_step_promotes_on_a_deployment_that_has_taken_it(
    step: str, advanced: tuple[Ready, Path], tmp_path: Path
) -> None:
    """Each step passes all of its checks that have something to compare with, and plans no other step's."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-m", "deploy", f"--step={step}"),
            *(f"--demo-ready={advanced[1]}", f"--rampgate-reports={tmp_path}"),
        ],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"rampgate: deploy stage, step {step}, " in done.stdout
    assert f"PROMOTE  deploy, step {step}: production " in done.stdout
    checks = json.loads((tmp_path / "latest" / "verdict.json").read_text(encoding="utf-8"))["checks"]
    assert {check["check"].partition("::")[0] for check in checks} == {f"deploy/{step}"}
    unlike = {check["check"]: check["outcome"] for check in checks if check["outcome"] != "passed"}
    # There was no run before this deploy whose scripts could be compared with.
    assert unlike == ({"deploy/frontend::bundle_has_not_grown": "skipped"} if step == "frontend" else {})


@pytest.mark.parametrize(
    "mutation",
    [
        each
        for each in MUTATIONS
        if each.stage != "predeploy" and not each.lasts and each.check.startswith(QUICK)
    ],
    ids=lambda each: f"{each.check}, {each.what}",
)
def test_a_step_that_did_not_take_effect_is_caught(
    mutation: Mutation, advanced: tuple[Ready, Path], tmp_path: Path
) -> None:
    """Each check fails for its own reason when what it is for is broken."""
    ready, path = advanced
    prepare(mutation, path, tmp_path / "reports")
    mutation.inject(ready)
    try:
        found = run_check(mutation.stage, mutation.check, path, tmp_path / "reports")
    finally:
        heal(ready)
    assert found["outcome"] == "failed", found
    assert mutation.reason in sentence(found)


def test_the_deploy_stage_needs_a_step() -> None:
    """Without --step nobody knows what was deployed: a clear refusal, and nothing is asked."""
    command = [sys.executable, "-m", "pytest", "-m", "deploy"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "--step: found none with -m deploy; accepted is -m deploy with --step monitoring" in done.stderr
