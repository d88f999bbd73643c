from __future__ import annotations

import math
import random

from rampgate.model.cohorts import Pair, PairTest, reached
from rampgate.rollout.detect import SURE, Comparing, Risk, Traffic

RISK = Risk(margin=0.003, hold=1e-4, rollback=1e-4)
SOAK_S = 3 * 3600.0


def comparing(rate: float = 5.0, share: float = 0.25, *, votes: bool = True, endpoints: int = 1) -> Comparing:
    """Traffic of which one in 200 fails anyway."""
    return Comparing(Traffic(rate, 0.005, votes, endpoints), RISK, share)


def soak_sees(chance: random.Random, compared: Comparing, harm: float, seconds: float) -> tuple[bool, bool]:
    """Whether a simulated soak holds, and whether it rolls back, as the watch tests it."""
    traffic, test, holds, rolls = compared.traffic, PairTest(RISK.margin), False, False
    names = [str(number) for number in range(traffic.endpoints)]
    many = round(traffic.rate * traffic.interval / traffic.endpoints)
    for _ in range(int(seconds // traffic.interval)):
        pairs = {}
        for name in names:
            on = binomial(chance, many, compared.share)
            failed = [binomial(chance, on, harm * traffic.background)]
            failed.append(binomial(chance, many - on, traffic.background))
            pairs[name] = Pair(on, failed[0], many - on, failed[1])
        test.add(traffic.interval, pairs)
        holds = holds or reached(test.split, RISK.hold)
        rolls = rolls or reached(test.paired, RISK.rollback)
    return holds, rolls


def binomial(chance: random.Random, many: int, share: float) -> int:
    """How many of them."""
    return sum(chance.random() < share for _ in range(many))


def test_a_soak_sees_what_it_is_said_to_see() -> None:
    """The smallest harm of a soak stops simulated soaks as often as is said, and half of it does not."""
    chance, compared = random.Random(1), comparing()  # noqa: S311 - a simulation
    smallest = compared.smallest(SOAK_S)
    assert smallest is not None
    seen = sum(any(soak_sees(chance, compared, smallest, SOAK_S)) for _ in range(40))
    less = sum(any(soak_sees(chance, compared, smallest / 2, SOAK_S)) for _ in range(40))
    assert seen >= 40 * SURE - 4 > less


def test_the_time_until_a_rollback_is_what_it_takes() -> None:
    """Paired betting rolls back in the time that is said for it, and mostly not in a quarter of it."""
    chance, compared = random.Random(2), comparing()  # noqa: S311 - a simulation
    needs = compared.rolls_back_after(8.0)
    rolled = sum(soak_sees(chance, compared, 8.0, needs)[1] for _ in range(20))
    sooner = sum(soak_sees(chance, compared, 8.0, needs / 4)[1] for _ in range(20))
    assert rolled >= 20 * SURE - 3 > sooner


def test_readings_with_few_votes_see_what_is_said_too() -> None:
    """Votes that many endpoints share fall to one side of a reading only, and what is said knows it."""
    chance, compared = random.Random(3), comparing(rate=2.0, endpoints=10)  # noqa: S311 - a simulation
    whole = comparing(rate=2.0)
    assert compared.holds_after(8.0) > whole.holds_after(8.0)
    needs = compared.holds_after(8.0)
    assert sum(soak_sees(chance, compared, 8.0, needs)[0] for _ in range(30)) >= 30 * SURE - 4


def test_more_traffic_sees_less_harm() -> None:
    """Ten times the traffic, and a longer soak, see a smaller harm."""
    found = [comparing(rate).smallest(SOAK_S) or math.inf for rate in (2.0, 20.0, 200.0)]
    assert found == sorted(found, reverse=True)
    assert (comparing().smallest(8 * SOAK_S) or math.inf) < (comparing().smallest(SOAK_S) or 0.0)


def test_a_harm_within_the_margin_is_never_seen() -> None:
    """0.5 % and 0.3 points of margin are 1.6 times the background: no soak is said to see 1.5 times."""
    assert comparing(rate=200.0).seen_after(1.5) == math.inf


def test_of_requests_the_split_does_not_count() -> None:
    """Requests of one user fail together, so that their split holds nothing, and is not what is seen."""
    requests = comparing(votes=False)
    assert requests.holds_after(5.0) == math.inf
    assert requests.seen_after(5.0) == comparing().rolls_back_after(5.0) > comparing().seen_after(5.0)


def test_where_one_cohort_is_alone_nothing_is_seen() -> None:
    """At 0 and 100 % there is nobody to compare with; in next to no traffic no harm at all is seen."""
    assert comparing(share=0.0).seen_after(5.0) == comparing(share=1.0).seen_after(5.0) == math.inf
    assert comparing(rate=0.001).smallest(60.0) is None
