"""Floor 6. The load run of a stage: Locust as a process of its own, writing into the same run."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from rampgate.errors import ProbeError
from rampgate.evidence import journal, session
from rampgate.load import launch
from rampgate.load.plan import SOURCE_VARIABLE, STAGE
from rampgate.model.measurement import Measurement
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from typing import TextIO

    from rampgate.config.load_settings import LoadSettings
    from rampgate.evidence.run import Run
    from rampgate.judging.verdict import Record
    from rampgate.stage.active import Active

_TOLD_EVERY_S = 30.0
_MOMENT_S = 2.0
_LAST_WORDS = 3
_OWN_LINE = "rampgate: "


class Due:
    """Lets lines through in bursts: those of one moment together, then none for a while."""

    def __init__(self) -> None:
        self._burst = -_TOLD_EVERY_S

    def now(self, now: float) -> bool:
        """Whether a line of this second (monotonic) is shown."""
        if now - self._burst >= _TOLD_EVERY_S:
            self._burst = now
        return now - self._burst < _MOMENT_S


class Flat(NamedTuple):
    """A flat profile: all users at once.

    Args:
        users: how many.
        seconds: for how long.
        key: the setting that says so.
    """

    users: int
    seconds: float
    key: str


class LoadLook:
    """Runs the load of one stage.

    Args:
        active: the stage.
        run: this process's part in its run.
    """

    def __init__(self, active: Active, run: Run) -> None:
        self._active = active
        self._run = run
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._own_words: deque[str] = deque(maxlen=_LAST_WORDS)

    def flat(self, told: LoadSettings) -> Measurement:
        """The extended stage's flat profile: so many users for so long.

        Raises:
            ProbeError: it does not fit into the stage's time, had to be stopped, died, or left no evidence.
        """
        return self._flat(Flat(told.flat_users, told.flat_duration, "load.flat_duration"))

    def before(self, told: LoadSettings) -> Measurement:
        """A flat profile of few users for a short while, before a deploy.

        Raises:
            ProbeError: as flat.
        """
        return self._flat(Flat(told.before_users, told.before_duration, "load.before_duration"))

    def _flat(self, told: Flat) -> Measurement:
        """What the users measure has checks, a header and an end of its own."""
        left = self._run.deadline - self._run.clock.monotonic()
        if told.seconds >= left:
            raise ProbeError(
                f"{told.key}: {told.seconds:g} s do not fit into the {max(0.0, left):.0f} s "
                f"that are left of stages.{self._run.stage}.budget"
            )
        what = [f"--users={told.users}", f"--duration={told.seconds:g}s", "--time-scale=1"]
        begun, known = self._run.clock.now(), set(self._load_headers())
        code = self._follow(launch.command("--headless", "--only-summary", *what), told, left)
        ended = self._run.clock.now()
        self._must_have_ended(set(self._load_headers()) - known, code)
        return Measurement(
            "load_run",
            "s",
            n=1,
            value=round(ended - begun, 1),
            start=begun,
            end=ended,
            labels={"users": f"{told.users} users", "duration": f"for {told.seconds:g} s"},
            note="its checks, under load/, have the numbers",
        )

    def _follow(self, command: list[str], told: Flat, left: float) -> int:
        source = {key: value for key, value in self._active.source.items() if key != "notes"}
        # What is left of the stage's time is the load run's: a repeat that does not fit in does not begin.
        budget = f"{max(0.0, left - launch.STOP_WITHIN_S):.1f}s"
        flat = {
            **source["overrides"],
            "load.executor": "ramping-users",
            "stages.load.budget": budget,
        }
        environ = {
            **os.environ,
            session.RUN_VARIABLE: self._run.id,
            session.LOCK_VARIABLE: self._active.word,
            SOURCE_VARIABLE: json.dumps({**source, "overrides": flat}),
        }
        self._run.progress(f"load: {told.users} users for {told.seconds:g} s")
        path = self._run.folder / f"{self._run.journal.process}-load.log"
        with path.open("w", encoding="utf-8") as log:
            return launch.follow(command, environ, left, partial(self._hear, log, Due()))

    def _hear(self, log: TextIO, due: Due, line: str) -> None:
        """Keep everything that the load test says; show what it says of itself, now and then."""
        if not line:
            return
        text = str(self._run.journal.clean(line))
        log.write(text + "\n")
        self._words.append(text)
        if text.startswith(_OWN_LINE):
            self._own_words.append(text.removeprefix(_OWN_LINE))
            if due.now(time.monotonic()):
                self._run.progress(f"load: {self._own_words[-1]}")

    def _must_have_ended(self, begun: set[str], code: int) -> None:
        """Whoever exits without a run that began and ended has measured nothing that counts."""
        last = self._own_words or self._words
        words = f": {' | '.join(last)}" if last else ""
        verdicts = {int(decision.exit_code) for decision in Decision}
        records = journal.read(self._run.folder)[0] if begun else []
        ended = {record["process"] for record in records if record["type"] == "end"}
        if code < 0:
            raise ProbeError(f"the load run was ended by signal {-code}{words}")
        if code not in verdicts or not begun or not begun <= ended:
            raise ProbeError(f"the load run came to no verdict (exit code {code}){words}")

    def _load_headers(self) -> list[str]:
        records: list[Record] = journal.read(self._run.folder)[0]
        return [r["process"] for r in records if r["type"] == "header" and r["stage"] == STAGE]
