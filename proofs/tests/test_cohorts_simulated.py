from __future__ import annotations

import numpy as np
import pytest
from proofs.cohort_soaks import MARGIN, POLL_S, Soak, votes, wealth

from rampgate.model.cohorts import Pair, PairTest, evidence

SOAKS = [
    Soak("bunches of 20 of a user", 20.0, 0.05, bunch=20, apart_s=60.0, extra=MARGIN, hours=3),
    Soak("bunches of 4 of an endpoint", 2.0, 0.25, bunch=4, hours=3),
    Soak("errors of 10 %", 20.0, 0.05, extra=0.095, hours=3),
]


@pytest.mark.parametrize("soak", SOAKS, ids=lambda soak: soak.kind)
def test_the_simulation_is_of_the_test_in_force(soak: Soak) -> None:
    """What many soaks at once are judged by is, poll for poll, what the comparison of a watch is."""
    counts = votes(np.random.default_rng(3), soak, 2)
    paired, split = wealth(counts)
    for number in range(2):
        test = PairTest(MARGIN)
        for poll in range(counts.shape[2]):
            test.add(POLL_S, {"": Pair(*map(int, counts[:, number, poll]))})
            assert paired[number, poll] == pytest.approx(evidence(test.paired), abs=1e-9)
            assert split[number, poll] == pytest.approx(evidence(test.split), abs=1e-9)


def test_simulated_users_fail_as_often_as_was_asked_for() -> None:
    """Votes with and without the feature fail at their rates, in bunches as alone."""
    for soak in SOAKS:
        on, on_failed, off, off_failed = votes(np.random.default_rng(5), soak, 400).sum(axis=(1, 2))
        assert on_failed / on == pytest.approx(0.005 + soak.extra, rel=0.1)
        assert off_failed / off == pytest.approx(0.005, rel=0.1)
        assert on / (on + off) == pytest.approx(soak.share, rel=0.02)
