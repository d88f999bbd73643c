"""``make prove-faults``: the nine faults with everything real; appends raw results to faults.jsonl.

Resumable: a case that this commit's file already holds is not run again, unless --again.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from proofs.cases import CASES, EXIT_CODES, run_case
from proofs.rows import complete, options

if TYPE_CHECKING:
    from proofs.cases import Case
    from proofs.rows import Row

RESULTS = Path(__file__).parent / "results" / "faults.jsonl"


def run(case: Case) -> Row:
    """Run one case; right is the verdict that it must have, with its exit code, naming its cause."""
    with tempfile.TemporaryDirectory(prefix="rampgate-faults-") as folder:
        row = asdict(run_case(case, Path(folder)))
    said = (row["verdict"], row["exit_code"]) == (case.verdict, EXIT_CODES[case.verdict])
    return {**row, "right": said and case.reason in row["reason"]}


def line(row: Row) -> str:
    """One row of the table."""
    return f"{row['case']:<36} {row['verdict']:<9} {row['exit_code']:>4} {row['seconds']:>6}  {row['reason']}"


def main() -> int:
    """Run what is missing, print the table, and fail when the gate said anything else than it must."""
    asked = options(__doc__)
    print(f"{'fault':<36} {'verdict':<9} {'exit':>4} {'s':>6}  first reason")
    return complete(asked, RESULTS, CASES, run, line)


if __name__ == "__main__":
    sys.exit(main())
