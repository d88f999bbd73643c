"""``make prove-foreign``: three applications that others wrote, described by settings alone.

    python -m proofs.foreign [--app NAME] [--case NAME] [--runs N]

Each row starts an application and nginx before it on loopback, breaks it, runs ``pytest -m immediate`` in a
folder that holds rampgate.toml and nothing else, and is appended to foreign.jsonl. Installed is each once.
Resumable: what this commit's rows already hold is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs.cases import EXIT_CODES
from proofs.commit import commit
from proofs.foreign import datasette, jupyter, unleash
from proofs.foreign.app import Case, installed
from proofs.foreign.front import delayed, front
from proofs.rows import append, results
from tests.unit.stores_fixture import free_port

if TYPE_CHECKING:
    from proofs.foreign.app import App

RESULTS = Path(__file__).parents[1] / "results" / "foreign.jsonl"
APPS = (jupyter.APP, unleash.APP, datasette.APP)
HEALTHY = Case("healthy", "promote")
RUNS = 5
"""Of the healthy application."""
TIMEOUT_S = 1200


def main() -> int:
    """Run what is missing, print the table, and fail when the gate said anything else than it must."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--app", action="append", choices=[app.name for app in APPS])
    parser.add_argument("--case", action="append", help="only this one; repeatable")
    parser.add_argument("--runs", type=int, default=RUNS, help="of the healthy application")
    options = parser.parse_args()
    at, wrong = commit(), 0
    rows = results(RESULTS, at)
    for app in APPS:
        for case in [HEALTHY] * options.runs + list(app.cases):
            if app.name not in (options.app or [app.name]) or case.name not in (options.case or [case.name]):
                continue
            known = [row for row in rows if (row["app"], row["case"]) == (app.name, case.name)]
            row = known[0] if known else {"commit": at, **run(app, case)}
            if known:
                rows.remove(known[0])
            else:
                append(RESULTS, row)
            right = row["verdict"] == case.verdict and row["exit_code"] == EXIT_CODES[case.verdict]
            wrong += not right
            mark = "" if right else f"   <- must be {case.verdict}"
            line = f"{app.name:<10} {case.name:<28} {row['verdict']:<9} {row['seconds']:>6}"
            print(f"{line}  {row['reason']}{mark}", flush=True)
    return 1 if wrong else 0


def run(app: App, case: Case) -> dict[str, Any]:
    """Start an application, break it, and judge it."""
    program = installed(app)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rampgate-foreign-")))
        port, own = free_port(), free_port()
        process = stack.enter_context(app.serve(program, folder, own))
        case.change(f"http://127.0.0.1:{own}")
        before = own
        if case.delay_s:
            before = free_port()
            stack.enter_context(delayed(folder, before, own, case.delay_s))
        stack.enter_context(front(folder, port, before, app.http, case.nginx + app.server))
        if case.stopped:
            process.terminate()
            process.wait()
        return {"app": app.name, "packages": list(app.packages), "case": case.name, **judged(app, case, port)}


def judged(app: App, case: Case, port: int) -> dict[str, Any]:
    """What ``pytest -m immediate`` says in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="rampgate-foreign-") as project:
        settings = app.settings.format(url=f"http://127.0.0.1:{port}")
        Path(project, "rampgate.toml").write_text(settings, encoding="utf-8")
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-m", "immediate"],
            cwd=project,
            env={**os.environ, **app.environment, **case.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        seconds = round(time.monotonic() - began, 1)
        path = Path(project, "reports", "latest", "verdict.json")
        if not path.is_file():
            raise RuntimeError(f"{app.name}, {case.name}: no verdict\n{done.stdout}\n{done.stderr}")
        verdict = json.loads(path.read_text(encoding="utf-8"))
    outcomes = {check["check"]: check["outcome"] for check in verdict["checks"]}
    return {
        "verdict": verdict["verdict"],
        "exit_code": done.returncode,
        "reason": verdict["reason"],
        "seconds": seconds,
        "checks": {name: outcome for name, outcome in outcomes.items() if outcome != "passed"},
        "passed": sum(outcome == "passed" for outcome in outcomes.values()),
    }


if __name__ == "__main__":
    sys.exit(main())
