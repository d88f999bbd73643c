"""``make prove-repeats``: the checks before and during a deploy say the same each time, and leave nothing.

Against one deployment with the full stack ``pytest -m predeploy`` runs twice in a row and once with ``-n 2``;
against another, which has taken all steps, so does ``pytest -m deploy --step`` for each of the four. A row is
right when it promotes, every check ends as it did in the first run, and nothing is left: no name in the
stores, no process, no file beside reports, whole backups and accepted pictures. Appends raw rows to
repeats.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofs import leftovers
from proofs.bad_input_world import MARK, marked
from proofs.commit import commit
from proofs.mutations import STACK, deployment
from proofs.rows import append

from pharmapilot.connections import DATABASE
from rampgate.config.plan import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from proofs.cases import Ready

RESULTS = Path(__file__).parent / "results" / "repeats.jsonl"
RUNS: Mapping[str, Sequence[str]] = {"first": (), "again": (), "-n 2": ("-n", "2")}
STAGES: Mapping[str, Sequence[Sequence[str]]] = {
    "predeploy": [["-m", "predeploy"]],
    "deploy-advanced": [["-m", "deploy", f"--step={step}"] for step in STEPS],
}
"""The deployment, as a key of [demo.stages], and what is run against it."""
TIMEOUT_S = 900.0


def repeated(stage: str, what: Sequence[str], place: Place) -> Iterator[dict[str, Any]]:
    """Run one stage, or one step, as often as RUNS says: a row each.

    Args:
        stage: the deployment, a key of STAGES.
        what: the arguments of pytest that choose the checks.
        place: where it runs.
    """
    first: Mapping[str, str] | None = None
    for name, more in RUNS.items():
        row = run([*what, *more], place)
        first = row["checks"] if first is None else first
        row["same"] = row["checks"] == first
        row["right"] = row["verdict"] == "promote" and row["same"] and not row["leftovers"]
        shown = "predeploy" if stage == "predeploy" else f"deploy {what[-1]}"
        yield {"run": f"{shown}, {name}", **row}


class Place:
    """Where runs of one deployment take place, and what is there now.

    Args:
        folder: an empty folder.
        ready: content of the deployment's ready file.
        ready_file: the file.
    """

    def __init__(self, folder: Path, ready: Ready, ready_file: Path) -> None:
        self.ready, self.ready_file = ready, ready_file
        self.folder = folder
        self.project, self.temporary = folder / "project", folder / "t"
        self.project.mkdir()
        self.temporary.mkdir()
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")

    def now(self, mark: str) -> dict[str, list[str]]:
        """Names in the stores, processes of ours and of runs with this mark, and files."""
        stores = leftovers.names(self.ready["mongodb_uri"], self.ready["redis_url"])
        ours = leftovers.descendants(os.getpid())
        return {
            **stores,
            "processes": [f"process {pid} ({words})" for pid, words in ours.items()],
            "orphans": marked(mark, self.folder.resolve()),
            "files": leftovers.files(self.project, self.temporary),
        }


def run(arguments: Sequence[str], place: Place) -> dict[str, Any]:
    """One run: how it and each of its checks ended, how long it took, and what was there before and after."""
    mark = secrets.token_hex(8)
    before, began = place.now(mark), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, f"--demo-ready={place.ready_file}"],
        cwd=place.project,
        env={**os.environ, "TMPDIR": str(place.temporary), MARK: mark},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    seconds, after = round(time.monotonic() - began, 1), place.now(mark)
    path = place.project / "reports" / "latest" / "verdict.json"
    if not path.is_file():
        raise AssertionError(f"{arguments}: no verdict was written\n{done.stdout}\n{done.stderr}")
    verdict = json.loads(path.read_text(encoding="utf-8"))
    return {
        "verdict": verdict["verdict"],
        "code": done.returncode,
        "reason": verdict["reason"],
        "seconds": seconds,
        "checks": {check["check"]: check["outcome"] for check in verdict["checks"]},
        "took": {check["check"]: check["seconds"] for check in verdict["checks"]},
        "before": counted(before),
        "after": counted(after),
        "leftovers": left(before, after),
    }


def counted(seen: Mapping[str, list[str]]) -> dict[str, Any]:
    """What a row keeps: the databases by name, Redis's keys by how they begin, the rest by number."""
    return {
        "mongodb": seen["mongodb"],
        "redis": leftovers.prefixes(seen["redis"]),
        "processes": len(seen["processes"]),
        "files": len(seen["files"]),
    }


def left(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> list[str]:
    """What is there after a run that was not there before.

    The deployment itself writes keys into Redis as it is visited, which begin with its database's name.
    """
    own = f"0:{DATABASE}:"
    found = [
        f"redis: {key}" for key in after["redis"] if key not in before["redis"] and not key.startswith(own)
    ]
    found += leftovers.scratch({"redis": [key for key in after["redis"] if key.startswith(own)]})
    for what in ("mongodb", "processes", "orphans", "files"):
        found += [f"{what}: {name}" for name in after[what] if name not in before[what]]
    return found


def show(row: Mapping[str, Any]) -> None:
    """One row of the table."""
    outcomes = list(row["checks"].values())
    counts = ", ".join(f"{outcomes.count(each)} {each}" for each in dict.fromkeys(outcomes))
    what = f"{row['run']:<36} {row['verdict']:<8} {row['seconds']:>6}  {counts:<24}"
    found = "; ".join(row["leftovers"]) or "none"
    mark = "" if row["right"] else f"  <- wrong: {row['reason']}"
    print(f"{what} {'yes' if row['same'] else 'no':<5} {found}{mark}", flush=True)


def main() -> int:
    """Run everything, print the table, and fail when a row is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", choices=STAGES, action="append", help="only this deployment; repeatable")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped then, too
    wrong = 0
    print(f"{'run':<36} {'verdict':<8} {'s':>6}  {'checks':<24} {'same':<5} leftovers")
    for stage in options.stage or STAGES:
        with tempfile.TemporaryDirectory(prefix="repeats-") as name:
            folder = Path(name)
            with deployment(stage, STACK, folder) as (ready, ready_file):
                (folder / "runs").mkdir()
                place = Place(folder / "runs", ready, ready_file)
                for what in STAGES[stage]:
                    for row in repeated(stage, what, place):
                        append(RESULTS, {"commit": commit(), **row})
                        show(row)
                        wrong += not row["right"]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
