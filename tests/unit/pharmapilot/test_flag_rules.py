import itertools
from dataclasses import replace

import pytest

from pharmapilot.errors import BadRequestError
from pharmapilot.flags import (
    FLAG_NAMES,
    Flag,
    HashKind,
    Rules,
    Semantics,
    Unit,
    bucket,
    changed,
    demo_flags,
    environment_name,
    flags_from_environment,
    is_enabled,
)

SEED = Rules(Semantics.SEED)
FIRST = Rules(Semantics.OVERRIDES_FIRST)


@pytest.mark.parametrize(
    ("kind", "flag", "user", "workspace", "expected"),
    [  # computed with md5sum and shell arithmetic, not with this code
        (HashKind.SEED, "any", "user-0", "ws-0", 60),
        (HashKind.SEED, "any", "user-1", "ws-1", 3),
        (HashKind.SEED, "other", "user-1", "ws-1", 3),
        (HashKind.SEED, "any", "alice", "clinic", 43),
        (HashKind.SEED, "any", "test-user-42", "test-workspace", 78),
        (HashKind.SEED, "any", "", ":", 37),
        (HashKind.SEED, "any", "é", "ü", 78),
        (HashKind.SALTED, "apiCaching", "alice", "clinic", 62),
        (HashKind.SALTED, "virtualization", "alice", "clinic", 78),
        (HashKind.SALTED, "apiCaching", "user-1", "ws-1", 70),
    ],
)
def test_buckets_are_those_of_md5sum(
    kind: HashKind, flag: str, user: str, workspace: str, expected: int
) -> None:
    """A user lands where any other implementation of the seed's hash puts them."""
    assert bucket(kind, flag, user, workspace) == expected


@pytest.mark.parametrize(
    ("unit", "kind", "expected"),  # of md5sum: alice, clinic, f:clinic
    [
        (Unit.USER, HashKind.SEED, 0x6384E2B2 % 100),
        (Unit.WORKSPACE, HashKind.SEED, 0x75371E7E % 100),
        (Unit.WORKSPACE, HashKind.SALTED, 0xC498E1F1 % 100),
        (Unit.BOTH, HashKind.SEED, 43),
    ],
)
def test_the_unit_is_what_is_hashed(unit: Unit, kind: HashKind, expected: int) -> None:
    """A percentage of workspaces puts all users of one in one place."""
    assert bucket(kind, "f", "alice", "clinic", unit) == expected
    rules = Rules(Semantics.SEED, kind, unit)
    flag = Flag("f", enabled=True, percentage=expected + 1)
    assert is_enabled(flag, "alice", "clinic", rules)
    assert not is_enabled(replace(flag, percentage=expected), "alice", "clinic", rules)


@pytest.mark.parametrize(
    ("inside", "user_override", "workspace_override", "seed", "first"),
    [
        (True, None, None, True, True),
        (True, None, False, False, False),
        (True, None, True, True, True),
        (True, False, None, False, False),
        (True, False, True, False, False),
        (True, True, False, True, True),
        (False, None, None, False, False),
        (False, None, True, False, True),
        (False, True, None, False, True),
        (False, True, False, False, True),
        (False, False, True, False, False),
    ],
)
def test_overrides_follow_the_truth_table(
    inside: bool, user_override: bool | None, workspace_override: bool | None, seed: bool, first: bool
) -> None:
    """Both semantics differ just where an override would let in a user outside the percentage."""
    flag = Flag(
        "apiCaching",
        enabled=True,
        percentage=44 if inside else 43,  # alice's bucket is 43
        user_overrides={} if user_override is None else {"alice": user_override},
        workspace_overrides={} if workspace_override is None else {"clinic": workspace_override},
    )
    assert is_enabled(flag, "alice", "clinic", SEED) is seed
    assert is_enabled(flag, "alice", "clinic", FIRST) is first


