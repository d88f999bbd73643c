from __future__ import annotations

import random

from rampgate.watch.observed import Instances

FLEET = [f"i{number}" for number in range(60)]


def test_a_large_fleet_is_not_restarted_by_chance() -> None:
    """Ten connections of a round see other instances than those of the round before."""
    found, chance = Instances(), random.Random(1)  # noqa: S311  # no secret
    assert not any(found.restarted(frozenset(chance.sample(FLEET, 10))) for _ in range(200))


def test_a_restart_is_seen_by_the_second_round_of_strangers() -> None:
    """None of those that answer has answered before, twice in a row, and then they are known."""
    found = Instances()
    rounds = [{"a", "b"}, {"a"}, {"c", "d"}, {"d"}, {"c"}, set()]
    assert [found.restarted(frozenset(each)) for each in rounds] == [False, False, False, True, False, False]
