import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rampgate.model.buckets import Semantics, Unit, bucket, decide

ON, OFF = True, False
USERS = [f"test-user-{i}" for i in range(20_000)]


def test_golden_counts() -> None:
    """Of 20,000 known ids, the seed's algorithm turns on exactly these numbers."""
    buckets = [bucket(user, "test-workspace") for user in USERS]

    on = {percentage: sum(b < percentage for b in buckets) for percentage in (5, 15, 25, 50, 75)}

    assert on == {5: 974, 15: 2958, 25: 4901, 50: 9883, 75: 14904}


def test_golden_counts_of_a_hundred() -> None:
    """Of the seed's own hundred users 23 are on at 25 %, so that its own test can never pass."""
    buckets = [bucket(user, "test-workspace") for user in USERS[:100]]

    assert [sum(b < p for b in buckets) for p in (5, 15, 25, 50, 75)] == [2, 16, 23, 47, 66]


def test_salted_buckets_part_the_features() -> None:
    """With the feature in the hash two features at 25 % share about 1,250 of 20,000 users.

    That is a quarter of a quarter; the band is five standard deviations. Without it they share all.
    """
    both = [
        bucket(user, "test-workspace", "virtualization") < 25
        and bucket(user, "test-workspace", "apiCaching") < 25
        for user in USERS
    ]

    assert 1078 <= sum(both) <= 1422


def test_the_salt_goes_first() -> None:
    """The salted text is flag:user:workspace."""
    assert bucket("u", "w", "f") == bucket("f", "u:w")
    assert bucket("u", "w", "f") != bucket("u", "w")


@pytest.mark.parametrize(
    ("unit", "flag", "digits"),  # by md5sum of the text
    [("user", None, 0x6384E2B2), ("workspace", None, 0x75371E7E), ("workspace", "f", 0xC498E1F1)],
)
def test_the_unit_is_what_is_hashed(unit: Unit, flag: str | None, digits: int) -> None:
    """Of a user alone, of a workspace alone, of the latter with the flag before it."""
    assert bucket("alice", "clinic", flag, unit) == digits % 100


def test_names_beyond_ascii() -> None:
    """A name is hashed as UTF-8, as node does: md5("Zoë:Zürich") begins with these digits."""
    assert bucket("Zoë", "Zürich") == 0x3A48CEBB % 100


TABLE = [
    (user, workspace, reached)
    for user, workspace in itertools.product([None, True, False], repeat=2)
    for reached in (True, False)
]


@pytest.mark.parametrize(("user", "workspace", "reached"), TABLE)
@pytest.mark.parametrize("semantics", ["seed", "overrides-first"])
def test_a_feature_that_is_not_enabled_is_off(
    user: bool | None, workspace: bool | None, reached: bool, semantics: Semantics
) -> None:
    """The switch of the whole feature beats the percentage and each override."""
    assert decide(100 if reached else 0, OFF, user, workspace, 5, semantics) is False


SEED = {
    (None, None, True): True,
    (None, None, False): False,
    (None, True, True): True,
    (None, True, False): False,
    (None, False, True): False,
    (None, False, False): False,
    (True, None, True): True,
    (True, None, False): False,
    (True, True, True): True,
    (True, True, False): False,
    (True, False, True): True,
    (True, False, False): False,
    (False, None, True): False,
    (False, None, False): False,
    (False, True, True): False,
    (False, True, False): False,
    (False, False, True): False,
    (False, False, False): False,
}
OVERRIDES_FIRST = {
    **SEED,
    (None, True, False): True,
    (True, None, False): True,
    (True, True, False): True,
    (True, False, False): True,
}


@pytest.mark.parametrize(
    ("semantics", "table"),
    [("seed", SEED), ("overrides-first", OVERRIDES_FIRST)],
    ids=["seed", "overrides-first"],
)
@pytest.mark.parametrize(("user", "workspace", "reached"), TABLE)
def test_truth_table(
    user: bool | None,
    workspace: bool | None,
    reached: bool,
    semantics: Semantics,
    table: dict[tuple[bool | None, bool | None, bool], bool],
) -> None:
    """Overrides of user and workspace, inside and outside the percentage: only one order lets them in."""
    on = decide(25, ON, user, workspace, 24 if reached else 25, semantics)

    assert on is table[user, workspace, reached]


@pytest.mark.parametrize("semantics", ["seed", "overrides-first"])
@pytest.mark.parametrize(
    ("percentage", "bucket_", "on"),
    [
        (25, 24, True),
        (25, 25, False),
        (0, 0, False),
        (100, 99, True),
        (1, 0, True),
        (12.5, 12, True),
        (12.5, 13, False),
    ],
    ids=[
        "just below is on",
        "equal is off",
        "0 % reaches nobody",
        "100 % reaches everybody",
        "1 % reaches bucket 0",
        "half a per cent counts its bucket",
        "and not the next",
    ],
)
def test_edges(percentage: float, bucket_: int, on: bool, semantics: Semantics) -> None:
    """On means strictly below the percentage."""
    assert decide(percentage, ON, None, None, bucket_, semantics) is on


@given(
    st.text(),
    st.text(),
    st.integers(0, 100),
    st.integers(0, 100),
    st.sampled_from(["seed", "overrides-first"]),
)
def test_ramps_are_nested(user: str, workspace: str, first: int, second: int, semantics: Semantics) -> None:
    """Who is on at a percentage is on at each higher one."""
    low, high = sorted((first, second))
    place = bucket(user, workspace)

    assert 0 <= place < 100
    assert decide(high, ON, None, None, place, semantics) or not decide(low, ON, None, None, place, semantics)


def test_unknown_semantics() -> None:
    """A misspelt order of precedence is an error, never a guess."""
    with pytest.raises(ValueError, match="accepted are seed and overrides-first"):
        decide(25, ON, None, None, 1, "overrides_first")  # type: ignore[arg-type]  # the misspelling is the test
