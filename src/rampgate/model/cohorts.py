"""Do the users who have the feature fail more often than the others? Always valid, and pure.

**What is compared.** Within an endpoint, at each poll, n votes and failures of both sides. With a margin m
the users with the feature may fail with probability q + m (1 - q), q being that of the others at that
moment, whatever it is: trouble common to both raises q and says nothing. A failure of the others is
therefore counted as one, and each of their votes that did not fail as m of one. Who has the feature is drawn
by a hash, so of n1 + n2 votes that fail alike a share s = n1 / (n1 + n2) is expected among those that have
it.

**(b) The split.** Of failures that are independent each is of a user with the feature with probability at
most s. If it is r times as likely (odds), f1 failures of F are worth r^f1 / (1 - s + s r)^F, times (1 - m +
m / (1 - s + s r))^(n2 - f2), the expectation over a failure drawn with probability m for each vote of the
others that did not fail. The product over all polls is a non-negative martingale, and so is its mean over r
(the method of mixtures: Robbins, Ann. Math. Statist. 41 (1970) 1397-1409). By Ville's inequality (1939) it
ever reaches 1/alpha with probability at most alpha. Failures in bunches of one user deceive it, so it may
only hold.

**(a) Paired betting**, which may roll back, is the mean of two kinds of martingales that bunches do not
deceive:

- *Blocks* of 20 minutes. In each, the share of failures with the feature, x = f1 / sum of s F, is 1 or less
  on average, however its failures hang together: conditional on F each bunch falls to those with the feature
  with probability s; in f1 it is concave, in what the margin adds convex, so that the margin, and bunches
  within it, only lower it (Jensen). M = mean over b of the product of 1 + b (x - 1), 0 < b < 1 (Waudby-Smith
  & Ramdas, J. R. Stat. Soc. B 86 (2024) 1-27). A bet on the *difference* of the two fractions needs less, and
  gains at most log(1 + difference) a block: a hundred blocks for a difference of ten points.
  Two products take every other block in turn, and half of the stakes each: a bunch that lasts 20 minutes and
  lies across an end is then in no two blocks of one product. A test that stops when the wealth is high is not
  deceived by the other's half of that bunch: to go on means that less of it was of users with the feature
  (Harris, Math. Proc. Camb. Philos. Soc. 56 (1960) 13-20).
- *The split to the power of 1/20.* A bunch of k <= 20 votes on one side is worth (factor^k)^(1/20), whose
  mean is at most 1 wherever that of the factor is (Jensen again), however long it lasts.

**Endpoints** are put together in the blocks, and, by a product, in the split; a part of the stakes is on
each one alone, the k-th 1 / (k (k + 1)) of it: a mean of martingales is one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BUNCH = 20
"""So many votes may fail together."""
BLOCK_S = 1200.0
"""A block lasts at least so long, as a bunch of a vote a minute does.

