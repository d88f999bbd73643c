from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rampgate.config.load_settings import LoadSettings
from rampgate.errors import ConfigurationError
from rampgate.load import profile
from rampgate.model.ramp import DEFAULT_RAMP, Ramp

SEED = "2m:10,5m:50,2m:100,5m:100,2m:0"

stages = st.lists(
    st.tuples(st.integers(0, 50).map(float), st.integers(0, 80).map(float)), min_size=1, max_size=6
).filter(lambda pairs: any(duration for duration, _ in pairs))


def profile_of(**load: Any) -> profile.Profile:
    """The profile of these settings."""
    return profile.of(LoadSettings(**load))


def test_the_written_stages_are_the_ramp() -> None:
    """``stages`` is read as k6 reads it, and wins over users, ramp_up, plateau, ramp_down and duration."""
    assert profile_of(stages=SEED, users=3, duration="1m") == profile.Profile(DEFAULT_RAMP)
    assert profile_of(stages=SEED).users == 100


def test_up_steady_down_without_stages() -> None:
    """Without stages and duration the ramp goes up, stays and goes down."""
    told = profile_of(users=2, ramp_up=10, plateau=30, ramp_down=5)
    assert told.ramp == Ramp.of([(10, 2), (30, 2), (5, 0)])
    assert not told.rehearsal


def test_a_flat_profile_has_all_users_from_the_start() -> None:
    """``duration`` holds all users from the first second to the last, and all of it is the plateau."""
    told = profile_of(users=50, duration="10m")
    assert list(told.steps()) == [profile.Step(0.0, 50)]
    assert told.ramp.plateau() == 0
    assert told.ramp.duration == 600


def test_a_time_scale_compresses() -> None:
    """Twenty times faster: the same users in a twentieth of the time, and it is called a rehearsal."""
    told = profile_of(stages=SEED, time_scale=20)
    assert (told.ramp.duration, told.users, told.rehearsal) == (48, 100, True)


@settings(deadline=None, max_examples=60)
@given(stages)
def test_each_user_has_an_instant_of_its_own(pairs: list[tuple[float, float]]) -> None:
    """The steps change by one user at a time, in order of time, and never leave the line by more than 1/2."""
    told = profile.Profile(Ramp.of(pairs))
    steps = list(told.steps())
    jumps = {end for end, stage in zip(told.ramp.ends, told.ramp.stages, strict=True) if not stage.duration_s}
    for before, after in pairwise(steps):
        assert before.at <= after.at
        assert abs(before.users - after.users) == 1 or after.at in jumps
    for before, after in pairwise([*steps, profile.Step(told.ramp.duration, 0)]):
        middle = (before.at + after.at) / 2
        if before.at < middle < after.at:
            assert abs(before.users - told.ramp.users_at(middle)) <= 0.5 + 1e-6


@settings(deadline=None, max_examples=60)
@given(stages)
def test_no_stage_is_left_out(pairs: list[tuple[float, float]]) -> None:
    """The users reach the target of every stage, however short it is."""
    told = profile.Profile(Ramp.of(pairs))
    reached = {step.users for step in told.steps()}
    assert {int(target) for _, target in pairs} <= reached
    assert list(told.steps())[-1].users == pairs[-1][1]


def test_a_constant_arrival_rate_needs_rate_and_duration() -> None:
    """Both are asked for at once."""
    with pytest.raises(ConfigurationError) as caught:
        profile_of(executor="constant-arrival-rate")
    assert "load.rate" in str(caught.value)
    assert "load.duration" in str(caught.value)


def test_users_are_there_before_the_first_arrival() -> None:
    """A constant arrival rate: users come first, then the visits, all of it the plateau."""
    told = profile_of(executor="constant-arrival-rate", rate=5, duration=60, users=7)
    assert (told.rate, told.users) == (5, 7)
    assert told.ramp.bounds(told.ramp.plateau() or 0) == (profile.LEAD_S, profile.LEAD_S + 60)
    assert profile.Tickets(told).take(0.0) == profile.LEAD_S