@pytest.mark.parametrize("rules", [SEED, FIRST])
def test_global_switch_beats_everything(rules: Rules) -> None:
    """A flag that is switched off is off for everybody, overrides included."""
    flag = Flag("apiCaching", percentage=100, user_overrides={"u": True}, workspace_overrides={"w": True})
    assert not is_enabled(flag, "u", "w", rules)


@pytest.mark.parametrize(("percentage", "expected"), [(0, 0), (100, 500)])
@pytest.mark.parametrize(
    "rules", [Rules(*pair) for pair in itertools.product(Semantics, HashKind)], ids=lambda r: str(r.hash_kind)
)
def test_zero_is_nobody_and_hundred_is_everybody(rules: Rules, percentage: int, expected: int) -> None:
    """The ends of the ramp have no rounding."""
    flag = Flag("virtualization", enabled=True, percentage=percentage)
    assert sum(is_enabled(flag, f"u{i}", f"w{i}", rules) for i in range(500)) == expected


def test_larger_percentage_keeps_everybody_who_was_on() -> None:
    """Going up never takes a feature away from a user."""
    users = [f"u{i}" for i in range(300)]
    before: set[str] = set()
    for percentage in (0, 5, 15, 25, 50, 75, 100):
        flag = Flag("virtualization", enabled=True, percentage=percentage)
        now = {user for user in users if is_enabled(flag, user, "w", FIRST)}
        assert before <= now
        before = now


def test_start_values_come_from_the_environment() -> None:
    """FEATURE_* is read as the seed writes it: only the text true switches on."""
    environ = {
        "FEATURE_API_CACHING": "true",
        "FEATURE_VIRTUALIZATION": "yes",
        "FEATURE_ROLLOUT_PERCENTAGE": "15",
    }
    flags = {flag.name: flag for flag in flags_from_environment(environ)}
    assert tuple(flags) == FLAG_NAMES
    assert [name for name, flag in flags.items() if flag.enabled] == ["apiCaching"]
    assert {flag.percentage for flag in flags.values()} == {15}
    assert environment_name("reactQueryOptimization") == "FEATURE_REACT_QUERY_OPTIMIZATION"


@pytest.mark.parametrize("text", ["101", "-1", "five", ""])
def test_wrong_start_percentage_is_refused(text: str) -> None:
    """A typing error in the percentage stops the start, it does not become 0 or 100."""
    with pytest.raises(ValueError, match="from 0 to 100"):
        flags_from_environment({"FEATURE_ROLLOUT_PERCENTAGE": text})


def test_demo_start_values() -> None:
    """The demo has three features at 25 %, monitoring for all, and six off."""
    on = {flag.name: flag.percentage for flag in demo_flags() if flag.enabled}
    monitoring = on.pop("performanceMonitoring")
    assert monitoring == 100
    assert on == {"virtualization": 25, "cursorPagination": 25, "apiCaching": 25}


def test_change_merges_overrides_and_null_removes_one() -> None:
    """A change touches what it names and nothing else."""
    flag = Flag("apiCaching", enabled=True, percentage=5, user_overrides={"a": True, "b": False})
    after = changed(flag, {"percentage": 6, "userOverrides": {"a": None, "c": True}})
    assert after == Flag("apiCaching", enabled=True, percentage=6, user_overrides={"b": False, "c": True})


@pytest.mark.parametrize(
    "change",
    [
        {"percentage": 101},
        {"percentage": 2.5},
        {"percentage": True},
        {"enabled": "true"},
        {"rollout": 5},
        {},
        [],
        {"userOverrides": {"a": 1}},
        {"workspaceOverrides": ["a"]},
    ],
)
def test_wrong_changes_name_what_is_accepted(change: object) -> None:
    """A change that cannot be meant is refused with a message that helps."""
    with pytest.raises(BadRequestError, match=r"accepted|overrides are"):
        changed(Flag("apiCaching"), change)
