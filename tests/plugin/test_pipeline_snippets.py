"""The snippets of docs/pipelines.md, run against a deployment: nothing but a promotion raises it.

Each deployment is checked once, and then the steps' own scripts are run by the shell. What a system does
between them (GitHub's ``if``, GitLab's ``allow_failure``, Tekton's ``onError``, Jenkins' Groovy) is played by
a line or two; installing is left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.plugin.deployment import deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "pipelines.md").read_text(encoding="utf-8")
SETTINGS = """
environment = "test"
percentage = 25
[target]
api = "{api}"
[version]
expected = "{version}"
connections = 4
[stages.immediate]
patience = "0s"
"""
CODES = {"promote": 0, "hold": 10, "rollback": 20}
RAISED = "raise the percentage"


class Job:
    """A machine of a pipeline: a folder with settings, in which scripts are run.

    Args:
        folder: an empty one.
        wanted: what the deployment is worth.
    """

    def __init__(self, folder: Path, wanted: str) -> None:
        self.folder, self.wanted = folder / "job", wanted
        self.files, self._first = folder, folder / "first"
        self._first.mkdir()
        self.folder.mkdir()
        self.output = ""

    def checked(self) -> int:
        """Run the checks; calls of theirs in a script end as this one has, whose evidence is there."""
        code = self("pytest -m immediate")
        shim = self._first / "pytest"
        shim.write_text(f"#!/bin/sh\n[ \"$*\" = '-m immediate' ] && exit {code}\nexit 4\n", encoding="utf-8")
        shim.chmod(0o755)
        return code

    def __call__(self, script: str, **more: str) -> int:
        """Run a script as CI systems do, until its first command that fails; its exit code."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAMPGATE_", "PYTEST_", "GITHUB_"))}
        paths = {"PATH": f"{self._first}:{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["/bin/bash", "-e", "-c", script],
            cwd=self.folder,
            env={**kept, **paths, **more},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.output = done.stdout + done.stderr
        return done.returncode


@pytest.fixture(scope="module", params=CODES)
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """A job beside a deployment that is whole, of another version, or down, which has been checked."""
    made = Job(tmp_path_factory.mktemp(request.param), request.param)
    with deployed() as deployment:
        api = "http://127.0.0.1:9" if made.wanted == "rollback" else deployment.url
        version = "2.0.0" if made.wanted == "hold" else "1.0.0"
        settings = SETTINGS.format(api=api, version=version)
        (made.folder / "rampgate.toml").write_text(settings, encoding="utf-8")
        assert made.checked() == CODES[made.wanted], made.output
        yield made


def block(heading: str, language: str) -> str:
    """The first block of a language under a heading."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(rf"```{language}\n(.*?)```", part, re.DOTALL)
    assert found, heading
    return found[1]


def lines_of(script: list[str]) -> str:
    """A script without its installing."""
    return "\n".join(line for line in script if not line.startswith("pip install"))


def test_github_promotes_a_promotion_alone(job: Job) -> None:
    """Its job for each verdict, and no other, is started; every output is the verdict's."""
    jobs: dict[str, Any] = yaml.safe_load(block("GitHub Actions", "yaml"))["jobs"]
    files = {"GITHUB_OUTPUT": job.files / "output", "GITHUB_STEP_SUMMARY": job.files / "summary"}
    environ = {"GITHUB_ACTIONS": "true", **{name: str(path) for name, path in files.items()}}
    red = False
    for step in jobs["gate"]["steps"]:
        if (script := step.get("run")) and not script.startswith("pip install"):
            failed = job(script, **environ) != 0
            red |= failed and not step.get("continue-on-error", False)
    outputs = dict(line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text().splitlines())
    assert outputs["verdict"] == job.wanted
    assert outputs["exit_code"] == str(CODES[job.wanted])
    assert job.wanted.upper() in files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8").splitlines()[0]
    assert red == (job.wanted != "promote")
    started = [name for name, each in jobs.items() if name != "gate" and starts(each["if"], outputs, red=red)]
    assert started == {"promote": ["promote"], "hold": [], "rollback": ["roll-back"]}[job.wanted]


def starts(condition: str, outputs: dict[str, str], *, red: bool) -> bool:
    """Whether GitHub starts a job that needs the gate: without always() after a green one alone."""
    asked = condition.removeprefix("always() && ")
    found = re.fullmatch(r"needs\.gate\.outputs\.verdict == '(\w+)'", asked)
    assert found, condition
    return (asked != condition or not red) and outputs.get("verdict", "") == found[1]


def test_gitlab_goes_on_after_a_hold_and_raises_nothing(job: Job) -> None:
    """A gate that may fail with 10 lets the next job run, which asks for the verdict before it acts."""
    jobs = yaml.safe_load(block("GitLab CI", "yaml"))
    gate, promote = jobs["gate"], jobs["promote"]
    code = job(lines_of(gate["script"]))
    assert code == CODES[job.wanted]
    assert [bool([*job.folder.glob(each)]) for each in gate["artifacts"]["reports"].values()] == [True, True]
    if code and code not in gate["allow_failure"]["exit_codes"]:
        return
    assert job(lines_of(promote["script"])) == code
    assert (RAISED in job.output) == (job.wanted == "promote")


def test_jenkins_asks_before_it_raises(job: Job) -> None:
    """What the stage of the gate makes unstable ends in the first line of the next one."""
    script = block("Jenkins", "groovy")
    gate, *promote = re.findall(r"sh(?:\(returnStatus: true, script:)? '([^']+)'", script)
    assert job(gate) == CODES[job.wanted]
    assert job("\n".join(promote)) == CODES[job.wanted]
    assert (RAISED in job.output) == (job.wanted == "promote")


def test_tekton_says_the_verdict_as_a_result(job: Job) -> None:
    """The task goes on after its check, says what it came to, and ends as it did."""
    task = yaml.safe_load(block("Tekton", "yaml"))
    codes = [
        job(step["script"].replace("$(results.verdict.path)", str(job.files / "result")))
        for step in task["spec"]["steps"]
    ]
    assert codes == [CODES[job.wanted]] * 2
    assert (job.files / "result").read_text() == job.wanted


def test_evidence_leaves_the_pod_first(job: Job) -> None:
    """What was measured is in the archive, and the pod ends with the exit code of the load run."""
    script = block("Load from Kubernetes", "sh").replace("/evidence", str(job.files))
    assert "rampgate load ||" in script
    assert job(script.replace("rampgate load", "pytest -m immediate")) == CODES[job.wanted]
    with tarfile.open(job.files / "reports.tar.gz") as archive:
        assert any(name.endswith("verdict.json") for name in archive.getnames())
