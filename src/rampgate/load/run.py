"""Floor 6. A load run without its generator: journal, raw times, and the judging at its end.

Whoever sends the requests (Locust, in loadtests/) asks ``LoadRun`` how many users there should be, tells a
recorder of it each request as it ends, and calls ``finish``. Judged are each endpoint over the
steady plateau, and the whole run.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from rampgate.clock import Clock, SystemClock
from rampgate.errors import EvidenceError, ProbeError
from rampgate.load import profile
from rampgate.load.cells import DURATION, measure
from rampgate.load.files import Files
from rampgate.load.plan import (
    WHOLE_RUN,
    endpoints_of,
    headers_of,
    locustfile,
    plateau_check,
    prepare,
    ramp_of,
    settings_of,
)
from rampgate.load.seconds import Second, Seconds
from rampgate.load.tally import Tally
from rampgate.load.times import NO_COHORT, SIGN_IN, Recorder, Table, decode
from rampgate.outcome import Outcome, Severity
from rampgate.probes.ask import is_2xx
from rampgate.runs import journal, session
from rampgate.runs.run import Expect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = [
    "SIGN_IN",
    "STOP_TIMEOUT_S",
    "LoadRun",
    "locustfile",
    "own_words",
    "prepare",
    "settings_of",
    "status_of",
]

STOP_TIMEOUT_S = 30.0
"""How long requests in flight are waited for at the end; what has not ended by then has failed."""
_ENDED, _INTERRUPTED = 0, 2
_TOLD = 5
_OWN_TROUBLE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EADDRNOTAVAIL}


class LoadRun:
    """One measured load run, from its header to its end record.

    Args:
        setup: what ``prepare`` made.
        wait: wait for another run that measures the same target instead of being refused.
        say: told once when waiting begins.
        clock: tells the time.
        environ: RAMPGATE_RUN joins the run of that id.

    Raises:
        RefusedError: another run measures this target.
        EvidenceError: the run's folder cannot be written.
    """

    def __init__(
        self,
        setup: session.Setup,
        *,
        wait: bool = False,
        say: Callable[[str], None] = print,
        clock: Clock | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.setup = setup
        self.settings = setup.settings
        self.endpoints = endpoints_of(setup.settings)
        self.ramp = ramp_of(setup.settings.load)
        self.clock = clock or SystemClock()
        self.peak_users = 0
        self._complete = False
        self._troubles: dict[str, None] = {}
        self._recorders: dict[str, Recorder] = {}
        edges = {rule.edge for rule in setup.policy.of(DURATION) if rule.edge is not None}
        self._counted = Seconds(sorted(edges), self.ramp.users_at)
        self.live = Tally(setup, self.ramp)
        self._stack = ExitStack()
        run_id = environ.get(session.RUN_VARIABLE) or journal.new_run_id(self.clock.now())
        self._stack.enter_context(session.measuring(self.settings, run_id, wait=wait, say=say))
        with ExitStack() as undo:
            undo.push(self._stack)
            self.id, self.folder = session.begin(setup, environ={session.RUN_VARIABLE: run_id})
            process = session.process_name(setup.stage)
            self._run = session.open_journal(setup, self.id, self.folder, process, clock=self.clock)
            self._files = Files(self.folder, process)
            session.write_header(self._run, setup)
            undo.pop_all()
        self.start()

    def start(self) -> None:
        """The ramp begins now."""
        self.began = self.clock.now()
        self._zero = self.clock.monotonic()
        for recorder in self._recorders.values():
            recorder.begin(self._zero)

    @property
    def elapsed(self) -> float:
        """Seconds since the ramp began."""
        return self.clock.monotonic() - self._zero

    def check_over(self) -> bool:
        """Whether the ramp is at its end; who asks and hears yes has followed it, and the run is complete."""
        self._complete = self._complete or self.elapsed >= self.ramp.duration
        return self._complete

    @property
    def users(self) -> int:
        """How many users there should be now: at least one, until the ramp is over."""
        return max(1, round(self.ramp.users_at(self.elapsed)))

    def count_users(self, users: int) -> None:
        """So many users are there now, in all processes together; told about once a second or oftener."""
        self.peak_users = max(self.peak_users, users)
        self._counted.there(self.elapsed, users)

    @property
    def seconds(self) -> list[Second]:
        """What ended in each second of the ramp that is complete, without a gap."""
        return self._counted.complete

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return headers_of(self.settings, self.id)

    def recorder(self, process: str) -> Recorder:
        """The recorder of a generating process on this machine; the same one for the same name.

        Raises:
            EvidenceError: its file cannot be made.
        """
        if process not in self._recorders:
            self._recorders[process] = Recorder(self.sink(process), self.clock)
            self._recorders[process].begin(self._zero)
        return self._recorders[process]

    def sink(self, process: str) -> Callable[[bytes], None]:
        """Takes the blocks of a generating process, wherever it is; one that cannot be kept is trouble.

        Raises:
            EvidenceError: its file cannot be made.
        """
        self._files.open(process)
        self._counted.expect(process)
        return partial(self._take, process)

    def _take(self, process: str, data: bytes) -> None:
        try:
            block = decode(data)
            self._files.append(process, data)
        except (ValueError, EvidenceError) as error:
            self._troubles[f"requests of {process} were lost: {error}"] = None
            return
        self._counted.feed(process, block)
        self.live.feed(process, block)

    def record(self, endpoint: int, begun: float, ms: float, connect_ms: float, status: int) -> None:
        """One request of this process has ended; see ``Recorder.add``."""
        self.recorder("own").add(endpoint, NO_COHORT, begun, ms, connect_ms, status)

    def trouble(self, text: str) -> None:
        """Something broke on our side: the target is not blamed, and the run cannot pass."""
        if text not in self._troubles and len(self._troubles) < _TOLD:
            self._run.journal.write("event", text=text)
        self._troubles[text] = None

    def finish(self) -> Path:
        """Judge what was measured and write the end. Before the end of the ramp this is an interrupt.

        Returns:
            The run's folder.

        Raises:
            EvidenceError: the raw times cannot be read back.
        """
        with self._stack:
            for recorder in self._recorders.values():
                recorder.flush()
            self._counted.finish()
            table, dropped = self._files.close()
            for text in dropped:
                self._run.journal.write("event", text=text)
            ran = self.elapsed
            if not self._complete:
                text = f"interrupted after {ran:.1f} s of {self.ramp.duration:g} s"
                self._run.journal.write("event", text=text)
            self._judge(table, ran)
            self._run.journal.write("end", status=_ENDED if self._complete else _INTERRUPTED)
            self._run.journal.close()
        return self.folder

    def _judge(self, table: Table, ran: float) -> None:
        plateau = self.ramp.plateau()
        assert plateau is not None  # noqa: S101  # prepare refuses a run without one
        begin, end = (min(second, ran) for second in self.ramp.bounds(plateau))
        steady = table.where(table.stages(self.ramp) == plateau)
        for index, endpoint in enumerate(self.endpoints):
            cell = steady.where(steady.endpoint == index)
            labels = {"endpoint": endpoint.name, "ramp_stage": "plateau"}
            self._check(plateau_check(endpoint), cell, labels, (begin, end), self._nothing(cell))
        due = profile.of(self.settings.load).users
        reached = self.peak_users >= due
        short = f"only {self.peak_users} of {due} users ran: the load was not reached"
        asked = table.where(table.endpoint != SIGN_IN)
        wrong = [*self._troubles, *([] if reached or not self._complete else [short]), self._nothing(asked)]
        message = "; ".join([text for text in wrong if text][:_TOLD])
        self._check(WHOLE_RUN, table, {"ramp_stage": "whole run"}, (0.0, ran), message)

    def _check(
        self, check: str, table: Table, labels: dict[str, str], span: tuple[float, float], wrong: str
    ) -> None:
        """Judge some requests; what is wrong on our side makes an error of it."""
        seconds = self.began + span[0], self.began + span[1]
        Expect(self._run, check)(*measure(table, self.setup.policy.of(DURATION), labels=labels, span=seconds))
        self._run.journal.write(
            "check",
            check=check,
            outcome=Outcome.ERROR.value if wrong else None,
            message=wrong,
            severity=Severity.WARNING.value,
            seconds=span[1] - span[0],
        )

    @staticmethod
    def _nothing(table: Table) -> str:
        return "" if len(table) else "nothing was measured: no request was sent"


def status_of(status: int, error: BaseException | None) -> int:
    """The status that a request is recorded with: 0 when the answer did not come whole.

    Args:
        status: as received, 0 when none was.
        error: what the client says went wrong, a bad status included.

    Raises:
        ProbeError: the request could not be sent from here, which says nothing about the target.
    """
    cause = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _OWN_TROUBLE:
            raise ProbeError(f"requests could not be sent from here: {cause.strerror}")
        cause = cause.__cause__ or cause.__context__
    return 0 if error is not None and is_2xx(status) else status


def own_words(error: BaseException) -> str:
    """What went wrong on our side, for a reader."""
    if isinstance(error, ProbeError):
        return str(error)
    return f"the load test itself broke: {type(error).__name__}: {error}"
