"""What judging a load run of ten million requests costs: seconds, and peak memory beside that of a small run.

    python -m benchmarks.judging_ten_million [--requests 10000000] [--json FILE]

The product's own recorder writes the blocks of four endpoints and two cohorts, 10,000 requests a second, one
in a thousand a 503, on a clock that does not wait; the run takes each block as it does live, and judges at
its end. *Recording* is what a generating process does for it, *counting* what the run does with its blocks
while it is on, *judging* what comes after the last one, up to the written report. Each size is a process of
its own: were memory to grow with the requests, the last one's peak would be a hundred times the first one's.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rampgate.config.settings import Settings
from rampgate.evidence import verdicts
from rampgate.load import run as load
from rampgate.load.generator import CpuStats
from rampgate.load.plan import prepare
from rampgate.load.table import OFF, ON
from rampgate.load.times import Recorder
from rampgate.model.redact import Redactor
from rampgate.report import write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE, ENDPOINTS, MEDIAN_MS, FAILING = 10_000, 4, 20.0, 0.001
USERS, RAMP_S = 100, 10.0
SIZES = (100, 10, 1)
"""The whole number of requests divided by these, the small runs first."""


class Clock:
    """Time that is set instead of waited for."""

    time = 1_000_000.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.time

    def monotonic(self) -> float:
        """The same."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.time += seconds


def settings(folder: Path, seconds: float) -> Settings:
    """Up in ten seconds, then steady."""
    return Settings.model_validate(
        {
            "reports": str(folder / "reports"),
            "target": {"api": "http://127.0.0.1:9"},
            "endpoints": [{"name": f"e{n}", "path": f"/e{n}", "load": True} for n in range(ENDPOINTS)],
            "load": {"users": USERS, "ramp_up": RAMP_S, "plateau": seconds, "ramp_down": 0},
        }
    )


def second(begun: float, random: np.random.Generator) -> Iterator[tuple[Any, ...]]:
    """The requests of one second, as a recorder takes them."""
    return zip(
        random.integers(0, ENDPOINTS, RATE).tolist(),
        random.choice([ON, OFF], RATE).tolist(),
        (begun + np.arange(RATE) / RATE).tolist(),
        random.lognormal(np.log(MEDIAN_MS), 0.6, RATE).tolist(),
        [0.0] * RATE,
        np.where(random.random(RATE) < FAILING, 503, 200).tolist(),
        strict=True,
    )


def measure(requests: int) -> dict[str, Any]:
    """Write, count and judge so many requests; in a process of its own."""
    clock, random = Clock(), np.random.default_rng(1)
    spent = {"recording": 0.0, "counting": 0.0, "judging": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        plateau = max(1.0, requests / RATE - RAMP_S)
        setup = prepare(settings(Path(folder), plateau), Redactor())
        run = load.LoadRun(setup, clock=clock, environ={})
        blocks: list[bytes] = []
        cpu = [0.0]
        recorder = Recorder(blocks.append, clock, lambda: CpuStats(0.0, cpu[0]))
        take, size = run.sink("own"), 0
        recorder.begin(clock.time)
        for _ in range(round(RAMP_S + plateau)):
            rows, began = list(second(clock.time, random)), time.perf_counter()
            for row in rows:
                recorder.add(*row)
            clock.time += 1
            cpu[0] += 0.5
            recorder.flush()
            spent["recording"] += time.perf_counter() - began
            run.count_users(USERS)
            size += sum(map(len, blocks))
            spent["counting"] += timed(lambda: [take(block) for block in blocks])
            blocks.clear()
        run.check_over()
        spent["judging"] = timed(lambda: judge(run))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "requests": round(RAMP_S + plateau) * RATE,
        **{name: round(seconds, 2) for name, seconds in spent.items()},
        "evidence_mb": round(size / 2**20, 1),
        "peak_rss_mb": round(peak, 1),
    }


def judge(run: load.LoadRun) -> None:
    """Judge the run and write its report."""
    folder = run.finish()
    write_all(verdicts.conclude(folder), folder)


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for part in SIZES:
        command = [sys.executable, "-m", "benchmarks.judging_ten_million", "measure"]
        done = subprocess.run(
            [*command, str(arguments.requests // part)], check=True, stdout=subprocess.PIPE, text=True
        )
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(json.dumps(rows[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(int(sys.argv[2]))))
    else:
        main()
