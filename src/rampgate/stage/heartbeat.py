"""A line now and then while checks run, so that nobody takes a long one for one that hangs."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

from rampgate.config import plan
from rampgate.model.text import clean

EVERY_S, IN_PLACE_EVERY_S = 15.0, 5.0
"""Seconds of silence after which a log gets a line, and a terminal."""
_LOOKS_EVERY_S = 1.0


class Heartbeat:
    """Says what runs whenever nothing else has been said for a while.

    Args:
        file: the terminal's or the log's descriptor, which the capture of output leaves alone.
        in_place: a terminal, on which each line takes the place of the one before.
    """

    def __init__(self, file: int, *, in_place: bool) -> None:
        self._file, self._in_place = file, in_place
        self._every_s = IN_PLACE_EVERY_S if in_place else EVERY_S
        self._running: dict[str, float] = {}
        self._names: dict[str, str] = {}
        self._detail = ""
        self._spoken_at, self._shown = time.monotonic(), False
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
        self._detail = clean(text)

    def spoken(self) -> None:
        """Something else is written now: the line that is in its place goes."""
        with self._lock:
            self._spoken_at = time.monotonic()
            if self._shown:
                self._shown = False
                self._write("\r\x1b[K")

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
            text = f"  … {self._detail or ', '.join(running)}"
            if self._in_place:
                self._shown = True
                self._write(f"\r\x1b[K{text[: max(20, shutil.get_terminal_size().columns - 1)]}")
            else:
                self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        with suppress(OSError):  # its reader has left
            os.write(self._file, text.encode("utf-8", "replace"))
