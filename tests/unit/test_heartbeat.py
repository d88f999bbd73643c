from __future__ import annotations

import os
import shutil
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rampgate.stage import soak
from rampgate.stage.heartbeat import EVERY_S, IN_PLACE_EVERY_S, Heartbeat

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECK = "validation/immediate/test_7_audits.py::test_page_is_fast_enough[home]"


class Said:
    """A heartbeat and what it has written."""

    def __init__(self, *, in_place: bool) -> None:
        self._reader, self.file = os.pipe()
        os.set_blocking(self._reader, False)
        self.heartbeat = Heartbeat(self.file, in_place=in_place)

    def after(self, seconds: float) -> str:
        """What it writes when it looks so many seconds from now."""
        self.heartbeat.look(time.monotonic() + seconds)
        return self.read()

    def read(self) -> str:
        """What it has written since the last time."""
        try:
            return os.read(self._reader, 65536).decode()
        except BlockingIOError:
            return ""


@pytest.fixture
def said(request: pytest.FixtureRequest) -> Iterator[Said]:
    """One on a log, or on a terminal where the test says so."""
    said = Said(in_place=getattr(request, "param", False))
    yield said
    said.heartbeat.stop()


def test_a_check_that_takes_long_is_named_now_and_then(said: Said) -> None:
    """In a log a line each 15 s of silence, with how long it has taken; none before, and none in between."""
    assert said.after(EVERY_S + 1) == ""
    said.heartbeat.begins(CHECK)
    assert said.after(EVERY_S - 1) == ""
    assert said.after(EVERY_S + 1) == f"  … audits::page_is_fast_enough[home] for {EVERY_S + 1:.0f} s\n"
    assert said.after(2 * EVERY_S) == ""
    said.heartbeat.detail("latency: 30 of 60 s")
    assert said.after(3 * EVERY_S) == "  … latency: 30 of 60 s\n"
    said.heartbeat.ends(CHECK)
    assert said.after(9 * EVERY_S) == ""


@pytest.mark.parametrize("said", [True], indirect=True)
def test_on_a_terminal_a_line_takes_the_place_of_the_one_before(said: Said) -> None:
    """Whatever is written next finds an empty line there; a name controls no terminal."""
    said.heartbeat.begins("test_own.py::test_\x1b[31m")
    assert said.after(IN_PLACE_EVERY_S + 1) == "\r\x1b[K  … test_own.py::test_␛[31m for 6 s"
    said.heartbeat.spoken()
    assert said.read() == "\r\x1b[K"
    said.heartbeat.spoken()
    assert said.read() == ""


def test_nothing_is_written_after_the_end(said: Said) -> None:
    """The descriptor may be another file's by then."""
    said.heartbeat.begins(CHECK)
    said.heartbeat.stop()
    assert said.after(99) == ""


def test_what_goes_on_beside_the_check_is_told_in_the_same_line(said: Said) -> None:
    """In a log the parts of a stage share a line; what is old has its age, what has ended goes."""
    said.heartbeat.begins(CHECK)
    said.heartbeat.detail("load: 2:10 | 7:50 left")
    said.heartbeat.beside("watch: 2 min observed of 30 min; 1 firing")
    both = "  … load: 2:10 | 7:50 left | watch: 2 min observed of 30 min; 1 firing\n"
    assert said.after(EVERY_S + 1) == both
    assert " ago) watch: 2 min observed" in said.after(3 * EVERY_S)
    said.heartbeat.beside("")
    assert said.after(5 * EVERY_S) == "  … load: 2:10 | 7:50 left\n"


@pytest.mark.parametrize("said", [True], indirect=True)
def test_each_part_has_its_lines_on_a_terminal_and_all_are_taken_away(said: Said) -> None:
    """As many lines as were written are erased, none wider than the terminal; a part has two at most."""
    said.heartbeat.begins(CHECK)
    said.heartbeat.detail("load: 2:10")
    said.heartbeat.beside("watch: " + "not read, " * 40)
    lines = said.after(IN_PLACE_EVERY_S + 1).removeprefix("\r\x1b[K").split("\n")
    assert (len(lines), lines[0]) == (3, "  … load: 2:10")
    assert all(len(line) < shutil.get_terminal_size().columns for line in lines)
    said.heartbeat.say("watch: error_rate fires")
    assert said.read() == "\r\x1b[K\x1b[1A\x1b[K\x1b[1A\x1b[K  … watch: error_rate fires\n"


def test_how_far_a_watch_is_takes_its_own_place_and_what_happens_stays() -> None:
    """Only lines about a round are shown, without the time and the place that the stage knows."""
    shown = list[tuple[str, str]]()
    run: Any = SimpleNamespace(
        beside=lambda text: shown.append(("beside", text)), say=lambda text: shown.append(("say", text))
    )
    at = "rampgate: 2026-11-30 21:51:58 UTC"
    soak.pass_on(f"{at} shop 1.0, production at 25 %: 27 s observed of 2 min; 18 ok, 3 unknown", run)
    soak.pass_on(f"{at} high_error_rate: ok to firing: 7 % of 900", run)
    soak.pass_on("rampgate: watching 19 rules on 14 metrics, every 5 s", run)
    assert shown == [
        ("beside", "watch: 27 s observed of 2 min; 18 ok, 3 unknown"),
        ("say", "watch: high_error_rate: ok to firing: 7 % of 900"),
    ]
