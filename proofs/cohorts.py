"""``make prove-cohorts``: what the comparison of cohorts says of simulated users, and how soon.

False calls: soaks of 24 h in which those with the feature keep the margin, with failures that are
independent, in bunches of consecutive requests of an endpoint, or of one user. Shocks: 100 hours of trouble
that meets everybody. Power: how long it takes until a harm is called, as the watch calls it. A row says in
how many soaks (a) paired betting, which rolls back, and (b) the split, which holds, called it harmful.
Appends raw rows to cohorts.jsonl, and goes on where it was left.
"""

from __future__ import annotations

import math
import statistics
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from proofs.rows import complete, options
from scipy.stats import beta

from rampgate.model.always_valid import AlwaysValidTest
from rampgate.model.cohorts import BETS, BLOCK_S, BLOCK_VOTES, BUNCH, RATIOS
from rampgate.model.measurement import Block
from rampgate.watch.cohorts import ROLLBACK_ALPHA, Comparison, Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.float64]

RESULTS = Path(__file__).parent / "results" / "cohorts.jsonl"
PROVED = ("src/rampgate/model/cohorts.py", "src/rampgate/watch/cohorts.py", "proofs/cohorts.py")
BACKGROUND, MARGIN, HOLD_ALPHA = 0.005, 0.003, 1e-3
SOAKS, CHUNK, HOURS, POLL_S = 5_000, 500, 24, 60.0
PARTS, POWER_SOAKS, POWER_POLL_S = 4, 100, 30.0
SURELY = 1e-3
"""A number of false calls is too high where it surely is, at this level."""


@dataclass(frozen=True)
class Soak:
    """One kind of soak.

    Args:
        kind: in words.
        rate: votes a second, with the feature and without.
        share: of them, with the feature.
        bunch: so many fail together.
        apart_s: seconds between two failures of a bunch; 0 for consecutive requests of the endpoint.
        extra: fraction of the votes with the feature that fails beyond the background.
        shocks: whether trouble meets everybody alike now and then.
        hours: that it lasts.
        soaks: how many of them.
        part: the same is simulated in several parts, each a row.
    """

    kind: str
    rate: float
    share: float
    bunch: int = 1
    apart_s: float = 0.0
    extra: float = 0.0
    shocks: bool = False
    hours: int = HOURS
    soaks: int = SOAKS
    part: int = 1

    @property
    def name(self) -> str:
        """What its row is found by."""
        return f"{self.kind}, {self.rate:g}/s at {100 * self.share:g} %, part {self.part}"

    @property
    def one_side(self) -> bool:
        """Whether a bunch is of one user, and so on one side."""
        return self.apart_s > 0


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
    Soak(f"errors of {100 * p:g} %", rate, share, extra=p - BACKGROUND, hours=24, soaks=POWER_SOAKS)
    for rate, share, p in HARMS
]


