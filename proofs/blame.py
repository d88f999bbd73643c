"""``make prove-blame``: situations whose cause is the runner, the settings, or the target.

Each is a run of the gate against a small service of loopback, and beside it stands its reverse. Appends raw
rows to blame.jsonl. Resumable: a case that this commit's file holds is not run again, unless --again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs.blame_case import SETTINGS, USUAL
from proofs.blame_cases import CASES
from proofs.faults import append, commit, results
from tests.plugin.deployment import nobody
from tests.unit.fakes import serving
from tests.unit.tls import Authority, encrypted

if TYPE_CHECKING:
    from proofs.blame_case import Case

RESULTS = Path(__file__).parent / "results" / "blame.jsonl"
TIMEOUT_S = 240.0
_REFUSED = re.compile(r"(?:ERROR|rampgate): .*")


def run(case: Case) -> dict[str, Any]:
    """Run one case: its exit code, its first line, its next step."""
    with tempfile.TemporaryDirectory(prefix="rampgate-blame-") as name, ExitStack() as stack:
        folder = Path(name)
        api = nobody()
        if case.target:
            target = case.target()
            tls = encrypted(Authority(folder).certificate("127.0.0.1")) if target.tls else None
            api = stack.enter_context(serving(target, idle_s=target.keep, tls=tls))
        settings = SETTINGS.format(**{**USUAL, "api": api, **case.fills})
        for file, text in {"rampgate.toml": settings, "pytest.ini": "[pytest]\n", **case.files}.items():
            (folder / file).write_text(text, encoding="utf-8")
        began = time.monotonic()
        program, *arguments = case.command
        done = subprocess.run(
            [*case.before, str(Path(sys.executable).parent / program), *arguments],
            cwd=folder,
            env={**os.environ, "COLUMNS": "200", **case.environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        seconds = round(time.monotonic() - began, 1)
        said = done.stdout + done.stderr
        verdict = folder / "reports" / "latest" / "verdict.json"
        found = json.loads(verdict.read_text(encoding="utf-8")) if verdict.is_file() else {}
        refused = _REFUSED.search(said)
        first = next(iter(found.get("reasons", ())), refused[0] if refused and done.returncode else "")
        return {
            "verdict": found.get("verdict", "none"),
            "code": done.returncode,
            "first": first,
            "notes": found.get("notes", []),
            "next": found.get("next", ""),
            "seconds": seconds,
        }


def right(case: Case, row: dict[str, Any]) -> bool:
    """Whether a row is as it must be."""
    return bool(row["code"] == case.code and case.words in row["first"] and row["next"].startswith(case.next))


def show(row: dict[str, Any]) -> None:
    """One row of the table."""
    mark = "" if row["right"] else "  <- wrong"
    print(f"{row['case']:<44} {row['verdict']:<9} {row['code']:>4} {row['seconds']:>6}{mark}")
    print(f"    {row['first'] or '-'}\n    next: {row['next'] or '-'}", flush=True)


def main() -> int:
    """Run what is missing, print the table, and fail when a row is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="run every case again")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    options = parser.parse_args()
    at, wrong = commit(), 0
    known = {} if options.again else {row["case"]: row for row in results(RESULTS, at)}
    print(f"{'situation':<44} {'verdict':<9} exit {'s':>6}; below it the first line, and the next step")
    for case in CASES:
        if options.case not in case.name:
            continue
        row: dict[str, Any] | None = known.get(case.name)
        if row is None:
            row = {"commit": at, "case": case.name, "target": case.reverse, **run(case)}
            row["right"] = right(case, row)
            append(RESULTS, row)
        show(row)
        wrong += not row["right"]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
