"""How often the API probe passes, fails, or cannot say, where requests fail alone or in bunches: simulated.

    python -m benchmarks.latency_calibration [--runs 10000] [--json FILE]

One endpoint, 10 requests a second, looked at after 60, 120, 180 and 300 seconds, by the product's own tests
at the chance that one of 20 tests of a run gets. A bunch is so many consecutive requests; between bunches lie
gaps of geometric length, so that neither blocks nor looks begin with one. Printed is the table of
docs/verdict.md: times that are too long are judged as failures are, at a limit of 5 % for a p95.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rampgate.evidence.chance import FALSE_FAIL_PER_RUN, FALSE_PASS_PER_CHECK
from rampgate.model.always_valid import AlwaysValidTest
from rampgate.model.statistics import three_way
from rampgate.outcome import Outcome

RESULTS = Path(__file__).parent / "results" / "latency_calibration.json"
PACE, BLOCK_S, LOOKS_S, TESTS = 10, 5, (60, 120, 180, 300), 20
LIMITS, TIMES, BUNCHES = (0.02, 0.05), (0.25, 0.5, 1, 2), (1, 4, 10, 20, 50)
OUTAGES = (1.0, 0.3, 0.1)
ALPHA = FALSE_FAIL_PER_RUN / TESTS
PER_BLOCK, BLOCKS = PACE * BLOCK_S, LOOKS_S[-1] // BLOCK_S


class Case(NamedTuple):
    """A limit, the share of requests that fail, in bunches of how many, and how often it is run."""

    limit: float
    rate: float
    bunch: int
    runs: int


def failing(case: Case, rng: np.random.Generator) -> list[int]:
    """Failing requests of each block of one run, which begins anywhere in the service's life."""
    n, rate = PER_BLOCK * BLOCKS, case.rate
    failed = rng.random(n) < rate
    if case.bunch > 1 and rate < 1:
        failed, mean_gap = np.zeros(n, dtype=bool), case.bunch * (1 - rate) / rate
        at = int(rng.integers(1, case.bunch + 1)) if rng.random() < rate else 0
        failed[:at] = True
        while (at := at + int(rng.geometric(1 / (mean_gap + 1))) - 1) < n:
            failed[at : at + case.bunch] = True
            at += case.bunch
    return [int(count) for count in failed.reshape(BLOCKS, PER_BLOCK).sum(axis=1)]


def one(case: Case, rng: np.random.Generator) -> tuple[Outcome, int]:
    """What a run comes to, and after how many seconds."""
    test, total = AlwaysValidTest(case.limit, ALPHA), 0
    for number, count in enumerate(failing(case, rng), 1):
        second, total = number * BLOCK_S, total + count
        test.add(number, count, PER_BLOCK)
        if test.fired_at is not None:
            return Outcome.FAILED, second
        alpha_pass = FALSE_PASS_PER_CHECK / len(LOOKS_S)
        if second in LOOKS_S and _passed(total, number * PER_BLOCK, case.limit, alpha_pass):
            return Outcome.PASSED, second
    return Outcome.UNDECIDED, LOOKS_S[-1]


def _passed(failed: int, n: int, limit: float, alpha: float) -> bool:
    return three_way(failed, n, limit, alpha, ALPHA) is Outcome.PASSED


def row(case: Case) -> dict[str, Any]:
    """All runs of a case."""
    rng = np.random.default_rng([int(1e6 * case.limit), int(1e6 * case.rate), case.bunch])
    found = [one(case, rng) for _ in range(case.runs)]
    outcomes = Counter(outcome.value for outcome, _ in found)
    seconds = sorted(second for _, second in found)
    shares = {name: outcomes[name] / case.runs for name in ("failed", "passed", "undecided")}
    return {
        **case._asdict(),
        **shares,
        "median_s": seconds[case.runs // 2],
        "p99_s": seconds[-case.runs // 100],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of docs/verdict.md: failed / passed / undecided in per cent."""
    heads = ["limit", "truly fail", *("alone" if bunch == 1 else f"in {bunch}s" for bunch in BUNCHES)]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for first in range(0, len(rows), len(BUNCHES)):
        of = rows[first : first + len(BUNCHES)]
        cells = [f"{100 * of[0]['limit']:g} %", f"{100 * of[0]['rate']:g} %", *map(_cell, of)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    return " / ".join(f"{100 * row[name]:.4g}" for name in ("failed", "passed", "undecided"))


def main() -> None:
    """Run every case, print the table, keep the figures."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--runs", type=int, default=10_000)
    options.add_argument("--json", type=Path, default=RESULTS)
    args = options.parse_args()
    truths = [
        Case(limit, limit * t, bunch, args.runs) for limit in LIMITS for t in TIMES for bunch in BUNCHES
    ]
    outages = [Case(0.05, rate, bunch, args.runs) for rate in OUTAGES for bunch in (1, 20)]
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(row, truths + outages))
    args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(table(rows[: len(truths)]))
    for each in rows[len(truths) :]:
        bunch = "alone" if each["bunch"] == 1 else f"in bunches of {each['bunch']}"
        print(f"{100 * each['rate']:g} % fail {bunch}: {each['median_s']} s, 99 % within {each['p99_s']} s")


if __name__ == "__main__":
    main()
