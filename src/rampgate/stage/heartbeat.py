"""A line now and then for each part of a stage, so that nobody takes a long one for one that hangs."""

from __future__ import annotations

import os
import shutil
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

from rampgate.config import plan
from rampgate.model import formats
from rampgate.model.text import clean

EVERY_S, IN_PLACE_EVERY_S, LONG_EVERY_S = 15.0, 5.0, 60.0
"""Seconds of silence until a log gets a line, a terminal does, and the log of a stage that is watched."""
_LOOKS_EVERY_S = 1.0
_OLD_S = 30.0
_LINES = 2
"""Of a terminal, for each part."""
_LONGEST = 400
_EMPTY = "\r\x1b[K"
"""Empties the line that the cursor is in."""


class Heartbeat:
    """Says what runs whenever nothing else has been said for a while.

    Args:
        file: the terminal's or the log's descriptor, which the capture of output leaves alone.
        in_place: a terminal, on which what is said takes the place of what was said before.
        every_s: seconds of silence until a log gets a line.
    """

    def __init__(self, file: int, *, in_place: bool, every_s: float = EVERY_S) -> None:
        self._file, self._in_place = file, in_place
        self._every_s = IN_PLACE_EVERY_S if in_place else every_s
        self._running: dict[str, float] = {}
        self._names: dict[str, str] = {}
        self._detail = self._beside = ""
        self._spoken_at = self._beside_at = time.monotonic()
        self._shown = 0
        self._lock, self._ended = threading.Lock(), threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def begins(self, nodeid: str) -> None:
        """A test begins, here or in a worker."""
        path, _, name = nodeid.partition("::")
        ours = path.startswith(f"{plan.validation_folder().name}/")
        with self._lock:
            self._running[nodeid] = time.monotonic()
            self._names[nodeid] = clean(plan.check_name(Path(path).name, name) if ours else nodeid)

    def ends(self, nodeid: str) -> None:
        """It has ended."""
        with self._lock:
            self._running.pop(nodeid, None)
            self._detail = ""

    def detail(self, text: str) -> None:
        """What the test that runs is doing, for the next line."""
        self._detail = clean(text, _LONGEST)

    def beside(self, text: str) -> None:
        """What goes on beside the tests; "": nothing any more."""
        self._beside, self._beside_at = clean(text, _LONGEST), time.monotonic()

    def spoken(self) -> None:
        """Something else is written now: what is in its place goes."""
        with self._lock:
            self._spoken_at = time.monotonic()
            self._write(self._erased())

    def say(self, text: str) -> None:
        """Write a line that stays."""
        with self._lock:
            if not self._ended.is_set():
                self._spoken_at = time.monotonic()
                self._write(f"{self._erased()}  … {clean(text, _LONGEST)}\n")

    def stop(self) -> None:
        """Say no more."""
        self._ended.set()
        self.spoken()

    def _beat(self) -> None:
        while not self._ended.wait(_LOOKS_EVERY_S):
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Write a line, where it is time.

        Args:
            now: by the clock that only goes on, in seconds.
        """
        with self._lock:
            silent = now - self._spoken_at >= self._every_s
            if self._ended.is_set() or not self._running or not silent:
                return
            self._spoken_at = now
            running = (f"{self._names[each]} for {now - at:.0f} s" for each, at in self._running.items())
            parts = [self._detail or ", ".join(running), *self._aged(now)]
            if self._in_place:
                width = max(20, shutil.get_terminal_size().columns - 1)
                lines = [line for part in parts for line in _wrapped(part, width)]
                self._write((self._erased() or _EMPTY) + "\n".join(lines))
                self._shown = len(lines)
            else:
                self._write(f"  … {' | '.join(parts)}\n")

    def _aged(self, now: float) -> list[str]:
        """What goes on beside the tests, and since when nothing else was heard of it."""
        if not self._beside:
            return []
        age = now - self._beside_at
        return [f"({formats.duration(age)} ago) {self._beside}" if age >= _OLD_S else self._beside]

    def _erased(self) -> str:
        """What takes the lines that are in place away."""
        up = "\x1b[1A\x1b[K" * max(0, self._shown - 1)
        erased = f"{_EMPTY}{up}" if self._shown else ""
        self._shown = 0
        return erased

    def _write(self, text: str) -> None:
        with suppress(OSError):  # its reader has left
            os.write(self._file, text.encode("utf-8", "replace"))


def _wrapped(part: str, width: int) -> list[str]:
    """A part as lines of a terminal, none wider than it: nothing else could be taken away again."""
    return textwrap.wrap(
        part,
        width,
        initial_indent="  … ",
        subsequent_indent="    ",
        max_lines=_LINES,
        placeholder=" …",
    )
