"""Whether a command of the deployment, such as its build, its tests, its linter, ends with 0."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io.process import Process
from rampgate.model.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TextIO

    from rampgate.config.predeploy import CommandSettings


PYTHON = "{python}"
"""A part of a command that stands for the Python that runs us."""
KEPT_CHARACTERS = 64_000_000
_SHOWN_EVERY_S = 5.0
_LAST_WORDS = 3
_SHOWN = 300
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")
_OURS = re.compile(r"PYTEST_(?!ADDOPTS$|PLUGINS$)|RAMPGATE_(?:RUN|LOCK)$")
"""Variables by which a pytest or a measuring run inside the command would take itself for a part of ours."""


@dataclass
class CommandProbe:
    """Runs one command to its end.

    Args:
        command: one of [[commands]].
        logs: a folder for its whole output.
        clean: takes secrets out of a text.
        progress: takes a line of progress.
        left_s: what is left of the stage's time, in seconds.
    """

    command: CommandSettings
    logs: Path
    clean: Callable[[str], str]
    progress: Callable[[str], None]
    left_s: float
    _words: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_WORDS))
    _room: int = KEPT_CHARACTERS
    _reported: float = field(default_factory=time.monotonic)

    def measure(self) -> list[Measurement]:
        """``command_exit_code`` (negative: the signal that ended it) and ``command_time``.

        Raises:
            ConfigurationError: there is no such folder, or no such program.
            ProbeError: its output cannot be kept, or the stage's time was over before its own.
        """
        parts = self._parts()
        began = time.monotonic()
        try:
            log = _fresh(self.logs, self.command.name)
            with log.open("w", encoding="utf-8", buffering=1) as output:
                code, in_time = self._run(parts, output)
        except OSError as error:
            message = f"cannot be run, or its output not be kept: {error.strerror}"
            raise ProbeError(f"commands.{self.command.name}: {message}") from None
        seconds = time.monotonic() - began
        if not in_time and self.left_s < self.command.timeout:
            raise ProbeError(
                f"commands.{self.command.name}: was ended after {seconds:.0f} s: the stage's time was over"
            )
        labels = {"command": self.command.name}
        details = {"log": f"{self.logs.name}/{log.name}", "last_words": list(self._words)}
        note = self._note(code, in_time=in_time)
        return [
            Measurement(
                "command_exit_code",
                n=1,
                value=float(code),
                labels=labels,
                note=note,
                details=details,
            ),
            Measurement("command_time", "s", n=1, value=round(seconds, 2), labels=labels),
        ]

    def _parts(self) -> list[str]:
        """Program and arguments, the program where it is.

        Raises:
            ConfigurationError: as measure.
        """
        command, key = self.command, f"commands.{self.command.name}"
        if not command.folder.is_dir():
            raise ConfigurationError(f"{key}.folder: found {str(command.folder)!r}; accepted is a folder")
        parts = [sys.executable if part == PYTHON else part for part in command.command]
        # A path is relative to the command's folder.
        place = str(command.folder.resolve() / parts[0]) if "/" in parts[0] else parts[0]
        program = shutil.which(place)
        if program is None:
            where = "no program can be run there" if "/" in parts[0] else "there is none on PATH"
            raise ConfigurationError(f"{key}.command: found the program {parts[0]!r}; {where}")
        return [program, *parts[1:]]

    def _run(self, parts: Sequence[str], output: TextIO) -> tuple[int, bool]:
        """Its exit code, and whether it ended by itself in time."""
        environ = {name: value for name, value in os.environ.items() if not _OURS.match(name)}
        process = Process(parts, environ, self.command.folder)

        def hear(line: str) -> None:
            self._hear(line, output)

        in_time = False
        try:
            in_time = process.wait_for(min(self.command.timeout, max(0.0, self.left_s)), hear)
        finally:
            code = process.end(hear)
        return code, in_time or code == 0

    def _hear(self, line: str, output: TextIO) -> None:
        """Keep a line; show one now and then."""
        if not line:
            return
        text = self.clean(line)
        room, self._room = self._room, -1  # none, should writing fail: its end is heard too
        if room > len(text):
            output.write(f"{text}\n")
            self._room = room - len(text) - 1
        elif room >= 0:
            output.write("(the rest is not kept)\n")
        plain = _ESCAPE.sub("", text).strip()
        if not plain:
            return
        self._words.append(plain)
        if time.monotonic() - self._reported >= _SHOWN_EVERY_S:
            self._reported = time.monotonic()
            self.progress(f"{self.command.name}: {plain[:_SHOWN]}")

    def _note(self, code: int, *, in_time: bool) -> str:
        if in_time and code == 0:
            return ""
        words = " | ".join(self._words)
        end = f"its last words: {words[-_SHOWN:]}" if words else "it wrote nothing"
        if not in_time:
            return f"did not end within {self.command.timeout:g} s and was ended; {end}"
        return f"ended by {signal.Signals(-code).name}; {end}" if code < 0 else end


def _fresh(folder: Path, name: str) -> Path:
    """A new file for a name that may hold anything."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    plain = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "command"
    number = 1
    while True:
        path = folder / (f"{plain}.log" if number == 1 else f"{plain}-{number}.log")
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            number += 1
        else:
            return path