def _arrivals(rate: float = 10.0, duration: float = 2.0) -> profile.Profile:
    return profile_of(executor="constant-arrival-rate", rate=rate, duration=duration)


def test_tickets_come_at_the_rate_until_the_end() -> None:
    """Whoever is always free gets every instant: rate times duration of them, evenly."""
    tickets = profile.Tickets(_arrivals())
    taken = []
    while (ticket := tickets.take(0.0)) is not None:
        taken.append(ticket)
        tickets.begun(ticket, ticket + 0.001)
    assert taken == pytest.approx([profile.LEAD_S + count / 10 for count in range(20)])
    assert (tickets.offered(99.0), tickets.achieved) == (20, 20)


def test_processes_share_the_instants() -> None:
    """Three processes together have the instants of one, none twice."""
    whole: list[float] = []
    for index in range(3):
        tickets = profile.Tickets(_arrivals(), index, 3)
        while (ticket := tickets.take(0.0)) is not None:
            whole.append(ticket)
        assert tickets.offered(99.0) == (7, 7, 6)[index]
    assert sorted(whole) == pytest.approx([profile.LEAD_S + count / 10 for count in range(20)])


def test_an_instant_that_passed_while_nobody_was_free_is_lost() -> None:
    """The open model does not catch up: what could not begin counts as offered and not as achieved."""
    tickets = profile.Tickets(_arrivals())
    for free_at, instant in ((0.0, 0.0), (profile.LEAD_S + 1.05, 1.1)):
        ticket = tickets.take(free_at)
        assert ticket == pytest.approx(profile.LEAD_S + instant)
        tickets.begun(profile.LEAD_S + instant, profile.LEAD_S + instant)
    assert (tickets.offered(profile.LEAD_S + 1.1 + profile.LATE_S), tickets.achieved) == (12, 2)


def test_a_late_start_is_not_achieved() -> None:
    """A visit that the generator was too busy to begin in time is offered and not achieved."""
    tickets = profile.Tickets(_arrivals())
    ticket = tickets.take(0.0)
    assert ticket is not None
    tickets.begun(ticket, ticket + profile.LATE_S + 0.01)
    assert (tickets.offered(ticket + profile.LATE_S + 0.01), tickets.achieved) == (1, 0)


def test_the_command_line_wins() -> None:
    """What the command line says replaces the file's word; what it does not say stays."""
    load = LoadSettings(stages=SEED, pause=7, abort="off")
    flat = profile.with_options(
        load, {"duration": "10m", "users": "50", "time_scale": None, "rate": "", "abort": "on"}
    )
    assert profile.of(flat).ramp == Ramp.of([(600, 50)], start=50)
    assert (flat.pause, flat.abort) == (7, "on")
    assert profile.with_options(load, {"time_scale": "20"}).stages == SEED
    arrivals = profile.with_options(load, {"duration": "30s", "rate": "12.5"})
    assert profile.of(arrivals).rate == 12.5
    assert profile.with_options(load, {}) == load


def test_every_option_that_cannot_be_read_is_told() -> None:
    """Four mistakes, four sentences."""
    wrong = {"time_scale": "0", "duration": "10", "users": "many", "rate": "-1", "abort": "maybe"}
    with pytest.raises(ConfigurationError) as caught:
        profile.with_options(LoadSettings(), wrong)
    for option in ("--time-scale", "--duration", "--users", "--rate", "--abort"):
        assert option in str(caught.value)


def test_users_alone_do_not_change_written_stages() -> None:
    """--users beside stages would be ignored: it is refused instead."""
    with pytest.raises(ConfigurationError, match="--users"):
        profile.with_options(LoadSettings(stages=SEED), {"users": 5})
    assert profile.with_options(LoadSettings(), {"users": 5}).users == 5
