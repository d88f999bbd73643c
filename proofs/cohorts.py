"""``make prove-cohorts``: what the comparison of cohorts says of simulated users, and how soon.

False calls: soaks of 24 h in which those with the feature keep the margin, with failures that are
independent, in bunches of consecutive requests of an endpoint, or of one user. Shocks: 100 hours of trouble
that meets everybody. Power: how long it takes until a harm is called, as the watch calls it. A row says in
how many soaks (a) paired betting, which rolls back, and (b) the split, which holds, called it harmful.
Trust: in how many soaks users who get the feature next are said to differ from those who get it later, where
they fail alike, and where they do not. Appends raw rows to cohorts.jsonl, and goes on where it was left.
"""

from __future__ import annotations

import math
import statistics
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from proofs.cohort_soaks import BACKGROUND, MARGIN, POLL_S, Soak, votes, wealth
from proofs.rows import complete, options
from scipy.stats import beta

from rampgate.model.always_valid import AlwaysValidTest
from rampgate.model.measurement import Block
from rampgate.watch.cohorts import ROLLBACK_ALPHA, TRUST_ALPHA, Comparison, Finding

RESULTS = Path(__file__).parent / "results" / "cohorts.jsonl"
PROVED = (
    "src/rampgate/model/cohorts.py",
    "src/rampgate/watch/cohorts.py",
    "proofs/cohorts.py",
    "proofs/cohort_soaks.py",
)
HOLD_ALPHA, CHUNK, PARTS, POWER_SOAKS, POWER_POLL_S = 1e-3, 500, 4, 100, 30.0
SURELY = 1e-3
"""A number of false calls is too high where it surely is, at this level."""
SEEN = 0.02
"""So large a difference of next and later must be seen in most soaks; 24 h can be too short for less."""

KINDS: dict[str, dict[str, Any]] = {
    "independent": {},
    "independent, at the margin": {"extra": MARGIN},
    **{f"bunches of {n} of an endpoint": {"bunch": n} for n in (4, 20)},
    **{f"bunches of {n} of a user in {n} s": {"bunch": n, "apart_s": 1.0} for n in (4, 20)},
    **{f"bunches of {n} of a user in {n} min": {"bunch": n, "apart_s": 60.0} for n in (4, 20)},
    "bunches of 20 of a user in 20 s, at the margin": {"bunch": 20, "apart_s": 1.0, "extra": MARGIN},
    "bunches of 20 of a user in 20 min, at the margin": {"bunch": 20, "apart_s": 60.0, "extra": MARGIN},
    "shocks that meet everybody": {"shocks": True, "hours": 100, "soaks": 1000},
}
PLACES = ((2.0, 0.05), (2.0, 0.25), (20.0, 0.05), (20.0, 0.25))
HARMS = (
    (20.0, 0.05, 0.03),
    (20.0, 0.05, 0.05),
    (20.0, 0.05, 0.1),
    (20.0, 0.25, 0.03),
    (2.0, 0.05, 0.03),
    (2.0, 0.05, 0.1),
    (20.0, 0.05, 0.015),
    (20.0, 0.05, 0.005),
)
FALSE = [
    Soak(kind, *place, **given, part=part + 1)
    for part in range(PARTS)
    for kind, given in KINDS.items()
    for place in PLACES
]
POWER = [
    Soak(f"errors of {100 * p:g} %", rate, share, extra=p - BACKGROUND, soaks=POWER_SOAKS)
    for rate, share, p in HARMS
]
NEXT = {0.05: 0.1, 0.25: 0.25}
"""Share with the feature -> share of those who get it next."""
ALIKE = [
    Soak(f"next and later alike, {kind}", rate * (1 - share), NEXT[share] / (1 - share), **given)
    for kind, given in KINDS.items()
    if not given.get("extra") and not given.get("shocks")
    for rate, share in PLACES
]
DIFFERENT = [
    Soak(f"{name} fail {100 * p:g} %", rate * (1 - on), sizes / (1 - on), extra=p - BACKGROUND, soaks=CHUNK)
    for rate, on in PLACES
    for name, sizes in (("next", NEXT[on]), ("later", 1 - on - NEXT[on]))
    for p in (0.015, 0.03, 0.1)
]
NOT_THE_FEATURE = [
    Soak("3 % fail with it and next", *place, extra=0.025, alike=NEXT[place[1]], soaks=POWER_SOAKS)
    for place in PLACES
]


