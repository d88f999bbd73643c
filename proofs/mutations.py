"""``make prove-mutations``: one mutation for each check before and during a deploy, and what the check says.

Every check first runs on the healthy deployment, then on one that is broken where this check looks; a row is
right when the first passes and the second does not, for its own reason. Appends raw rows to mutations.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from proofs.commit import commit
from proofs.mutation_cases import MUTATIONS, Mutation
from proofs.rows import append

from rampgate import demo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from proofs.cases import Ready

RESULTS = Path(__file__).parent / "results" / "mutations.jsonl"
STACK = ("--stack", "full")
"""Every deployment comes with its monitoring, so that any check of any stage can be run on it."""
STAGES = tuple(dict.fromkeys(mutation.stage for mutation in MUTATIONS))


@contextmanager
def deployment(stage: str, arguments: Sequence[str], folder: Path) -> Iterator[tuple[Ready, Path]]:
    """A fresh deployment as a stage wants it: its ready file's content, and that file."""
    settings = demo.for_stage(demo.settings_of(demo.settings_file()), stage)
    settings = settings.model_copy(update={"command": [*settings.command, *arguments]})
    with demo.deployment(settings) as ready:
        path = folder / "ready.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(ready), encoding="utf-8")
        yield ready, path


def heal(ready: Ready) -> None:
    """Switch every fault off."""
    headers = {"Authorization": f"Bearer {ready['admin_token']}"}
    for path in (f"{ready['api']}/api/admin/faults", f"{ready['web']}/admin/faults"):
        httpx.delete(path, headers=headers, timeout=10).raise_for_status()


def run_check(
    stage: str, check: str, ready_file: Path, reports: Path, environ: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    """How one check ended: its entry in the verdict.

    Args:
        stage: predeploy, or deploy-STEP.
        check: its id without the stage.
        ready_file: of the deployment.
        reports: where the run is written; backups and pictures are kept beside it.
        environ: variables of the run beside those of this process.
    """
    name, _, step = stage.partition("-")
    file, _, function = check.partition("::")
    function, _, key = function.partition("[")
    chosen = f"test_{function}" + (f" and {key.rstrip(']').split()[0]}" if key else "")
    steps = [f"--step={step}"] if step else []
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-m", name, *steps, f"--demo-ready={ready_file}"),
            *(f"--rampgate-reports={reports}", "-k", f"{file} and {chosen}"),
        ],
        cwd=reports.parent,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    path = reports / "latest" / "verdict.json"
    if not path.is_file():
        raise AssertionError(f"{check}: no verdict was written\n{done.stdout}\n{done.stderr}")
    checks = json.loads(path.read_text(encoding="utf-8"))["checks"]
    found = [
        each for each in checks if each["check"].startswith((f"{name}/{check}", "load/")) and each["outcome"]
    ]
    worst: Mapping[str, Any] = max(found, key=lambda each: _BADNESS.index(each["outcome"]), default={})
    return worst or {"outcome": "never ran", "reason": ""}


def sentence(found: Mapping[str, Any]) -> str:
    """What a check says, without its name: that holds what is broken, whatever the check says."""
    text: str = found["reason"] or found.get("message", "")
    return text.removeprefix(f"{found.get('check')}: ")


_BADNESS = ("passed", "skipped", "undecided", "error", "failed")


def proved(mutations: Sequence[Mutation], stage: str) -> Iterator[Mapping[str, Any]]:
    """Each check of a stage on the healthy deployment and on the broken one."""
    mine = [mutation for mutation in mutations if mutation.stage == stage]
    mine.sort(key=lambda mutation: (mutation.lasts, bool(mutation.arguments)))
    with tempfile.TemporaryDirectory(prefix="rampgate-mutations-") as name:
        folder = Path(name)
        healthy: dict[str, str] = {}
        with deployment(stage, STACK, folder) as (ready, path):
            for mutation in mine:
                if mutation.check not in healthy:
                    prepare(mutation, path, folder / "reports")
                    found = run_check(stage, mutation.check, path, folder / "reports")
                    healthy[mutation.check] = found["outcome"]
            for mutation in (each for each in mine if not each.lasts):
                yield _broken(mutation, healthy, ready, path)
                heal(ready)
        for mutation in (each for each in mine if each.lasts):
            with deployment(stage, (*STACK, *mutation.arguments), folder) as (ready, path):
                yield _broken(mutation, healthy, ready, path)


def prepare(mutation: Mutation, ready_file: Path, reports: Path) -> None:
    """Measure, and accept, what the check compares with."""
    if mutation.first:
        run_check("predeploy", mutation.first, ready_file, reports)
    if mutation.first.startswith("visual"):
        rampgate = [
            sys.executable,
            "-m",
            "rampgate",
            "accept",
            "latest",
            "--by",
            "proof",
            f"--reports={reports}",
        ]
        subprocess.run(rampgate, cwd=reports.parent, check=True, capture_output=True)


def _broken_code(folder: Path) -> Mapping[str, str]:
    """Variables with which the deployment's own code cannot be imported."""
    package = folder / "broken" / "pharmapilot"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("import a_module_that_nobody_has_written\n", encoding="utf-8")
    return {"PYTHONPATH": str(package.parent)}


def _broken(mutation: Mutation, healthy: Mapping[str, str], ready: Ready, path: Path) -> Mapping[str, Any]:
    mutation.inject(ready)
    began = time.monotonic()
    environ = _broken_code(path.parent) if mutation.breaks_code else {}
    found = run_check(mutation.stage, mutation.check, path, path.parent / "reports", environ)
    before, outcome = healthy[mutation.check], found["outcome"]
    return {
        "stage": mutation.stage,
        "check": mutation.check,
        "mutation": mutation.what,
        "healthy": before,
        "outcome": outcome,
        "reason": found["reason"] or found.get("message", ""),
        "seconds": round(time.monotonic() - began, 1),
        "right": before == "passed"
        and outcome not in {"passed", "never ran"}
        and mutation.reason in sentence(found),
    }


def main() -> int:
    """Run the mutations, print the table, and fail when a check did not catch its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", choices=STAGES, action="append", help="only this one; repeatable")
    parser.add_argument("--check", default="", help="only checks whose id contains this")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped then, too
    wrong = 0
    chosen = [mutation for mutation in MUTATIONS if options.check in mutation.check]
    for stage in options.stage or STAGES:
        for row in proved(chosen, stage):
            append(RESULTS, {"commit": commit(), **row})
            wrong += not row["right"]
            mark = "" if row["right"] else "  <- wrong"
            print(
                f"{row['stage']:<18}{row['check']:<50}{row['mutation']:<36}"
                f"{row['healthy']:<9}{row['outcome']:<10}{row['seconds']:>6} s  {row['reason']}{mark}",
                flush=True,
            )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
