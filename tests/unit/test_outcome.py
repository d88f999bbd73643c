from __future__ import annotations

import itertools

import pytest

from rampgate.outcome import Decision, Outcome, worst

ORDER = ["passed", "skipped", "undecided", "error", "failed"]


@pytest.mark.parametrize(("better", "worse"), list(itertools.combinations(ORDER, 2)))
def test_the_worse_of_two_outcomes_counts(better: str, worse: str) -> None:
    """A bad deployment outweighs a broken instrument, and that outweighs too few observations."""
    for pair in ((better, worse), (worse, better)):
        assert worst(map(Outcome, pair)) is Outcome(worse)


def test_no_outcome_is_not_a_pass() -> None:
    """Whoever asks for the worst of nothing must say what nothing means."""
    assert worst([]) is None


@pytest.mark.parametrize(("decision", "code"), [("promote", 0), ("hold", 10), ("rollback", 20)])
def test_a_decision_is_an_exit_code(decision: str, code: int) -> None:
    """Only a promotion is success to a shell."""
    assert Decision(decision).exit_code == code
