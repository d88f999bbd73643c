from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

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
