"""Users who are simulated for the proof of the comparison of cohorts, many soaks at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rampgate.model.cohorts import BETS, BLOCK_S, BLOCK_VOTES, BUNCH, PRODUCTS, RATIOS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.float64]

BACKGROUND, MARGIN = 0.005, 0.003
SOAKS, HOURS, POLL_S = 5_000, 24, 60.0


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
        alike: fraction of the votes of users who get the feature next, and fail like those who have it.
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
    alike: float = 0.0
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
    taken = [np.where(np.arange(whole) % PRODUCTS == turn, excess, 0.0) for turn in range(PRODUCTS)]
    bets = [np.cumsum(np.log1p(bet * each), axis=1) for bet in BETS for each in taken]
    logs = _log_sum(bets) - math.log(2 * len(bets))
    found = np.full(counts.shape[1:], -math.log(2))
    later = np.repeat(logs, length, axis=1)[:, : counts.shape[2] - length + 1]
    found[:, length - 1 : length - 1 + later.shape[1]] = later
    return found
