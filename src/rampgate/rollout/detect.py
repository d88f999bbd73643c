"""How long a soak must last until a comparison of cohorts sees a harm of some size. Pure.

Of each bet of ``model.cohorts`` the mean and the variance of what one poll, or one block, adds to its log
wealth are known where failures are independent. Over a soak the log wealth is a sum of many of them, about
normal, so that it is above what the bet must reach with a chance of ``SURE`` after T polls, where

    mean T - z sd sqrt(T) = reach,  sqrt(T) = (z sd + sqrt(z^2 sd^2 + 4 mean reach)) / (2 mean).

Of all bets the soonest counts; that others help it, and that a test has decided when it ever was that high,
is left out: what is said here is seen at least as often as is said.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from rampgate.model.cohorts import BETS, BLOCK_S, BLOCK_VOTES, BUNCH, PRODUCTS, RATIOS

if TYPE_CHECKING:
    from collections.abc import Iterator

SURE = 0.9
"""The chance that a harm is seen which a soak is said to see."""
_MANY = 200.0
"""So many votes, times both shares: their split varies too little to be worth a sum over its values."""
_DEVIATIONS = 6.0
_POINTS = (32, 8)
"""Values of a Poisson number that stand for all of them: of failures with the feature, and without."""
_HALVINGS = 40


class Traffic(NamedTuple):
    """What is compared.

    Args:
        rate: votes or requests of all users, a second.
        background: share of them that fails anyway.
        votes: whether it is votes, whose split may hold; of requests only paired betting counts.
        endpoints: that share the rate alike.
        interval: seconds between two readings.
    """

    rate: float
    background: float
    votes: bool = True
    endpoints: int = 1
    interval: float = 30.0


class Risk(NamedTuple):
    """What the tests allow.

    Args:
        margin: fraction that users with the feature may fail more.
        hold: the chance that the split holds without cause.
        rollback: the same of paired betting, which rolls back.
    """

    margin: float
    hold: float
    rollback: float


class Comparing(NamedTuple):
    """One percentage that is watched.

    Args:
        traffic: all of it.
        risk: of the tests.
        share: of users who have the feature, 0 to 1.
    """

    traffic: Traffic
    risk: Risk
    share: float

    def holds_after(self, harm: float) -> float:
        """Seconds until a harm, in background errors, surely holds; infinite where it never does."""
        if not (self.traffic.votes and 0 < self.share < 1):
            return math.inf
        return min(_until(*self._split(ratio, harm), self._reach(self.risk.hold)) for ratio in RATIOS)

    def rolls_back_after(self, harm: float) -> float:
        """Seconds until a harm, in background errors, surely rolls back; infinite where it never does."""
        if not 0 < self.share < 1:
            return math.inf
        reach = BUNCH * (self._reach(self.risk.rollback) + math.log(2))
        split = min(_until(*self._split(ratio, harm), reach) for ratio in RATIOS)
        return min(split, self._blocks(harm))

    def seen_after(self, harm: float) -> float:
        """Seconds until a harm, in background errors, surely holds or rolls back; infinite where never."""
        return min(self.holds_after(harm), self.rolls_back_after(harm))

    def smallest(self, soak: float) -> float | None:
        """The smallest harm, in background errors, surely held or rolled back in time; None where none is."""
        low, high = 1.0, 1 / self.traffic.background
        if self.seen_after(high) > soak:
            return None
        for _ in range(_HALVINGS):
            middle = math.sqrt(low * high)
            low, high = (low, middle) if self.seen_after(middle) <= soak else (middle, high)
        return high

    def _reach(self, alpha: float) -> float:
        """What the log wealth of one ratio must come to; a single endpoint has more of the stakes."""
        alone = math.log(1.5) if self.traffic.endpoints == 1 else 0.0
        return -math.log(alpha) + math.log(2 * len(RATIOS)) - alone

    def _split(self, ratio: float, harm: float) -> tuple[float, float]:
        """Mean and variance of what a second adds to the log wealth of a ratio."""
        traffic, margin = self.traffic, self.risk.margin
        without, with_it = traffic.background, min(1.0, harm * traffic.background)
        mean = square = 0.0
        for weight, on, off in _sides(traffic.rate * traffic.interval / traffic.endpoints, self.share):
            share = on / (on + off)
            divisor = 1 - share + share * ratio
            good = math.log1p(margin * (1 / divisor - 1))
            bad, worse = -math.log(divisor) - good, math.log(ratio / divisor)
            gain = on * with_it * worse + off * (without * bad + good)
            spread = on * with_it * (1 - with_it) * worse**2 + off * without * (1 - without) * bad**2
            mean += weight * gain
            square += weight * (spread + gain**2)
        times = traffic.endpoints / traffic.interval
        return mean * times, (square - mean**2) * times

    def _blocks(self, harm: float) -> float:
        """Seconds until one of the products of blocks has decided."""
        traffic, share = self.traffic, self.share
        least = max(BLOCK_S, BLOCK_VOTES / (traffic.rate * min(share, 1 - share)))
        length = math.ceil(least / traffic.interval) * traffic.interval
        on, off = traffic.rate * share * length, traffic.rate * (1 - share) * length
        with_it = min(1.0, harm * traffic.background)
        excess = []
        for failed in _poisson(on * with_it, _POINTS[0]):
            for others in _poisson(off * traffic.background, _POINTS[1]):
                expected = (failed + others + self.risk.margin * (off - others)) * share
                excess.append(failed / expected - 1 if expected else 0.0)
        reach = -math.log(self.risk.rollback) + math.log(2 * PRODUCTS * len(BETS))
        either = 1 - (1 - SURE) ** (1 / PRODUCTS)
        found = []
        for bet in BETS:
            gains = [math.log1p(bet * each) for each in excess]
            mean = math.fsum(gains) / len(gains)
            variance = math.fsum((each - mean) ** 2 for each in gains) / len(gains)
            found.append(_until(mean, variance, reach, either))
        least_of = min(found)
        return PRODUCTS * math.ceil(least_of) * length if math.isfinite(least_of) else math.inf


def _until(mean: float, variance: float, reach: float, sure: float = SURE) -> float:
    """After how many terms a sum of them is at least so much, with a chance of ``sure``."""
    if mean <= 0:
        return math.inf
    spread = NormalDist().inv_cdf(sure) * math.sqrt(variance)
    return ((spread + math.sqrt(spread**2 + 4 * mean * reach)) / (2 * mean)) ** 2


def _sides(votes: float, share: float) -> Iterator[tuple[float, float, float]]:
    """How votes of one poll may fall to both sides: chance, votes with the feature, without."""
    if votes * share * (1 - share) > _MANY:
        yield 1.0, votes * share, votes * (1 - share)
        return
    many = max(1, round(votes))
    scale, middle = votes / many, many * share
    wide = _DEVIATIONS * math.sqrt(middle * (1 - share)) + _DEVIATIONS
    for on in range(max(1, math.floor(middle - wide)), min(many - 1, math.ceil(middle + wide)) + 1):
        ways = math.lgamma(many + 1) - math.lgamma(on + 1) - math.lgamma(many - on + 1)
        chance = math.exp(ways + on * math.log(share) + (many - on) * math.log1p(-share))
        yield chance, on * scale, (many - on) * scale


def _poisson(mean: float, points: int) -> list[float]:
    """Values of a Poisson number, all of them as likely."""
    from scipy.special import pdtrik

    return [float(math.ceil(pdtrik((i + 0.5) / points, mean))) if mean else 0.0 for i in range(points)]
