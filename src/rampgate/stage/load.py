"""The load run of a stage: Locust as a process of its own, writing into the same run."""

from __future__ import annotations

import json
import os
import re
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from rampgate.errors import ProbeError
from rampgate.evidence import journal, session
from rampgate.evidence.lock import LOCK_VARIABLE
from rampgate.load import launch
from rampgate.load.plan import SOURCE_VARIABLE, STAGE
from rampgate.model import formats
from rampgate.model.measurement import Measurement
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from typing import TextIO

    from rampgate.evidence.run import Run
    from rampgate.judging.results import Record
    from rampgate.stage.stage_session import StageSession

_LAST_LINES = 3
_OWN_LINE = "rampgate: "
_AT, _SO_FAR = re.compile(r"\d+:\d\d \| "), "so far: "
"""How lines of a load run begin: where it is, and what it comes to."""


class LoadRunner:
    """Runs the load of one stage.

    Args:
        stage: the stage.
        run: this process's part in its run.
    """

    def __init__(self, stage: StageSession, run: Run) -> None:
        self._stage = stage
        self._run = run
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._own_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._at = ""

    def flat(self, users: int, seconds: float, key: str) -> Measurement:
        """A flat profile, all users at once; what they measure has checks, a header and an end of its own.

        Args:
            users: how many.
            seconds: for how long.
            key: the setting that says so.

        Raises:
            ProbeError: it does not fit into the stage's time, had to be stopped, died, or left no evidence.
        """
        left = self._run.left
        if seconds >= left:
            raise ProbeError(
                f"{key}: {seconds:g} s do not fit into the {left:.0f} s "
                f"that are left of stages.{self._run.stage}.budget"
            )
        what = [f"--users={users}", f"--duration={seconds:g}s", "--time-scale=1"]
        self._run.progress(f"load: {users} users for {seconds:g} s")
        begun, known = self._run.clock.now(), set(self._load_headers())
        code = self._follow(launch.command("--headless", "--only-summary", *what), left)
        ended = self._run.clock.now()
        self._require_verdict(set(self._load_headers()) - known, code)
        return Measurement(
            "load_run",
            "s",
            n=1,
            value=round(ended - begun, 1),
            start=begun,
            end=ended,
            labels={"users": f"{users} users", "duration": f"for {seconds:g} s"},
            note="its checks, under load/, have the numbers",
        )

    def _follow(self, command: list[str], left: float) -> int:
        source = {key: self._stage.source[key] for key in ("path", "overrides", "from_environment")}
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
            session.WITHIN_VARIABLE: self._run.stage,
            LOCK_VARIABLE: self._stage.lock_token,
            SOURCE_VARIABLE: json.dumps({**source, "overrides": flat}),
        }
        path = self._run.folder / f"{self._run.journal.process}-load.log"
        path.touch(mode=0o600)
        with path.open("w", encoding="utf-8") as log:
            return launch.follow(command, environ, left, partial(self._hear, log))

    def _hear(self, log: TextIO, line: str) -> None:
        """Keep everything that the load test says; show how far it is, and what it comes to so far."""
        if not line:
            return
        text = str(self._run.journal.clean(line))
        log.write(text + "\n")
        self._lines.append(text)
        if text.startswith(_OWN_LINE):
            own = text.removeprefix(_OWN_LINE)
            self._own_lines.append(own)
            if _AT.match(own):
                self._at = own
            elif own.startswith(_SO_FAR):
                self._run.often(f"load: {self._at} | {own}")
            elif not self._at:  # what is said before the first user
                self._run.progress(f"load: {own}")

    def _require_verdict(self, begun: set[str], code: int) -> None:
        """Whoever exits without a run that began and ended has measured nothing that counts."""
        last = self._own_lines or self._lines
        lines = f": {' | '.join(last)}" if last else ""
        verdicts = {int(decision.exit_code) for decision in Decision}
        records = journal.read(self._run.folder)[0] if begun else []
        ended = {record["process"] for record in records if record["type"] == "end"}
        if code < 0:
            raise ProbeError(f"the load run was {formats.ending(code)}{lines}")
        if code not in verdicts or not begun or not begun <= ended:
            raise ProbeError(f"the load run came to no verdict (exit code {code}){lines}")

    def _load_headers(self) -> list[str]:
        records: list[Record] = journal.read(self._run.folder)[0]
        return [r["process"] for r in records if r["type"] == "header" and r["stage"] == STAGE]
