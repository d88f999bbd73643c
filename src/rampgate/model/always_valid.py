"""Is a limit broken? A betting test that may be looked at after every second, or block of seconds.

A load run hands it seconds, the probe of API latency blocks of 5 seconds; below, a second is either.

**What is assumed**, and nothing else: in every second the expected fraction of failing requests, given all
earlier seconds, is at most the limit p. Inside a second requests may fail together in any way. (With half
seconds the same bets would be quicker, and stop sound services whose failures come together for a second.)

**The bet.** Stake w on "from now on it is worse": after a second with fraction x the stake is worth
w (1 + u (x/p - 1)), 0 <= u <= 1. That is never negative, and under the assumption at most w on average;
of all bets with these two properties none is better (Waudby-Smith & Ramdas, J. R. Stat. Soc. B 86 (2024)
1-27; Clerico, arXiv:2412.02640). The test begins with a wealth of 1 and keeps it in hand. A second well
above the limit raises an alarm, and the k-th alarm stakes 1 / (k (k + 1)) of the purse on the seconds
*after* it, spread over a few u. All stakes together are at most 1, and each is fixed before the seconds
that it is on, so the whole wealth, purse and stakes, is a non-negative supermartingale that begins at 1.
By Ville's inequality (Étude critique de la notion de collectif, 1939) it ever reaches 1/alpha with
probability at most alpha, at any length of run and any number of looks.

**Why alarms.** A bank of bets restarted by the clock pays log(number of restarts) in evidence for not knowing
when the trouble begins (compare Shin, Ramdas & Rinaldo, E-detectors, arXiv:2203.03532). Money in the purse
loses nothing in calm seconds, so here only alarms cost, about 2 log(alarms): little after a calm time.

**Nested limits share one alpha.** Where a looser limit can be broken only if a tighter one is (5 % and 2 % of
the same failures; p95 of 5,000 and of 1,000 ms), the looser fires only once the tighter has. If the tighter
limit is kept, whatever fires of the chain, the tighter has fired too: chance at most alpha. If the looser is
kept and the tighter is not, only the looser's own test, again at alpha, can be wrong. So any number of nested
limits together stop wrongly at most with chance alpha. This is closed testing (Marcus, Peritz & Gabriel,
Biometrika 63 (1976) 655-660): of nested hypotheses, each intersection is the tightest of them.

**What no test can do.** Trouble at rate q begins at a known second. A service that is in each second, with
chance p/q and independently, like the trouble, and else faultless, is within the assumption, and looks like
T seconds of trouble with chance (p/q)^T. So whoever stops it at most with probability alpha sees the trouble
within T seconds at most with probability alpha (q/p)^T. For 5 % against 2 % and alpha 2.5e-4, a median of
8 seconds or less is impossible.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BETS: Mapping[float, float] = {1.0: 0.5, 0.8: 0.16, 0.4: 0.14, 0.15: 0.1, 0.05: 0.1}
"""u -> share of a stake, together at most 1. The bold ones see steady trouble soonest, the timid ones survive
bunches."""

ALARMS: Sequence[float] = (1.5, 2.0)
"""An alarm is a fraction above so many limits; each kind has an equal part of the purse."""

_MOST = 1e300
"""Wealth is capped here, which keeps it a supermartingale, and a float."""


class AlwaysValidTest:
    """Watches one threshold of the form "the fraction of failing requests is at most the limit".

    Args:
        limit: the fraction that is still allowed, between 0 and 1.
        alpha: the chance of ever firing while the fraction is at most the limit, between 0 and 1.
        tighter: the test, of the same alpha, of a limit that is broken whenever this one is; given each
            second before this one. Without its firing this one does not fire.

    Raises:
        ValueError: an argument outside of these.
    """

    def __init__(self, limit: float, alpha: float, tighter: AlwaysValidTest | None = None) -> None:
        if not (0 < limit < 1 and 0 < alpha < 1):
            raise ValueError(f"limit and alpha lie between 0 and 1, found {limit} and {alpha}")
        self.limit = limit
        # Rounded up, so that the threshold in the journal is short and exactly the one in force.
        self.threshold = math.ceil(-math.log(alpha) * 100) / 100
        if tighter is not None and (tighter.limit > limit or tighter.threshold != self.threshold):
            raise ValueError("a tighter test has no higher limit, and the same alpha")
        self.fired_at: int | None = None
        self.peaked_at: int | None = None
        self.seconds = 0
        self._tighter = tighter
        self._levels = [min(times * limit, (1 + limit) / 2) for times in ALARMS]
        self._raised = [0] * len(ALARMS)
        self._pots = [0.0] * len(BETS)
        self._stake = 0.0
        self._last: int | None = None
        self._now = self._peak = 0.0

    @property
    def log_evidence(self) -> float:
        """The largest log wealth so far, or the tighter test's where that is less.

        The test has fired when it is at or above ``threshold``.
        """
        return self._peak if self._tighter is None else min(self._peak, self._tighter.log_evidence)

    @property
    def log_wealth(self) -> float:
        """The log wealth after the latest second, for a live display."""
        return self._now

    def add(self, second: int, failing: int, n: int) -> None:
        """Add one complete second. Seconds may be missing; one without requests changes nothing.

        Args:
            second: its number, larger than that of every second before.
            failing: how many of its requests failed, or exceeded the edge that is watched.
            n: how many requests it had.

        Raises:
            ValueError: an earlier second, or no 0 <= failing <= n.
        """
        if not 0 <= failing <= n:
            raise ValueError(f"{failing} of {n} is no count")
        if self._last is not None and second <= self._last:
            raise ValueError(f"second {second} comes after second {self._last}")
        self._last = second
        if n == 0:
            return
        self.seconds += 1
        fraction = failing / n
        excess = fraction / self.limit - 1
        self._pots = [
            min((pot + self._stake * share) * (1 + u * excess), _MOST)
            for pot, (u, share) in zip(self._pots, BETS.items(), strict=True)
        ]
        self._now = math.log(self._purse() + sum(self._pots))
        if self._now > self._peak:
            self._peak, self.peaked_at = self._now, second
        if self.fired_at is None and self.log_evidence >= self.threshold:
            self.fired_at = second
        self._set_stake(fraction)

    def _purse(self) -> float:
        """What is left in hand: after k alarms of a kind, 1 / (k + 1) of its part."""
        return sum(1 / (1 + raised) for raised in self._raised) / len(self._raised)

    def _set_stake(self, fraction: float) -> None:
        """Take from the purse what this second's alarms put on the next ones."""
        before = self._purse()
        self._raised = [
            raised + (fraction > level) for raised, level in zip(self._raised, self._levels, strict=True)
        ]
        self._stake = before - self._purse()


def broken(limit: float, alpha: float, blocks: Iterable[tuple[int, int]]) -> bool:
    """Whether blocks of time, in their order, show that more than a limit fails.

    Args:
        limit: the fraction that is allowed, between 0 and 1.
        alpha: the chance of this while it is kept, at any number of looks.
        blocks: of each, how many requests failed, and how many there were.

    Raises:
        ValueError: see ``AlwaysValidTest``.
    """
    test = AlwaysValidTest(limit, alpha)
    for number, (failing, n) in enumerate(blocks):
        test.add(number, failing, n)
    return test.fired_at is not None
