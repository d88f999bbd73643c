"""How soon the abort sees a spike, and how often it stops a sound service: simulated seconds, the real watch.

    python -m benchmarks.abort_calibration [--alpha 2.5e-4]

Raw results go to benchmarks/results/abort.jsonl, a line per block of runs; a block that is there for the same
watch and the same alpha is not run again. A run is 600 seconds of 200 requests; requests fail independently
or in whole bunches. Beside the watch: the bank of bets that is restarted every 10 seconds by the clock. Then
whole runs, which all abort monitors of the default thresholds look at, with the grace for the critical ones.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rampgate.config import policy
from rampgate.config.settings import Settings
from rampgate.load import abort_monitors
from rampgate.load.seconds import Second
from rampgate.model import always_valid
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).parent / "results" / "abort.jsonl"
REQUESTS, SECONDS, ONSET, CALM = 200, 600, 300, 0.005
SPIKES = [(0.05, 0.02), (0.10, 0.02), (0.10, 0.05), (0.30, 0.05)]
ENDINGS = (0.05, 0.10, 0.30, 1.0)
SPIKE_RUNS, STEADY_RUNS, BLOCK = 200, 2000, 250
STEADY = [(rate, bunch) for rate in (0.01, 0.02) for bunch in (1, 4, 50, 200)]
TREACHEROUS = 0
"""No bunch: each second is like a 5 % spike with chance 2/5, else faultless: the hardest service at 2 %."""


@dataclass(frozen=True)
class Block:
    """Some runs of one kind."""

    test: str
    limit: float
    rate: float
    bunch: int
    onset: int | None
    runs: int
    seed: int
    alpha: float


class WholeRun:
    """All abort monitors of a run with the default thresholds; every failed request exceeds every latency."""

    rules = policy.load_rules(Settings())
    edges = tuple(one.edge for one in abort_monitors.monitored(rules) if one.edge is not None)

    def __init__(self, alpha: float) -> None:
        """Begin with no second seen."""
        self.monitors = abort_monitors.AbortMonitors(self.rules, alpha)
        self.fired_at: int | None = None

    def add(self, second: int, failing: int, n: int) -> None:
        """Tell one second."""
        above = dict.fromkeys(self.edges, failing)
        self.monitors.add(Second(second, n, failing, n, above, 1, 1.0, None, None, None))
        # When the run ends, not when the threshold was broken: the grace is part of the delay.
        self.fired_at = second if self.monitors.stop else None

    @property
    def log_evidence(self) -> float:
        """The largest of any monitor."""
        return max(each.log_evidence for each in self.monitors.of.values())

    @property
    def critical(self) -> bool:
        """Whether the run was ended by a critical threshold."""
        names = {rule.threshold.name: rule.threshold.severity for rule in self.rules.rules}
        return self.monitors.stop is not None and names[self.monitors.stop[0]] is Severity.CRITICAL


class Bank:
    """The comparison: all u from the start, a new set every 10 seconds, threshold log(restarts / alpha)."""

    bets = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95])

    def __init__(self, limit: float, alpha: float) -> None:
        """Begin with no bet placed."""
        self.limit, self.threshold = limit, math.log(SECONDS / 10 / alpha)
        self.pots = np.empty((0, len(self.bets)))
        self.log_evidence = 0.0
        self.fired_at: int | None = None

    def add(self, second: int, failing: int, n: int) -> None:
        """Tell one second."""
        if second % 10 == 0:
            self.pots = np.vstack([self.pots, np.full(len(self.bets), 1 / len(self.bets))])
        self.pots = np.minimum(self.pots * (1 + self.bets * (failing / n / self.limit - 1)), 1e300)
        self.log_evidence = max(self.log_evidence, math.log(self.pots.sum(axis=1).max()))
        if self.fired_at is None and self.log_evidence >= self.threshold:
            self.fired_at = second


TESTS: dict[str, Callable[[Block], WholeRun | Bank | always_valid.AlwaysValidTest]] = {
    "run": lambda block: WholeRun(block.alpha),
    "bank": lambda block: Bank(block.limit, block.alpha),
    "watch": lambda block: always_valid.AlwaysValidTest(block.limit, block.alpha),
}


def failures(block: Block, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Failing requests of each second of one run."""
    rates = np.full(SECONDS, block.rate)
    if block.onset is not None:
        rates[: block.onset] = CALM
    if block.bunch == TREACHEROUS:
        return rng.binomial(REQUESTS, np.where(rng.random(SECONDS) < block.rate / 0.05, 0.05, 0.0))
    return rng.binomial(REQUESTS // block.bunch, rates) * block.bunch


def run(block: Block) -> dict[str, Any]:
    """The second of firing and the largest evidence of each run."""
    rng = np.random.default_rng(block.seed)
    fired, peaks, critical = [], [], 0
    for _ in range(block.runs):
        watch = TESTS[block.test](block)
        for second, failing in enumerate(failures(block, rng).tolist()):
            watch.add(second, failing, REQUESTS)
            if watch.fired_at is not None:
                break
        fired.append(watch.fired_at)
        peaks.append(round(watch.log_evidence, 2))
        critical += isinstance(watch, WholeRun) and watch.critical
    counted = {"critical": critical} if block.test == "run" else {}
    return {"fired_at": fired, "log_evidence": peaks, **counted}


def blocks(alpha: float) -> list[Block]:
    """All that is to be run."""
    found = [
        Block(test, limit, rate, bunch, onset, SPIKE_RUNS, 1, alpha)
        for bunch in (1, 4, 50)
        for rate, limit in SPIKES
        for test, onset in (("watch", ONSET), ("bank", ONSET), ("bank", ONSET + 5))
    ]
    for rate, bunch in [*STEADY, (0.02, TREACHEROUS)]:
        found += [
            Block("watch", 0.02, rate, bunch, None, BLOCK, 100 + part, alpha)
            for part in range(STEADY_RUNS // BLOCK)
        ]
    found += [
        Block("run", 0.02, rate, bunch, ONSET, SPIKE_RUNS, 1, alpha) for bunch in (1, 4) for rate in ENDINGS
    ]
    return found + [
        Block("run", 0.02, 0.01, 4, None, BLOCK, 300 + part, alpha) for part in range(STEADY_RUNS // BLOCK)
    ]


def complete(alpha: float) -> list[dict[str, Any]]:
    """Run and append what is missing; every row that belongs to this code and alpha."""
    test = inspect.getsource(always_valid.AlwaysValidTest)
    text = f"{test}{always_valid.BETS}{always_valid.ALARMS}{inspect.getsource(abort_monitors)}"
    code = hashlib.sha256(text.encode()).hexdigest()[:12]
    RESULTS.parent.mkdir(exist_ok=True)
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    there = {json.dumps(row["block"]): row for row in map(json.loads, lines) if row["code"] == code}
    rows = []
    for block in blocks(alpha):
        key = json.dumps(asdict(block))
        if key not in there:
            there[key] = {"code": code, "block": asdict(block), **run(block)}
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(there[key]) + "\n")
        rows.append(there[key])
    return rows


def delay(row: dict[str, Any]) -> str:
    """Median and 95th percentile of the seconds to abort, and the runs that never did, or did too soon."""
    onset = row["block"]["onset"]
    took = sorted(math.inf if second is None else second - onset + 1 for second in row["fired_at"])
    middle, late = took[len(took) // 2 - 1], took[math.ceil(0.95 * len(took)) - 1]
    never, early = sum(map(math.isinf, took)), sum(value < 1 for value in took)
    notes = [f"{never} not in {SECONDS - onset} s"] * bool(never) + [f"{early} before"] * bool(early)
    shown = f"{middle:.0f} / {late:.0f}".replace("inf", "never")
    return shown + (f" ({', '.join(notes)})" if notes else "")


def print_spikes(rows: list[dict[str, Any]], alpha: float) -> None:
    """The table of the spikes."""
    print(f"Seconds to abort, median / p95 of {SPIKE_RUNS} runs, alpha {alpha:g}, calm at {CALM:.1%} before")
    print("(floor: no valid test has a smaller median, even given the second in advance)\n")
    print("| spike | limit | bunches of | watch | bank, restart at the spike | bank, 5 s later | floor |")
    print("|---|---|---|---|---|---|---|")
    for ours, aligned, late in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
        block = ours["block"]
        floor = math.ceil(math.log(0.5 / alpha) / math.log(block["rate"] / block["limit"]))
        cells = [f"{block['rate']:.0%}", f"{block['limit']:.0%}", block["bunch"]]
        cells += [delay(ours), delay(aligned), delay(late), floor]
        print("|", " | ".join(map(str, cells)), "|")


def print_steady(rows: list[dict[str, Any]], alpha: float) -> None:
    """The table of the false aborts."""
    print(f"\nFalse aborts in {STEADY_RUNS:,} runs of {SECONDS} s, limit 2 %, alpha {alpha:g}\n")
    print("| true rate | bunches of | aborted | largest evidence (threshold) |")
    print("|---|---|---|---|")
    threshold = always_valid.AlwaysValidTest(0.02, alpha).threshold
    for first in range(0, len(rows), STEADY_RUNS // BLOCK):
        group = rows[first : first + STEADY_RUNS // BLOCK]
        block = group[0]["block"]
        aborted = sum(second is not None for row in group for second in row["fired_at"])
        most = max(max(row["log_evidence"]) for row in group)
        bunch = block["bunch"] or "2 of 5 seconds at 5 %, else faultless"
        print(f"| {block['rate']:.0%} | {bunch} | {aborted} | {most} ({threshold}) |")


def print_endings(rows: list[dict[str, Any]], alpha: float) -> None:
    """The table of whole runs."""
    print(f"\nWhole runs with the default thresholds, alpha {alpha:g} for each chain, the grace included\n")
    print("| rate | bunches of | seconds to the end, median / p95 | rolled back | held |")
    print("|---|---|---|---|---|")
    spikes = [row for row in rows if row["block"]["onset"] is not None]
    for row in spikes:
        block = row["block"]
        stopped = sum(second is not None for second in row["fired_at"])
        cells = [
            f"{block['rate']:.0%}",
            block["bunch"],
            delay(row),
            row["critical"],
            stopped - row["critical"],
        ]
        print("|", " | ".join(map(str, cells)), "|")
    healthy = [second for row in rows if row not in spikes for second in row["fired_at"]]
    stopped = sum(second is not None for second in healthy)
    print(f"\nEnded among {len(healthy):,} healthy runs (1 %, in bunches of four): {stopped}")


def main() -> None:
    """Run what is missing and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alpha", type=float, default=2.5e-4)
    alpha = parser.parse_args().alpha
    rows = complete(alpha)
    single = [row for row in rows if row["block"]["test"] != "run"]
    print_spikes([row for row in single if row["block"]["onset"] is not None], alpha)
    print_steady([row for row in single if row["block"]["onset"] is None], alpha)
    print_endings([row for row in rows if row["block"]["test"] == "run"], alpha)


if __name__ == "__main__":
    main()
