"""What the load proofs decide by themselves: the truth, who is right, and what is run again."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from proofs import delay_server
from proofs.load import rows

if TYPE_CHECKING:
    from pathlib import Path


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
    told = truth.told()
    assert (told["n"], told["asked"], told["failed"]) == (200, 200, 0)
    assert told["paths"] == {"/a": pytest.approx(95.0), "/b": pytest.approx(9500.0)}
    assert told["p95"] == pytest.approx(9000.0)
    assert delay_server.p95([]) is None


def test_bunches_fail_together() -> None:
    """In bunches of four, each four requests in a row fail or none of them, about as many as asked for."""
    truth = delay_server.Truth(delay_server.Ways(fail_share=0.1, bunch=4, seed=1))
    failed = [truth.answer("/a")[1] == 500 for _ in range(4000)]
    bunches = [failed[at : at + 4] for at in range(0, 4000, 4)]
    assert {sum(bunch) for bunch in bunches} == {0, 4}
    assert 300 < sum(failed) < 500


@pytest.mark.parametrize(
    ("truth", "outcome", "needed", "found"),
    [
        (995.0, "passed", 0, rows.RIGHT),
        (995.0, "failed", 0, rows.WRONG),
        (1000.0, "failed", 0, rows.RIGHT),
        (1004.0, "passed", 0, rows.WRONG),
        (1004.0, "undecided", 4000, rows.OPEN),
        (1004.0, "undecided", 0, rows.WRONG),
        (995.0, "error", 0, rows.WRONG),
    ],
)
def test_a_gate_is_on_the_side_of_the_truth(truth: float, outcome: str, needed: int, found: str) -> None:
    """A p95 of the limit or more has to fail; undecided is no wrong word when it names what it needs."""
    assert rows.side(truth, 1000.0, outcome, needed) == found


def test_the_worst_judgement_decides() -> None:
    """One failed check is the gate's word, whatever the others say; without any there is none."""
    outcomes = [{"outcome": outcome} for outcome in ("passed", "undecided", "failed", "passed")]
    assert rows.worst(outcomes) == {"outcome": "failed"}
    assert rows.worst(outcomes[:2]) == {"outcome": "undecided"}
    with pytest.raises(RuntimeError):
        rows.worst([])


def test_what_is_known_is_not_run_again(tmp_path: Path) -> None:
    """A row of the commit is kept, another commit's is none, a starved one is tried three times in all."""
    ran: list[int] = []
    file, starved = tmp_path / "rows.jsonl", [False, True, True, True]

    def run(repeat: int) -> rows.Row:
        ran.append(repeat)
        return {"right": True, "starved": starved[len(ran) - 1]}

    case = rows.Case("part", "case", run, str)
    for _ in range(2):
        assert rows.complete([case], file, "one")
    assert ran == [1]
    for _ in range(2):
        rows.complete([case], file, "two")
    assert len(ran) == 4


def test_what_broke_is_run_again(tmp_path: Path) -> None:
    """A run that left nothing to read is a row that is not right, and no row that is known."""

    def breaks(_: int) -> rows.Row:
        raise RuntimeError("no verdict")

    case = rows.Case("part", "case", breaks, str)
    for runs in (1, 2):
        assert not rows.complete([case], tmp_path / "rows.jsonl", "one")
        assert len((tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()) == runs
