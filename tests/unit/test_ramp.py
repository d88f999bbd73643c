import pytest
from hypothesis import given
from hypothesis import strategies as st

from rampgate.model.ramp import DEFAULT_RAMP, Ramp, RampStage, parse_duration

durations = st.integers(1, 3600).map(float)
targets = st.integers(0, 1000).map(float)
ramps = st.builds(
    Ramp,
    st.lists(st.builds(RampStage, durations, targets), min_size=1, max_size=6).map(tuple),
    targets,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2m", 120),
        ("30s", 30),
        ("1h30m", 5400),
        ("1h2m3s", 3723),
        ("1.5m", 90),
        ("500ms", 0.5),
        (" 2m ", 120),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """Hours, minutes, seconds and milliseconds add up."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "m", "2 m", "-2m", "2d", "2m3"])
def test_what_is_no_duration(text: str) -> None:
    """A number without a unit and an unknown unit are refused, with what is accepted."""
    with pytest.raises(ValueError, match="accepted are durations such as 30s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("second", "users", "stage"),
    [
        (-1, 0, None),
        (0, 0, 0),
        (60, 5, 0),
        (119.999, 10, 0),
        (120, 10, 1),
        (270, 30, 1),
        (420, 50, 2),
        (480, 75, 2),
        (540, 100, 3),
        (700, 100, 3),
        (840, 100, 4),
        (900, 50, 4),
        (960, 0, None),
        (5000, 0, None),
    ],
    ids=[
        "before the start: nobody",
        "the first instant belongs to the first stage",
        "half of the first ramp",
        "just before its end",
        "a boundary belongs to the stage that begins",
        "five minutes to 50 are a ramp from 10, and stay nowhere",
        "the third stage begins at 50",
        "half of the third ramp",
        "the plateau begins",
        "and holds",
        "the ramp down begins",
        "half of it",
        "the end belongs to no stage",
        "long after: still nobody",
    ],
)
def test_default_profile(second: float, users: float, stage: int | None) -> None:
    """The default load is read as k6 runs it."""
    assert DEFAULT_RAMP.users_at(second) == pytest.approx(users, abs=1e-3)
    assert DEFAULT_RAMP.stage_at(second) == stage


def test_default_profile_has_its_plateau() -> None:
    """The five minutes at 100 users are found, nine minutes after the start; all lasts sixteen."""
    index = DEFAULT_RAMP.plateau()

    assert index == 3
    assert DEFAULT_RAMP.bounds(index) == (540, 840)
    assert DEFAULT_RAMP.bounds(0) == (0, 120)
    assert DEFAULT_RAMP.duration == 960


@pytest.mark.parametrize(
    ("text", "start", "index"),
    [
        ("1m:10,2m:10,3m:10", 0, 2),
        ("2m:10,1m:20", 10, 0),
        ("1m:10,1m:20", 0, None),
        ("1m:0,1m:10", 0, None),
        ("0s:10,1m:20", 10, None),
    ],
    ids=[
        "the longest of two",
        "the start counts",
        "ramps only: none",
        "idling at 0 users is no plateau",
        "nor is a stage of 0 s",
    ],
)
def test_plateau(text: str, start: float, index: int | None) -> None:
    """A plateau is a stage that holds a number of users for some time."""
    assert Ramp.parse(text, start).plateau() == index


def test_before_the_start_are_the_users_of_the_start() -> None:
    """A ramp that begins at 7 users has 7 before it, and the first instant belongs to its first stage."""
    ramp = Ramp.parse("1m:10", start=7)

    assert (ramp.users_at(-1), ramp.users_at(0), ramp.users_at(60)) == (7, 7, 10)


def test_a_stage_of_no_time_is_a_jump() -> None:
    """With 0 s the users are there at once, and the stage itself contains no instant."""
    ramp = Ramp.of([("0s", 50), (60, 50)])

    assert ramp.users_at(0) == 50
    assert ramp.stage_at(0) == 1


@given(ramps, st.floats(0, 1))
def test_users_stay_between_the_ends_of_their_stage(ramp: Ramp, part: float) -> None:
    """At each moment the users lie between the targets of the stage before and of this one."""
    second = part * ramp.duration
    index = ramp.stage_at(second)

    if index is not None:
        low, high = sorted((ramp.origin(index), ramp.stages[index].target))
        assert low - 1e-9 <= ramp.users_at(second) <= high + 1e-9
        begin, end = ramp.bounds(index)
        assert begin <= second < end


@given(ramps)
def test_no_jumps_between_stages(ramp: Ramp) -> None:
    """Just before each boundary the users are where the next stage begins."""
    for index, end in enumerate(ramp.ends):
        assert ramp.users_at(end - 1e-7) == pytest.approx(ramp.stages[index].target, abs=1e-3)
        assert ramp.users_at(end) == ramp.stages[index].target


@given(ramps, st.floats(0, 0.999), st.sampled_from([0.01, 0.5, 1.0, 3.0]))
def test_scaling_stretches_time_alone(ramp: Ramp, part: float, factor: float) -> None:
    """A compressed run passes through the same users in the same order."""
    scaled = ramp.scaled(factor)

    assert scaled.duration == pytest.approx(ramp.duration * factor)
    assert scaled.users_at(part * ramp.duration * factor) == pytest.approx(
        ramp.users_at(part * ramp.duration), abs=1e-6
    )


@given(ramps)
def test_text_and_pairs_say_the_same(ramp: Ramp) -> None:
    """What is written as text reads back as the same ramp."""
    text = ", ".join(f"{stage.duration_s:g}s:{stage.target:g}" for stage in ramp.stages)

    assert Ramp.parse(text, ramp.start) == ramp
    assert Ramp.of([(s.duration_s, s.target) for s in ramp.stages], ramp.start) == ramp


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "stage 1: found ''; accepted is duration:users"),
        ("2m:10,5m", "stage 2: found '5m'; accepted is duration:users"),
        ("2m:10,5:50", "stage 2: found the duration '5'"),
        ("2m:-1", "stage 1: found '2m:-1'"),
        ("2m:many", "stage 1: found '2m:many'"),
        ("0s:10", "longer than 0 s"),
    ],
)
def test_what_is_no_ramp(text: str, says: str) -> None:
    """A wrong stage is named by its number, with what is accepted."""
    with pytest.raises(ValueError, match=says):
        Ramp.parse(text)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_ramps_of_impossible_numbers(value: float) -> None:
    """Users, seconds and factors that cannot be are refused."""
    with pytest.raises(ValueError, match="stage 1: the target"):
        Ramp.of([("1m", value)])
    with pytest.raises(ValueError, match="stage 1: the duration"):
        Ramp.of([(value, 1)])
    with pytest.raises(ValueError, match="a ramp starts with"):
        Ramp.of([("1m", 1)], start=value)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_ramps_are_scaled_by_positive_factors(factor: float) -> None:
    """No factor turns time back or stops it."""
    with pytest.raises(ValueError, match="above 0"):
        DEFAULT_RAMP.scaled(factor)