In one product of all blocks a bunch across an end gains twice. Where users with the feature used up the
margin by failing for 20 minutes on end, a vote a minute, one product with these bets rolled back 6 of 50,000
soaks of 24 h in blocks of 30 minutes, 5 in blocks of 40; these two 1, by the split.
"""
PRODUCTS = 2
"""Each takes every other block."""
BLOCK_VOTES = 20
"""And has at least so many votes of each side."""
BETS = (0.2, 0.5, 0.95)
RATIOS = (1.5, 2.0, 3.0, 6.0, 12.0, 25.0)
LESS = (0.8, 0.6, 0.4, 0.2)
"""What the odds are where the feature does not harm, as against a harm as large as the margin."""


class Pair(NamedTuple):
    """Votes of two sides of one endpoint.

    Args:
        on: votes of the first side, of users with the feature.
        on_failed: how many of them failed.
        off: votes of the other side.
        off_failed: how many of them failed.
    """

    on: int = 0
    on_failed: int = 0
    off: int = 0
    off_failed: int = 0

    def plus(self, other: Pair) -> Pair:
        """Both as one."""
        return Pair(*(mine + its for mine, its in zip(self, other, strict=True)))


def split_gain(pair: Pair, ratio: float, margin: float) -> float:
    """By how much the log wealth of (b) grows.

    Args:
        pair: votes of one poll.
        ratio: of the odds, that is bet on.
        margin: a fraction.
    """
    if not (pair.on and pair.off):
        return 0.0
    share = pair.on / (pair.on + pair.off)
    divisor = 1 - share + share * ratio
    failed = pair.on_failed * math.log(ratio) - (pair.on_failed + pair.off_failed) * math.log(divisor)
    return failed + (pair.off - pair.off_failed) * math.log1p(margin * (1 / divisor - 1))


def excess(pairs: Iterable[Pair], margin: float) -> float:
    """How many times as many failures as expected are of the first side, less one; 0 where there are none.

    Args:
        pairs: votes of one block, one pair for each endpoint.
        margin: a fraction.
    """
    failed = expected = 0.0
    for pair in pairs:
        if pair.on and pair.off:
            both = pair.on_failed + pair.off_failed + margin * (pair.off - pair.off_failed)
            failed += pair.on_failed
            expected += both * pair.on / (pair.on + pair.off)
    return failed / expected - 1 if expected else 0.0


@dataclass
class PairTest:
    """Whether the first side fails more often than the second by more than a margin.

    Args:
        margin: a fraction.
        total: all votes, by endpoint.
        block: those of the block that is not complete.
        block_s: seconds that it has lasted.
        seconds: that all has lasted.
        bets: log wealth of each bet on blocks, of the product that takes the next block first.
        splits: endpoint -> log wealth of each bet on the split, of RATIOS and then of LESS.
    """

    margin: float
    total: dict[str, Pair] = field(default_factory=dict)
    block: dict[str, Pair] = field(default_factory=dict)
    block_s: float = 0.0
    seconds: float = 0.0
    bets: list[list[float]] = field(default_factory=lambda: [[0.0] * len(BETS) for _ in range(PRODUCTS)])
    splits: dict[str, list[float]] = field(default_factory=dict)

    def add(self, seconds: float, pairs: Mapping[str, Pair]) -> None:
        """Take the votes of one poll.

        Args:
            seconds: since the poll before.
            pairs: endpoint -> its votes since then.
        """
        self.seconds += seconds
        self.block_s += seconds
        for endpoint, pair in sorted(pairs.items(), key=lambda each: -each[1].on):
            before = self.splits.get(endpoint, [0.0] * len(RATIOS + LESS))
            self.splits[endpoint] = [
                wealth + split_gain(pair, ratio, self.margin)
                for wealth, ratio in zip(before, RATIOS + LESS, strict=True)
            ]
            for counts in (self.total, self.block):
                counts[endpoint] = counts.get(endpoint, Pair()).plus(pair)
        within = together(self.block.values())
        if self.block_s >= BLOCK_S and min(within.on, within.off) >= BLOCK_VOTES:
            gained = excess(self.block.values(), self.margin)
            product, *others = self.bets
            after = [wealth + math.log1p(bet * gained) for bet, wealth in zip(BETS, product, strict=True)]
            self.bets = [*others, after]
            self.drop_block()

    def drop_block(self) -> None:
        """Forget the block that is not complete."""
        self.block, self.block_s = {}, 0.0

    @property
    def paired(self) -> list[tuple[float, float]]:
        """Of (a): log of each stake, and its log wealth."""
        many = PRODUCTS * len(BETS)
        blocks = [(-math.log(2 * many), wealth) for product in self.bets for wealth in product]
        split = [(stake - math.log(2), wealth / BUNCH) for stake, wealth in self.split]
        return [*blocks, *split]

    @property
    def split(self) -> list[tuple[float, float]]:
        """Of (b): log of each stake, and its log wealth."""
        many = len(RATIOS)
        pooled = [(-math.log(2 * many), sum(each[i] for each in self.splits.values())) for i in range(many)]
        alone = [
            (-math.log(2 * many * number * (number + 1)), wealth)
            for number, each in enumerate(self.splits.values(), 1)
            for wealth in each[:many]
        ]
        return [*pooled, *alone]

    @property
    def harmless(self) -> list[tuple[float, float]]:
        """The same against a harm of the margin or more, where failures are independent."""
        places = range(len(RATIOS), len(RATIOS + LESS))
        return [(-math.log(len(LESS)), sum(each[i] for each in self.splits.values())) for i in places]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "total": self.total,
            "block": self.block,
            "block_s": self.block_s,
            "seconds": self.seconds,
            "bets": self.bets,
            "splits": self.splits,
        }

    def resume(self, data: Mapping[str, Any]) -> None:
        """Go on from what to_json wrote."""
        self.total = {endpoint: Pair(*counts) for endpoint, counts in data["total"].items()}
        self.block = {endpoint: Pair(*counts) for endpoint, counts in data["block"].items()}
        self.block_s, self.seconds = data["block_s"], data["seconds"]
        self.bets = [list(product) for product in data["bets"]]
        self.splits = {name: list(each) for name, each in data["splits"].items()}


def together(pairs: Iterable[Pair]) -> Pair:
    """The votes of all endpoints as one."""
    total = Pair()
    for pair in pairs:
        total = total.plus(pair)
    return total


def evidence(parts: Iterable[tuple[float, float]]) -> float:
    """The log of the whole wealth."""
    logs = [stake + wealth for stake, wealth in parts]
    most = max(logs, default=-math.inf)
    return most + math.log(sum(math.exp(each - most) for each in logs)) if logs else most


def reached(parts: Iterable[tuple[float, float]], alpha: float) -> bool:
    """Whether a test has decided.

    Args:
        parts: log of each stake, and its log wealth.
        alpha: the chance that it ever does though there is nothing to be found.
    """
    return evidence(parts) >= -math.log(alpha)


def need(parts: Iterable[tuple[float, float]], alpha: float, seconds: float) -> float | None:
    """About how many seconds more a test needs at the rates that were observed; None where it gains nothing.

    Args:
        parts: log of each stake, and its log wealth.
        alpha: of the test.
        seconds: in which it was gained.
    """
    needs = [(-math.log(alpha) - stake - wealth) * seconds / wealth for stake, wealth in parts if wealth > 0]
    return max(0.0, min(needs)) if needs else None
