"""``make prove-healthy``: 20 runs on the healthy deployment, each brought up anew; appends raw results.

Resumable: counts the runs that this commit's lines in healthy.jsonl already hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from proofs.cases import Case, nothing, run_case
from proofs.commit import commit
from proofs.rows import append, results

RESULTS = Path(__file__).parent / "results" / "healthy.jsonl"
RUNS = 20


def main() -> int:
    """Run what is missing, and fail when any run did not promote."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    runs = parser.parse_args().runs
    at = commit()
    rows = results(RESULTS, at)
    for number in range(len(rows) + 1, runs + 1):
        with tempfile.TemporaryDirectory(prefix="rampgate-healthy-") as folder:
            result = run_case(Case("healthy", nothing, "promote", ""), Path(folder))
        rows.append({"commit": at, **asdict(result)})
        append(RESULTS, rows[-1])
        print(f"{number:>3}  {result.verdict:<9} {result.seconds:>6} s  {result.reason}", flush=True)
    promoted = sum(row["verdict"] == "promote" for row in rows)
    print(f"{promoted} of {len(rows)} runs at {at} promoted")
    return 0 if promoted == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
