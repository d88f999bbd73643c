"""``make prove-blame``: situations whose cause is the runner, the settings, or the target.

Each is a run of the gate against a small service of loopback, and beside it stands its reverse. Appends raw
rows to blame.jsonl. Resumable: a case that this commit's file holds is not run again, unless --again.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from proofs.blame_case import SETTINGS, USUAL
from proofs.blame_cases import CASES
from proofs.rows import complete, options
from tests.plugin.deployment import closed_address
from tests.unit.fakes import serving
from tests.unit.tls import Authority, encrypted

if TYPE_CHECKING:
    from proofs.blame_case import Case
    from proofs.rows import Row

RESULTS = Path(__file__).parent / "results" / "blame.jsonl"
TIMEOUT_S = 240.0
_REFUSED = re.compile(r"(?:ERROR|rampgate): .*")


def run(case: Case) -> Row:
    """Run one case: its exit code, its first line, its next step, and whether they are as they must be."""
    with tempfile.TemporaryDirectory(prefix="rampgate-blame-") as name, ExitStack() as stack:
        folder = Path(name)
        api = closed_address()
        if case.target:
            target = case.target()
            tls = encrypted(Authority(folder).certificate("127.0.0.1")) if target.tls else None
            api = stack.enter_context(serving(target, idle_s=target.keep, tls=tls))
        settings = SETTINGS.format(**{**USUAL, "api": api, **case.fills})
        for file, text in {"rampgate.toml": settings, "pytest.ini": "[pytest]\n", **case.files}.items():
            (folder / file).write_text(text, encoding="utf-8")
        began = time.monotonic()
        done = _typed(case, folder)
        seconds = round(time.monotonic() - began, 1)
        said = done.stdout + done.stderr
        verdict = folder / "reports" / "latest" / "verdict.json"
        found = json.loads(verdict.read_text(encoding="utf-8")) if verdict.is_file() else {}
        refused = _REFUSED.search(said)
        first = next(iter(found.get("reasons", ())), refused[0] if refused and done.returncode else "")
        next_step = found.get("next", "")
        good = done.returncode == case.code and case.words in first and next_step.startswith(case.next)
        return {
            "target": case.reverse,
            "verdict": found.get("verdict", "none"),
            "code": done.returncode,
            "first": first,
            "notes": found.get("notes", []),
            "next": next_step,
            "seconds": seconds,
            "right": good,
        }


def _typed(case: Case, folder: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = case.command
    return subprocess.run(
        [*case.before, str(Path(sys.executable).parent / program), *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", **case.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


def line(row: Row) -> str:
    """One row of the table."""
    head = f"{row['case']:<44} {row['verdict']:<9} {row['code']:>4} {row['seconds']:>6}"
    return f"{head}\n    {row['first'] or '-'}\n    next: {row['next'] or '-'}"


def main() -> int:
    """Run what is missing, print the table, and fail when a row is not as it must be."""
    asked = options(__doc__)
    print(f"{'situation':<44} {'verdict':<9} exit {'s':>6}; below it the first line, and the next step")
    return complete(asked, RESULTS, CASES, run, line)


if __name__ == "__main__":
    sys.exit(main())