def false_calls(soak: Soak) -> dict[str, Any]:
    """In how many soaks the feature is called harmful though it keeps the margin."""
    random = np.random.default_rng(zlib.crc32(soak.name.encode()))
    called = {"a": 0, "b": 0}
    for _ in range(soak.soaks // CHUNK):
        paired, split = wealth(votes(random, soak, CHUNK))
        called["a"] += int((paired.max(1) >= -math.log(ROLLBACK_ALPHA)).sum())
        called["b"] += int((split.max(1) >= -math.log(HOLD_ALPHA)).sum())
    least = beta.ppf(SURELY, called["a"], soak.soaks - called["a"] + 1) if called["a"] else 0.0
    right = called["a"] == 0 if soak.shocks else bool(least <= ROLLBACK_ALPHA)
    return {**asdict(soak), **called, "right": right}


def trust(soak: Soak) -> dict[str, Any]:
    """In how many soaks the two sides, neither of which has the feature, are said to differ, and how soon."""
    random, minutes = np.random.default_rng(zlib.crc32(soak.name.encode())), []
    for _ in range(soak.soaks // CHUNK):
        counts = votes(random, soak, CHUNK)
        most = np.maximum(wealth(counts)[0], wealth(counts[[2, 3, 0, 1]])[0])
        said = most >= -math.log(TRUST_ALPHA / 2)
        minutes += list(np.where(said.any(1), said.argmax(1) + 1, math.inf) * POLL_S / 60)
    differ, median = sum(map(math.isfinite, minutes)), _finite(statistics.median(minutes))
    least = beta.ppf(SURELY, differ, soak.soaks - differ + 1) if differ else 0.0
    right = bool(least <= TRUST_ALPHA) if not soak.extra else median is not None or soak.extra < SEEN
    return {**asdict(soak), "differ": differ, "median_minutes_differ": median, "right": right}


def power(soak: Soak) -> dict[str, Any]:
    """Minutes until a harm holds, and until it rolls back, by the watch's own class, polled each 30 s."""
    random = np.random.default_rng(zlib.crc32(soak.name.encode()))
    found = [_minutes(random, soak) for _ in range(soak.soaks)]
    names = ("a", "b", "harmless", "untrusted")
    said = {name: _finite(statistics.median(each[name] for each in found)) for name in names}
    calls = {f"{name}_called": sum(math.isfinite(each[name]) for each in found) for name in said}
    over = sum(math.isfinite(each["aggregate"]) for each in found)
    harms = soak.extra > 0 and not soak.alike
    right = said["a"] is not None if harms else calls["a_called"] == 0
    return {**asdict(soak), "median_minutes": said, **calls, "aggregate_called": over, "right": right}


def _minutes(random: np.random.Generator, soak: Soak) -> dict[str, float]:
    """Of one soak: when which call came, infinite where it did not; it ends with the last that may come."""
    comparison, whole = Comparison(100 * MARGIN, HOLD_ALPHA, votes=True), AlwaysValidTest(0.02, HOLD_ALPHA)
    found = dict.fromkeys(("a", "b", "harmless", "untrusted", "aggregate"), math.inf)
    cohorts = ("on", "next", "later") if soak.alike else ("on", "off")
    shares = np.array([soak.share, soak.alike, 1 - soak.share - soak.alike])
    fail = BACKGROUND + np.array([soak.extra, soak.extra, 0.0])
    sides = slice(None) if soak.alike else slice(None, None, 2)
    means, fail = shares[sides] * soak.rate * POWER_POLL_S, fail[sides]
    for poll in range(1, round(soak.hours * 3600 / POWER_POLL_S)):
        many = random.poisson(means)
        failed = random.binomial(many, fail)
        blocks = [Block(int(n), int(failures)) for n, failures in zip(many, failed, strict=True)]
        comparison.add(poll * POWER_POLL_S, zip([""] * len(blocks), cohorts, blocks, strict=True))
        whole.add(poll, sum(block.failures for block in blocks), sum(block.n for block in blocks))
        result = comparison.result
        true = {
            "a": result.may_roll_back,
            "b": result.finding is Finding.HARMS,
            "harmless": result.finding is Finding.HARMLESS,
            "untrusted": result.finding is Finding.UNTRUSTED,
            "aggregate": whole.fired_at is not None,
        }
        for name in (name for name, now in true.items() if now):
            found[name] = min(found[name], poll * POWER_POLL_S / 60)
        if true["a"] or true["untrusted"] or (soak.extra <= 0 and true["harmless"]):
            break
    return found


def _finite(minutes: float) -> float | None:
    return minutes if math.isfinite(minutes) else None


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    if "median_minutes" in row:
        said = ", ".join(f"{name} {minutes} min" for name, minutes in row["median_minutes"].items())
        over = f"the errors of all called in {row['aggregate_called']} of {row['soaks']}"
        return f"{row['case']}: median {said}; {over}"
    if "differ" in row:
        median = row["median_minutes_differ"]
        return f"{row['case']}: differ in {row['differ']} of {row['soaks']:,} soaks, median {median} min"
    return f"{row['case']}: (a) {row['a']}, (b) {row['b']} of {row['soaks']:,} soaks of {row['hours']} h"


def main() -> int:
    """Run what is missing, print every row."""
    first = len(FALSE) // PARTS
    done = {trust: {*ALIKE, *DIFFERENT}, power: {*POWER, *NOT_THE_FEATURE}}
    return complete(
        options(__doc__),
        RESULTS,
        [*FALSE[:first], *POWER, *NOT_THE_FEATURE, *ALIKE, *DIFFERENT, *FALSE[first:]],
        lambda soak: next((run for run, soaks in done.items() if soak in soaks), false_calls)(soak),
        line,
        proved=PROVED,
    )


if __name__ == "__main__":
    raise SystemExit(main())
