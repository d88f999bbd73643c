"""``make prove-rollout-chance``: does a soak see what its plan promises, and what stops a healthy rollout?

Detectability: of each stage of the default plan, at 2, 20 and 200 votes a second, the smallest harm that the
plan says its soak sees in 90 % of the cases; then so many soaks are simulated with that harm, and counted in
how many of them the split holds, or paired betting rolls back. A soak that 2x needs is tried the same way.

Healthy rollouts: soaks of all stages, one after another, of users who fail alike, and of such who use up the
margin; and before each step a stage whose endpoints fail half as often as they may. Counted is in how many
rollouts anything failed, beside what the ledger allows. Appends raw rows to rollout_chance.jsonl.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from proofs.cohort_soaks import BACKGROUND, MARGIN, POLL_S, wealth
from proofs.rows import complete, options
from scipy.stats import beta

from rampgate.config.rollout import RolloutSettings
from rampgate.evidence.chance import (
    FALSE_FAIL_OF_OWN,
    FALSE_FAIL_PER_RUN,
    FALSE_HOLD_PER_ROLLOUT,
    FALSE_PASS_PER_CHECK,
    FALSE_ROLLBACK_PER_ROLLOUT,
    of_watch,
)
from rampgate.model.statistics import three_way
from rampgate.outcome import Outcome
from rampgate.rollout.detect import SURE, Comparing, Risk, Traffic

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from proofs.rows import Row

RESULTS = Path(__file__).parent / "results" / "rollout_chance.jsonl"
PROVED = (
    "src/rampgate/model/cohorts.py",
    "src/rampgate/rollout/detect.py",
    "src/rampgate/evidence/chance.py",
    "proofs/rollout_chance.py",
    "proofs/cohort_soaks.py",
)
PLAN = RolloutSettings(features=["feature"])
WATCH_TESTS = 10
"""Of the watch of the reference deployment; each has an equal share."""
ALPHA = of_watch(PLAN) / WATCH_TESTS
RISK = Risk(MARGIN, ALPHA, ALPHA)
STAGES = [each for each in PLAN.percentages if PLAN.soak_at(each)]
RATES, SOAKS, ROLLOUTS, CHUNK = (2.0, 20.0, 200.0), 1000, 1000, 100
SURELY = 1e-3
"""A count is wrong where it surely is, at this level."""
STAGE_TESTS, STAGE_N, STAGE_LIMIT = 12, 600, 0.02
"""Of one stage before a step: tests of endpoints that fail half as often as they may."""


@dataclass(frozen=True)
class Case:
    """One row.

    Args:
        name: what it is found by.
        rate: votes a second.
        percentage: of a stage; 0 for a whole rollout.
        twice: whether the harm is 2x, in the soak that the plan says it needs.
        votes: else requests, of which only paired betting counts.
        harm: of a whole rollout, in background errors.
    """

    name: str
    rate: float
    percentage: float = 0.0
    twice: bool = False
    votes: bool = True
    harm: float = 1.0


CASES = [
    *(Case(f"{rate:g}/s at {at:g} %", rate, at) for rate in RATES for at in STAGES),
    *(Case(f"2x, {rate:g}/s at {at:g} %", rate, at, twice=True) for rate in RATES for at in STAGES),
    *(Case(f"requests, {rate:g}/s at {at:g} %", rate, at, votes=False) for rate in RATES for at in STAGES),
    *(Case(f"healthy rollouts, {rate:g}/s", rate) for rate in RATES),
    *(
        Case(f"rollouts at the margin, {rate:g}/s", rate, harm=1 + MARGIN * (1 - BACKGROUND) / BACKGROUND)
        for rate in RATES
    ),
]
LONGEST_S = 8 * 86400.0
"""A soak that would be longer is not tried."""


def run(case: Case) -> Row:
    """Simulate a case."""
    random = np.random.default_rng(zlib.crc32(case.name.encode()))
    return detected(random, case) if case.percentage else healthy(random, case)


def stopped(
    random: np.random.Generator, case: Case, share: float, soak: float, harm: float, many: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """In which of so many soaks the split holds, and in which paired betting rolls back."""
    polls, found = round(soak / POLL_S), []
    for begun in range(0, many, CHUNK):
        size = (min(CHUNK, many - begun), polls)
        on, off = share * case.rate * POLL_S, (1 - share) * case.rate * POLL_S
        failed = [random.poisson(on * BACKGROUND * harm, size), random.poisson(off * BACKGROUND, size)]
        good = [random.poisson(on * (1 - BACKGROUND * harm), size)]
        good.append(random.poisson(off * (1 - BACKGROUND), size))
        counts = np.stack([good[0] + failed[0], failed[0], good[1] + failed[1], failed[1]]).astype(float)
        found.append(wealth(counts))
    paired, split = (np.concatenate([each[i].max(1) for each in found]) for i in (0, 1))
    return split >= -math.log(RISK.hold), paired >= -math.log(RISK.rollback)


def detected(random: np.random.Generator, case: Case) -> Row:
    """In how many soaks the harm was seen that the plan says a soak sees."""
    share, soak = case.percentage / 100, PLAN.soak_at(case.percentage)
    comparing = Comparing(Traffic(case.rate, BACKGROUND, case.votes, interval=POLL_S), RISK, share)
    harm = 2.0 if case.twice else comparing.smallest(soak)
    needs = comparing.seen_after(2.0)
    said = {"rate": case.rate, "percentage": case.percentage, "harm": harm, "twice_needs_s": needs}
    said["harm_5x_needs_s"] = comparing.seen_after(PLAN.harm)
    said["rollback_5x_needs_s"] = comparing.rolls_back_after(PLAN.harm)
    soak = math.ceil(needs / POLL_S) * POLL_S if case.twice else soak
    if harm is None or soak > LONGEST_S:
        return {**said, "soaks": 0, "right": True}
    many = SOAKS if soak <= 2 * 86400 else SOAKS // 2
    holds, rolls = stopped(random, case, share, soak, harm, many)
    seen = int((rolls | (holds & case.votes)).sum())
    most = beta.ppf(1 - SURELY, seen + 1, many - seen) if seen < many else 1.0
    counted = {"soaks": many, "seen": seen, "held": int(holds.sum()), "rolled_back": int(rolls.sum())}
    return {**said, "soak_s": soak, **counted, "right": bool(most >= SURE)}


def healthy(random: np.random.Generator, case: Case) -> Row:
    """In how many rollouts anything failed."""
    held, rolled = np.zeros(ROLLOUTS, bool), np.zeros(ROLLOUTS, bool)
    for at in STAGES:
        holds, rolls = stopped(random, case, at / 100, PLAN.soak_at(at), case.harm, ROLLOUTS)
        held, rolled = held | holds | rolls, rolled | rolls
    staged = _stages(random)
    failed = held | staged
    return {
        "rate": case.rate,
        "harm": case.harm,
        "rollouts": ROLLOUTS,
        "held_by_cohorts": int(held.sum()),
        "rolled_back": int(rolled.sum()),
        "held_by_stages": int(staged.sum()),
        "stopped": int(failed.sum()),
        "ledger_hold": FALSE_HOLD_PER_ROLLOUT,
        "ledger_rollback": FALSE_ROLLBACK_PER_ROLLOUT,
        "right": _kept(int(failed.sum()), FALSE_HOLD_PER_ROLLOUT)
        and _kept(int(rolled.sum()), FALSE_ROLLBACK_PER_ROLLOUT),
    }


def _stages(random: np.random.Generator) -> NDArray[np.bool_]:
    """In which rollouts a stage before a step has failed."""
    alpha = (FALSE_FAIL_PER_RUN - FALSE_FAIL_OF_OWN) / STAGE_TESTS
    steps = len(PLAN.percentages) - 1
    failed = random.binomial(STAGE_N, STAGE_LIMIT / 2, (ROLLOUTS, steps * STAGE_TESTS))
    fails = [
        k
        for k in range(int(failed.max()) + 1)
        if three_way(k, STAGE_N, STAGE_LIMIT, FALSE_PASS_PER_CHECK, alpha) is Outcome.FAILED
    ]
    found: NDArray[np.bool_] = np.isin(failed, fails).sum(axis=1) > 0
    return found


def _kept(count: int, chance: float) -> bool:
    """Whether a count of all rollouts is not surely more than a chance allows."""
    return not count or bool(beta.ppf(SURELY, count, ROLLOUTS - count + 1) <= chance)


def line(row: Row) -> str:
    """A row of the table."""
    if "rollouts" in row:
        rolled, most = row["rolled_back"], row["rollouts"] * row["ledger_hold"]
        says = f"{row['case']}: {row['stopped']} of {row['rollouts']} stopped, {rolled} rolled back"
        return f"{says} (the ledger allows {most:g} on average)"
    needs: Any = row["twice_needs_s"] / 3600
    says = f"{row['case']}: sees {row['harm']:.2f}x; 2x needs {needs:.1f} h"
    return f"{says}; seen in {row['seen']} of {row['soaks']}" if row["soaks"] else f"{says}; not simulated"


def main() -> int:
    """Run what is missing, and print every row."""
    return complete(options(__doc__), RESULTS, CASES, run, line, proved=PROVED)


if __name__ == "__main__":
    raise SystemExit(main())
