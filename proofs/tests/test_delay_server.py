"""The server whose truth the load proofs are held against."""

from __future__ import annotations

from itertools import pairwise

import pytest
from proofs import delay_server


@pytest.mark.parametrize("phase", [0.0, 0.236, 0.618, 0.854])
def test_the_slow_answers_are_spread_evenly(phase: float) -> None:
    """6 % of a path are slow: 60 of 1,000, never two within 15, wherever the pattern begins."""
    slow = [number for number in range(1000) if delay_server.turn(number, 0.06, phase)]
    assert len(slow) == 60
    assert min(after - before for before, after in pairwise(slow)) >= 16


def test_the_truth_is_what_was_served() -> None:
    """The pooled p95 is the nearest rank of all that was handed over, and a path's only of its own."""
    truth = delay_server.Truth(delay_server.Ways(slow_ms=990, slow_share=0.06))
    for path, took in (("/a", 0.001), ("/b", 0.1)):
        for number in range(100):
            assert truth.answer(path)[1] == 200
            truth.served(path, took * (number + 1), 200)
    figures = truth.figures()
    assert (figures["n"], figures["asked"], figures["failed"]) == (200, 200, 0)
    assert figures["paths"] == {"/a": pytest.approx(95.0), "/b": pytest.approx(9500.0)}
    assert figures["p95"] == pytest.approx(9000.0)
    assert delay_server.p95([]) is None


def test_bunches_fail_together() -> None:
    """In bunches of four, each four requests in a row fail or none of them, about as many as asked for."""
    truth = delay_server.Truth(delay_server.Ways(fail_share=0.1, bunch=4, seed=1))
    failed = [truth.answer("/a")[1] == 500 for _ in range(4000)]
    bunches = [failed[at : at + 4] for at in range(0, 4000, 4)]
    assert {sum(bunch) for bunch in bunches} == {0, 4}
    assert 300 < sum(failed) < 500
