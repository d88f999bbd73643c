from __future__ import annotations

from functools import reduce

import pytest

from rampgate.judging.episodes import Episode, State, Timing, changed, step

MINUTE = Timing(duration=60, recovery=60, max_gap=45, max_age=90)
AT_ONCE = Timing(duration=0, recovery=0, max_gap=45, max_age=90)
READING = {"b": True, "g": False, "-": None}
NAMES = {
    "o": State.OK,
    "p": State.PENDING,
    "f": State.FIRING,
    "r": State.RECOVERING,
    "u": State.UNKNOWN,
}


def walk(readings: str, timing: Timing = MINUTE, every: float = 30) -> list[Episode]:
    """The episodes after each of the readings, one every 30 s."""
    found = [Episode()]
    for number, reading in enumerate(readings):
        found.append(step(found[-1], number * every, timing, bad=READING[reading]))
    return found[1:]


def states(readings: str, timing: Timing = MINUTE, every: float = 30) -> str:
    """The first letter of each state."""
    letters = {state: letter for letter, state in NAMES.items()}
    return "".join(letters[episode.state] for episode in walk(readings, timing, every))


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ("ggg", "ooo"),
        ("bbb", "ppf"),  # fires when it has been broken for 60 s, not before
        ("bbg", "ppo"),  # and starts from nothing when it was kept in between
        ("bbgbbb", "ppoppf"),
        ("bbbg", "ppfr"),
        ("bbbggg", "ppfrro"),  # kept for 60 s: its end
        ("bbbggbggg", "ppfrrfrro"),
        ("b-bb", "pppp"),  # a missing reading freezes: 30 s of these 90 are observed
        ("b-bbb", "ppppf"),
        ("bbb----", "ppfffff"),  # and never resolves
        ("bbbg---", "ppfrrrr"),
        ("bbbg-gg", "ppfrrrr"),
        ("bbbg-ggg", "ppfrrrro"),
        ("g---", "oooo"),
        ("g----", "oooou"),  # older than 90 s
        ("g----b", "ooooup"),
        ("----", "uuuu"),
        ("-g", "uo"),
    ],
)
def test_a_threshold_fires_after_its_duration_and_a_gap_freezes_it(readings: str, expected: str) -> None:
    """Pending until broken for the whole duration; a missing reading never resets, resolves or ages it."""
    assert states(readings) == expected


@pytest.mark.parametrize(
    ("readings", "expected"), [("b", "f"), ("gbg", "ofo"), ("b-g", "ffo"), ("bg-b", "foof")]
)
def test_without_a_duration_the_first_bad_reading_fires(readings: str, expected: str) -> None:
    """A threshold without a duration fires at its first bad reading and ends at its first good one."""
    assert states(readings, AT_ONCE) == expected


def test_time_when_nobody_watched_makes_nothing_older() -> None:
    """Two bad readings an hour apart are no hour of trouble: too long a gap counts as not observed."""
    assert states("bb", every=3600) == "pp"
    assert walk("bb", every=3600)[-1].held == 0


def test_a_clock_that_is_set_back_ages_nothing() -> None:
    """A reading that is older than the one before adds no observed time, and none is taken away."""
    pending = walk("bb")[-1]
    assert step(pending, -3600, MINUTE, bad=True).held == pending.held


def test_one_episode_goes_on_through_a_recovery_that_fails() -> None:
    """From firing to the next ok it is one episode; the next firing after that is another."""
    assert [episode.number for episode in walk("bbbgbgggbbb")] == [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2]


def test_a_confirmed_reading_fires_at_once() -> None:
    """What is read more seldom than its duration fires as soon as further readings confirm it."""
    assert step(Episode(), 0, MINUTE, bad=True, confirmed=True).state is State.FIRING


@pytest.mark.parametrize(
    ("readings", "expected"),
    [("g", State.UNKNOWN), ("bb", State.UNKNOWN), ("bbb", State.FIRING), ("bbbg", State.FIRING)],
)
def test_no_window_straddles_a_change(readings: str, expected: State) -> None:
    """After a change nothing that was pending is known any more; what fires goes on until it is kept."""
    after = changed(walk(readings)[-1], 1000)
    assert after.state is expected
    assert step(after, 1001, MINUTE, bad=True).held == 0


def test_an_episode_survives_its_file() -> None:
    """What is written down is read back as it was, in every state."""
    for episode in walk("gbbbgggg-----b"):
        assert Episode.from_json(episode.to_json()) == episode


def test_the_same_readings_give_the_same_episode_wherever_it_was_written_down() -> None:
    """A watch that is stopped and resumed between any two readings comes to the same end."""
    readings = "gbbbgbggbbb--bg"
    whole = walk(readings)[-1]

    def resumed(episode: Episode, numbered: tuple[int, str]) -> Episode:
        again = Episode.from_json(episode.to_json())
        return step(again, numbered[0] * 30, MINUTE, bad=READING[numbered[1]])

    assert reduce(resumed, enumerate(readings), Episode()) == whole