def failures(random: np.random.Generator, soak: Soak, many: int, rate: float, *, one_side: bool) -> Counts:
    """Failures with and without the feature by soak and poll, where so many a second begin to fail."""
    polls = round(soak.hours * 3600 / POLL_S)
    begun = random.poisson(rate / soak.bunch * soak.hours * 3600, many)
    place = np.repeat(np.arange(many) * polls, begun)
    at = random.random(begun.sum()) * soak.hours * 3600
    on = random.random(len(at)) < soak.share
    found = np.zeros((2, many * polls))
    for number in range(soak.bunch):
        poll = ((at + number * (soak.apart_s or 1 / soak.rate)) // POLL_S).astype(np.int64)
        on = on if soak.one_side else random.random(len(at)) < soak.share
        for side, chosen in ((0, on | one_side), (1, ~on & (not one_side))):
            counted = chosen & (poll < polls)
            found[side] += np.bincount((place + poll)[counted], minlength=many * polls)
    return found.reshape(2, many, polls)


def votes(random: np.random.Generator, soak: Soak, many: int) -> Counts:
    """Votes and failures, with and without the feature, by soak and poll."""
    polls = round(soak.hours * 3600 / POLL_S)
    mean = np.array([soak.share, 1 - soak.share]) * soak.rate * POLL_S
    if soak.shocks:
        trouble = np.full((many, polls), BACKGROUND)
        for _ in range(2 * soak.hours):  # one every half an hour, for up to ten minutes, of up to everybody
            first, lasts = random.integers(0, polls, many), random.integers(1, 11, many)
            within = (np.arange(polls) >= first[:, None]) & (np.arange(polls) < (first + lasts)[:, None])
            trouble = np.where(within, random.random(many)[:, None], trouble)
        failed = random.poisson(mean[:, None, None] * trouble)
        good = random.poisson(mean[:, None, None] * (1 - trouble))
        return np.stack([good[0] + failed[0], failed[0], good[1] + failed[1], failed[1]]).astype(float)
    failed = failures(random, soak, many, soak.rate * BACKGROUND, one_side=False)
    if soak.extra:
        failed += failures(random, soak, many, soak.rate * soak.share * soak.extra, one_side=True)
    good = random.poisson(
        mean[:, None, None] * (1 - BACKGROUND - np.array([soak.extra, 0]))[:, None, None], failed.shape
    )
    found: Counts = np.stack([good[0] + failed[0], failed[0], good[1] + failed[1], failed[1]])
    return found


def _log_sum(parts: list[Counts]) -> Counts:
    logs = np.stack(parts)
    most: Counts = logs.max(0)
    found: Counts = most + np.log(np.exp(logs - most).sum(0))
    return found


def wealth(counts: Counts, poll_s: float = POLL_S) -> tuple[Counts, Counts]:
    """Log wealth of (a) and of (b) after each poll, as ``PairTest`` has it of one endpoint, many at once."""
    on, on_failed, off, off_failed = counts
    both = (on > 0) & (off > 0)
    share = np.where(both, on / np.maximum(on + off, 1), 0.5)
    gained = []
    for ratio in RATIOS:
        divisor = 1 - share + share * ratio
        gain = on_failed * math.log(ratio) - (on_failed + off_failed) * np.log(divisor)
        gain += (off - off_failed) * np.log1p(MARGIN * (1 / divisor - 1))
        gained.append(np.cumsum(np.where(both, gain, 0.0), axis=1))
    stake = math.log((1 / 2 + 1 / 4) / len(RATIOS))  # on all endpoints, and on the one that there is
    blocks = _blocks(counts, round(BLOCK_S / poll_s))
    paired = _log_sum([each / BUNCH + stake - math.log(2) for each in gained])
    return _log_sum([blocks, paired]), _log_sum([each + stake for each in gained])


def _blocks(counts: Counts, length: int) -> Counts:
    """Half of the wealth, which is bet on blocks of so many polls."""
    whole = counts.shape[2] // length
    on, on_failed, off, off_failed = (
        each[:, : whole * length].reshape(len(each), whole, length).sum(2) for each in counts
    )
    if min(on.min(), off.min()) < BLOCK_VOTES:
        raise AssertionError("a block has too few votes to be one")
    expected = (on_failed + off_failed + MARGIN * (off - off_failed)) * on / (on + off)
    excess = on_failed / expected - 1
    logs = _log_sum([np.cumsum(np.log1p(bet * excess), axis=1) for bet in BETS]) - math.log(2 * len(BETS))
    found = np.full(counts.shape[1:], -math.log(2))
    later = np.repeat(logs, length, axis=1)[:, : counts.shape[2] - length + 1]
    found[:, length - 1 : length - 1 + later.shape[1]] = later
    return found


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


def power(soak: Soak) -> dict[str, Any]:
    """Minutes until a harm holds, and until it rolls back, by the watch's own class, polled each 30 s."""
    random = np.random.default_rng(zlib.crc32(soak.name.encode()))
    found = [_minutes(random, soak) for _ in range(soak.soaks)]
    said = {name: _finite(statistics.median(each[name] for each in found)) for name in ("a", "b", "harmless")}
    calls = {f"{name}_called": sum(math.isfinite(each[name]) for each in found) for name in said}
    over = sum(math.isfinite(each["aggregate"]) for each in found)
    right = said["a"] is not None if soak.extra > 0 else calls["a_called"] == 0
    return {**asdict(soak), "median_minutes": said, **calls, "aggregate_called": over, "right": right}


def _minutes(random: np.random.Generator, soak: Soak) -> dict[str, float]:
    """Of one soak: when which call came, infinite where it did not; it ends with a rollback, or harmless."""
    comparison, whole = Comparison(100 * MARGIN, HOLD_ALPHA, votes=True), AlwaysValidTest(0.02, HOLD_ALPHA)
    found = dict.fromkeys(("a", "b", "harmless", "aggregate"), math.inf)
    means = np.array([soak.share, 1 - soak.share]) * soak.rate * POWER_POLL_S
    for poll in range(1, round(soak.hours * 3600 / POWER_POLL_S)):
        on, off = map(int, random.poisson(means))
        failed = map(int, random.binomial((on, off), (BACKGROUND + soak.extra, BACKGROUND)))
        blocks = [Block(*each) for each in zip((on, off), failed, strict=True)]
        comparison.add(poll * POWER_POLL_S, zip(("", ""), ("on", "off"), blocks, strict=True))
        whole.add(poll, sum(block.failures for block in blocks), on + off)
        result = comparison.result
        true = {
            "a": result.may_roll_back,
            "b": result.finding is Finding.HARMS,
            "harmless": result.finding is Finding.HARMLESS,
            "aggregate": whole.fired_at is not None,
        }
        for name in (name for name, now in true.items() if now):
            found[name] = min(found[name], poll * POWER_POLL_S / 60)
        if true["a"] or (soak.extra <= 0 and true["harmless"]):
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
    return f"{row['case']}: (a) {row['a']}, (b) {row['b']} of {row['soaks']:,} soaks of {row['hours']} h"


def main() -> int:
    """Run what is missing, print every row."""
    asked = options(__doc__)
    return complete(
        asked,
        RESULTS,
        [*FALSE[: len(FALSE) // PARTS], *POWER, *FALSE[len(FALSE) // PARTS :]],
        lambda soak: (power if soak in POWER else false_calls)(soak),
        line,
        proved=PROVED,
    )


if __name__ == "__main__":
    raise SystemExit(main())
