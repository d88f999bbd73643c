"""Users of other classes beside ours: how many Locust is asked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from loadtests.others import Crowd


def user_class(name: str, *, ours: bool = False, weight: float = 1, fixed_count: int = 0) -> Any:
    """A class of Locust users."""
    marks = {"is_rampgate": True} if ours else {}
    return type(name, (), {"weight": weight, "fixed_count": fixed_count, **marks})


OURS = user_class("LoadUser", ours=True)


@pytest.mark.parametrize(
    ("others", "ours", "total"),
    [
        ([], 40, 40),
        ([user_class("Idle", weight=9)], 40, 400),
        ([user_class("Idle", weight=0.5)], 3, 5),
        ([user_class("Few", fixed_count=5)], 40, 45),
        ([user_class("Few", fixed_count=5), user_class("Idle", weight=2)], 10, 35),
        ([user_class("Idle", weight=9)], 0, 0),
    ],
)
def test_locust_is_asked_for_others_beside_ours(others: list[Any], ours: int, total: int) -> None:
    """As many of ours as the ramp says, whatever the weights; those of a fixed number come on top."""
    runner: Any = SimpleNamespace(user_classes=[OURS, *others], user_count=0)
    assert Crowd(runner).total(ours) == total


@pytest.mark.parametrize("counted_by", ["user_classes_count", "reported_user_classes_count"])
def test_only_our_users_are_counted_as_load(counted_by: str) -> None:
    """Of forty users four are ours: four is what the run has, alone and with workers."""
    special = type("Buyer", (OURS,), {})
    counts = {counted_by: {"LoadUser": 3, "Buyer": 1, "Idle": 36}}
    runner: Any = SimpleNamespace(user_classes=[OURS, special, user_class("Idle")], user_count=40, **counts)
    assert (Crowd(runner).ours, Crowd(runner).others) == (4, 36)


def test_without_others_all_users_are_ours() -> None:
    """The usual run: what Locust counts is what there is."""
    runner: Any = SimpleNamespace(user_classes=[OURS], user_count=7)
    assert (Crowd(runner).ours, Crowd(runner).is_mixed) == (7, False)
