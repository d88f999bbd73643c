"""``make prove-bad-inputs``: what somebody gets wrong, and what the checks before a deploy make of it.

Each case is a run of ``pytest -m predeploy`` on the reference deployment, whose stores ask for a password. A
row is right when the one check that must notice says so in one clear line, and nothing is left: no process,
no temporary file, no scratch database, no half backup, no change of the data, no secret in what the run wrote
or printed. Appends raw rows to bad_inputs.jsonl. Resumable: a case that this commit's file holds is not run
again, unless --again.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs.bad_input_cases import CASES
from proofs.bad_input_world import MARK, SECRETS, contents, files_of, marked, world
from proofs.rows import complete, options

if TYPE_CHECKING:
    from proofs.bad_input_case import Case
    from proofs.bad_input_world import World
    from proofs.rows import Row

RESULTS = Path(__file__).parent / "results" / "bad_inputs.jsonl"
TIMEOUT_S = 60.0
_LOCKS = "rampgate-locks"
"""Where the locks of targets are, which stay: a lock's file that is removed may be taken by two."""
_TROUBLE = re.compile("ERROR: |rampgate: no verdict: ")
_READABLE = 350
_WRITTEN = ("reports", "backups", "__pycache__", ".pytest_cache")


def run(case: Case, seen: World) -> Row:
    """Run one case: what it said, and what it left."""
    with tempfile.TemporaryDirectory(prefix="rampgate-bad-input-") as name:
        project, temporary = Path(name) / "project", Path(name) / "temporary"
        project.mkdir()
        temporary.mkdir()
        good = {"web": seen.web, "api": seen.api, "mongodb": seen.mongodb, "redis": seen.redis}
        values = {**good, "allow": "true", **case.values(seen)}
        scripts = (("rampgate.toml", case.settings.format(**values)), ("pytest.ini", "[pytest]\n"))
        for file, text in (*scripts, *case.scripts):
            (project / file).write_text(text, encoding="utf-8")
        with case.around(project):
            before = {"data": contents(seen), "files": files_of(project), "temporary": files_of(temporary)}
            mark, began = secrets.token_hex(8), time.monotonic()
            done = _pytest(project, temporary, case, mark)
            seconds = round(time.monotonic() - began, 1)
            left = [
                *marked(mark, Path(name).resolve()),
                *_changed(case, before, seen, project, temporary, done.stdout),
            ]
            row = {**_verdict(case, project, done), "leftovers": left, "seconds": seconds}
            return {**row, "right": right(case, row)}


def _pytest(project: Path, temporary: Path, case: Case, mark: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("RAMPGATE_", "PYTEST_"))}
    room = ["bash", "-c", f'ulimit -f {case.kib}; exec "$0" "$@"'] if case.kib else []
    process = subprocess.Popen(
        [*room, sys.executable, "-m", "pytest", "-m", "predeploy"],
        cwd=project,
        env={**environ, "TMPDIR": str(temporary), "COLUMNS": "200", MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:  # no row is right that had to be helped to its end
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=TIMEOUT_S)
    return subprocess.CompletedProcess([], process.returncode, said)


def _verdict(case: Case, project: Path, done: subprocess.CompletedProcess[str]) -> Row:
    """How the case's check ended, and the first line of what was wrong."""
    path = project / "reports" / "latest" / "verdict.json"
    if not (path.is_file() and path.stat().st_size):
        first = next((line for line in done.stdout.splitlines() if _TROUBLE.match(line)), "")
        return {
            "outcome": "no verdict",
            "code": done.returncode,
            "first": first,
            "reasons": int(bool(first)),
            "noticed": _clear(case, first, done.stdout),
        }
    verdict = json.loads(path.read_text(encoding="utf-8"))
    outcomes = {check["check"].removeprefix("predeploy/"): check["outcome"] for check in verdict["checks"]}
    outcome = outcomes.get(case.check, "passed" if set(outcomes.values()) == {"passed"} else "none")
    first = str((verdict["reasons"] or [""])[0])
    return {
        "outcome": outcome,
        "code": done.returncode,
        "first": first,
        "reasons": len(verdict["reasons"]),
        "noticed": case.check in first and _clear(case, first, done.stdout),
    }


def _clear(case: Case, first: str, said: str) -> bool:
    """Whether the first line names the cause, is one that can be read, and no traceback is beside it."""
    readable = len(first) <= _READABLE and "\n" not in first and "<" not in first
    return readable and case.words in first and "Traceback" not in said


def _changed(
    case: Case, before: dict[str, Any], seen: World, project: Path, temporary: Path, said: str
) -> list[str]:
    """What a run left or changed that it must not."""
    now = contents(seen)
    data = before["data"]
    found = [f"data: {key}" for key in sorted(data.keys() | now.keys()) if data.get(key) != now.get(key)]
    after = files_of(project)
    found += [f"changed: {path}" for path, text in before["files"].items() if after.get(path) != text]
    new = after.keys() - before["files"].keys()
    found += [f"new: {path}" for path in sorted(new) if path.split("/")[0] not in _WRITTEN]
    new_temporary = files_of(temporary).keys() - before["temporary"].keys()
    found += [f"temporary: {path}" for path in sorted(new_temporary) if not path.startswith(_LOCKS)]
    found += _backups(case, [path for path in new if path.startswith("backups/the-backup")])
    after["what it printed"] = said.encode()
    found += [
        f"secret in {path}"
        for path, text in after.items()
        if path != "rampgate.toml" and any(secret.encode() in text for secret in SECRETS)
    ]
    found += [f"the message was sent on: {method}" for method in seen.followed]
    seen.followed.clear()
    return found


def _backups(case: Case, new: list[str]) -> list[str]:
    """What is wrong with the backups that a run left: whole ones where they must be, and nothing else."""
    if not case.whole:
        return [f"backup: {path}" for path in new]
    inside = [path.split("/")[2:] for path in new if path.count("/") > 1]
    whole = {parts[0] for parts in inside if parts[1:] == ["SHA256SUMS"]}
    return [
        f"backup: {name}"
        for name in sorted({parts[0] for parts in inside} | set(case.whole))
        if not (name in whole and name in case.whole)
    ]


def right(case: Case, row: Row) -> bool:
    """Whether a row is as it must be: a single reason, in the case's words, and nothing left."""
    said = (row["outcome"], row["code"], row["reasons"]) == (case.outcome, case.code, int(bool(case.check)))
    return said and (row["noticed"] or not case.check) and not row["leftovers"]


def line(row: Row) -> str:
    """One row of the table."""
    left = "; ".join(row["leftovers"]) or "none"
    head = f"{row['case']:<54} {row['outcome']:<8} {row['code']:>4} {row['seconds']:>6}  {left}"
    return f"{head}\n    {row['first']}"


def main() -> int:
    """Run what is missing, print the table, and fail when a row is not as it must be."""
    asked = options(__doc__)
    cases = [case for case in CASES if os.geteuid() == 0 or not case.root]
    print(f"{len(CASES) - len(cases)} cases that only root can make are left out")
    print(f"{'case':<54} {'outcome':<8} exit {'s':>6}  left behind; below it the first line")
    with tempfile.TemporaryDirectory(prefix="rampgate-bad-inputs-") as folder, world(Path(folder)) as seen:
        return complete(asked, RESULTS, cases, partial(run, seen=seen), line)


if __name__ == "__main__":
    sys.exit(main())
