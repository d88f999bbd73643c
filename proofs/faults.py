"""``make prove-faults``: the nine faults with everything real; appends raw results to faults.jsonl.

Resumable: a case that this commit's file already holds is not run again, unless --again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from proofs.cases import CASES, EXIT_CODES, run_case
from proofs.commit import commit

__all__ = ["RESULTS", "append", "commit", "results"]

RESULTS = Path(__file__).parent / "results" / "faults.jsonl"


def results(path: Path, at: str) -> list[dict[str, object]]:
    """What is already known of a commit."""
    if not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [row for row in rows if row["commit"] == at]


def append(path: Path, row: dict[str, object]) -> None:
    """Add one raw result."""
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def main() -> int:
    """Run what is missing, print the table, and fail when the gate said anything else than it must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="run every case again")
    again = parser.parse_args().again
    at = commit()
    known = {} if again else {row["case"]: row for row in results(RESULTS, at)}
    wrong = 0
    print(f"{'fault':<36} {'verdict':<9} {'exit':>4} {'s':>6}  first reason")
    for case in CASES:
        row = known.get(case.name)
        if row is None:
            with tempfile.TemporaryDirectory(prefix="rampgate-faults-") as folder:
                row = {"commit": at, **asdict(run_case(case, Path(folder)))}
            append(RESULTS, row)
        right = row["verdict"] == case.verdict and row["exit_code"] == EXIT_CODES[case.verdict]
        right = right and case.reason in str(row["reason"])
        wrong += not right
        mark = "" if right else f"   <- must be {case.verdict}, naming {case.reason}"
        line = f"{row['case']:<36} {row['verdict']:<9} {row['exit_code']:>4} {row['seconds']:>6}"
        print(f"{line}  {row['reason']}{mark}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
