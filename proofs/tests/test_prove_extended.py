"""What makes a row of the proof of the extended stage right."""

from __future__ import annotations

import pytest
from proofs.cases import nothing
from proofs.extended import CASES, FAULTS, Case, judged


@pytest.mark.parametrize(
    ("said", "code", "first", "right"),
    [
        ("hold", 10, "watch/trigger: user_feedback_score < 3.0: fired", True),
        ("rollback", 20, "watch/trigger: user_feedback_score < 3.0: fired", True),
        ("promote", 0, "", False),
        ("hold", 10, "load/generator: the generator was starved", False),
        ("hold", 0, "watch/trigger: user_feedback_score < 3.0: fired", False),
    ],
)
def test_a_fault_is_right_when_its_cause_comes_first(said: str, code: int, first: str, right: bool) -> None:
    """A fault that is held for another reason has not been found, whatever the exit code."""
    case = Case("feedback", nothing, r"user_feedback_score")
    row = judged(case, {"verdict": said, "reason": first, "reasons": [first], "checks": []}, code)
    assert row["right"] is right
    assert row["starved"] is ("starved" in first)


def test_what_is_healthy_must_be_promoted() -> None:
    """A hold of a healthy deployment is wrong, and its reason is kept."""
    healthy = CASES[-1]
    assert not healthy.cause
    held = judged(healthy, {"verdict": "hold", "reason": "x", "reasons": ["x"], "checks": []}, 10)
    assert (held["right"], held["reasons"]) == (False, ["x"])
    assert judged(healthy, {"verdict": "promote", "reason": "", "reasons": [], "checks": []}, 0)["right"]


def test_each_fault_has_a_cause() -> None:
    """Ten faults, no two of one name, and none of which any verdict but PROMOTE would do."""
    assert len({case.name for case in FAULTS}) == len(FAULTS) == 10
    assert all(case.cause for case in FAULTS)
