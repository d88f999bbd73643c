"""A load run without its generator: journal, raw times, and the judging at its end.

Whoever sends the requests (Locust, in loadtests/) asks ``LoadRun`` how many users there should be, records
each request as it ends, and calls ``finish``.
"""

from __future__ import annotations

import os
from array import array
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from rampgate.clock import Clock, SystemClock
from rampgate.errors import EvidenceError
from rampgate.evidence import session, verdicts
from rampgate.evidence.lock import target_lock
from rampgate.io.kept import SENT_AGAIN
from rampgate.load import profile
from rampgate.load.abort_monitors import AbortMonitors
from rampgate.load.accounts import ACCOUNTS, MOST_FAILED, sign_ins
from rampgate.load.counters import DURATION, Counters
from rampgate.load.facts import Facts
from rampgate.load.files import Files
from rampgate.load.finalize import Finalizer
from rampgate.load.generator import Health
from rampgate.load.plan import endpoints_of, headers_of, ramp_of, slices_of
from rampgate.load.seconds import Second, Seconds
from rampgate.load.times import Recorder, decode
from rampgate.load.version import START, RunningVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rampgate.judging.results import Verdict
    from rampgate.load.generator import Sample
    from rampgate.model.always_valid import AlwaysValidTest

STOP_TIMEOUT_S = 30.0
"""How long requests in flight are waited for at the end; what has not ended by then exceeds every limit."""
INTERRUPTED_STOP_TIMEOUT_S = 0.2
"""The same where somebody interrupts the run; what has not ended by then is left out."""
_ENDED, _INTERRUPTED = 0, 2
_MOST_TROUBLES = 5


class LoadRun:
    """One measured load run, from its header to its end record.

    Args:
        setup: what ``prepare`` made.
        wait: wait for another run that measures the same target instead of being refused.
        progress: called once when waiting begins.
        clock: of the run.
        environ: RAMPGATE_RUN joins the run of that id.

    Raises:
        RefusedError: another run measures this target.
        EvidenceError: the run's folder cannot be written.
    """

    verdict: Verdict
    """What it came to, once it is finished."""
    unwritten = ""
    """What could not be written of its end; it holds then."""

    def __init__(
        self,
        setup: session.Setup,
        *,
        wait: bool = False,
        progress: Callable[[str], None] = print,
        clock: Clock | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.setup = setup
        self.settings = setup.settings
        self.endpoints = endpoints_of(setup.settings)
        self.ramp = ramp_of(setup.settings.load)
        self.clock = clock or SystemClock()
        self.peak_users, self._complete = 0, False
        self.cut = False
        """Whether somebody had what was under way left out: that is no whole run, however far it came."""
        self._troubles: dict[str, None] = {}
        self._recorders: dict[str, Recorder] = {}
        self.facts = Facts()
        thresholds = setup.policy.of(DURATION)
        edges = {rule.edge for rule in thresholds if rule.edge is not None}
        self._counted = Seconds(sorted(edges), self.ramp.users_at)
        self._off = array("d")
        self.health = Health()
        self._monitors = AbortMonitors(setup.policy, setup.alpha_abort)
        self._monitored = 0
        self._stopped = ""
        self.counters = Counters(thresholds, self.ramp, setup.settings.target.timeout)
        self._stack = ExitStack()
        run_id = session.name_run(environ, clock=self.clock)
        self._stack.enter_context(target_lock(self.settings, run_id, wait=wait, progress=progress))
        with ExitStack() as undo:
            undo.push(self._stack)
            self._begin(run_id)
            undo.pop_all()
        self.id, self.folder = self._run.id, self._run.folder
        self._set_zero()

    def _begin(self, run_id: str) -> None:
        """Make the run's folder, or enter it, and write down what is asked."""
        self._run = session.start(self.setup, run_id, self.setup.stage, clock=self.clock)
        self._files = Files(self._run.folder, self._run.journal.process)
        self._version = RunningVersion(self._run, self.setup.within)

    def start(self) -> None:
        """The ramp begins, once it is known which version answers."""
        self._version.ask(START)
        self._set_zero()

    def _set_zero(self) -> None:
        self.began = self.clock.now()
        self._zero = self.clock.monotonic()
        for recorder in self._recorders.values():
            recorder.begin(self._zero)

    @property
    def elapsed(self) -> float:
        """Seconds since the ramp began."""
        return self.clock.monotonic() - self._zero

    def check_over(self) -> bool:
        """Whether the ramp is at its end, or the run is ending early; who hears yes sends nothing more.

        Who asked until the end of the ramp has followed it, and the run is complete.
        """
        self._complete = self._complete or self.elapsed >= self.ramp.duration
        return self._complete or self.ending

    @property
    def ending(self) -> bool:
        """Whether the run is to end before its ramp does, because the target has shown enough."""
        return bool(self._stopped)

    @property
    def evidence(self) -> Mapping[str, AlwaysValidTest]:
        """Threshold -> its abort test, for each that may end the run; none when aborting is off."""
        return {} if self.settings.load.abort == "off" else self._monitors.of

    def count_users(self, users: int) -> None:
        """So many users are there now, in all processes together; called about once a second or oftener."""
        self.peak_users = max(self.peak_users, users)
        elapsed = self.elapsed
        self._counted.count_users(elapsed, users)
        if elapsed < self.ramp.duration and not self.ending:
            self._off.append(abs(users - self.ramp.users_at(elapsed)))

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
        self.health.expect(process)
        return partial(self._take, process)

    def _take(self, process: str, data: bytes) -> None:
        try:
            block = decode(data)
            self._files.append(process, data)
        except (ValueError, EvidenceError) as error:
            self._troubles[f"requests of {process} were lost: {error}"] = None
            return
        self.learn(process, block.facts)
        self.sample(process, block.sample)
        self._counted.feed(process, block)
        self.counters.add(block.table)
        self._monitor()

    def sample(self, process: str, sample: Sample) -> None:
        """A sample of a generating process; every block carries one."""
        self.health.add(process, sample)

    def lost(self, process: str) -> None:
        """A generating process was lost: what it measured is kept, and the run is undecided."""
        self.health.lose(process, self.elapsed)
        self._counted.forget(process)
        self.note(f"{process} was lost after {self.elapsed:.1f} s")

    def stop_early(self, why: str) -> None:
        """End the run before its ramp does; the first reason stays."""
        self._stopped = self._stopped or why

    def _monitor(self) -> None:
        """Hand the abort monitors every second that is complete and that they do not know yet."""
        while self._monitored < len(self.seconds):
            self._monitors.add(self.seconds[self._monitored])
            self._monitored += 1
        if self._monitors.stop and self.settings.load.abort == "on":
            name, second = self._monitors.stop
            self.stop_early(f"{name} was broken; second {second} showed it")

    def trouble(self, text: str) -> None:
        """Something broke on our side: it is no failure of the target, and the run cannot pass."""
        if text not in self._troubles and len(self._troubles) < _MOST_TROUBLES:
            self.note(text)
        self._troubles[text] = None

    def note(self, text: str) -> None:
        """Something that a reader must know, and that changes no result."""
        try:
            self._run.journal.write("event", text=text)
        except EvidenceError as error:  # the load goes on, and the run holds
            self._troubles[str(error)] = None

    def finish(self) -> Path:
        """Judge what was measured, write the end, return the folder. Before the ramp's end: an interrupt."""
        with self._stack:
            try:
                self._finish()
            except EvidenceError as error:  # without an end it holds
                self.verdict, self.unwritten = verdicts.judge(self.folder), str(error)
        return self.folder

    def _finish(self) -> None:
        for recorder in self._recorders.values():
            recorder.flush()
        self._counted.finish()
        self._monitor()
        self._files.close()
        self._complete &= not self.cut
        whole = f"after {self.elapsed:.1f} s of {self.ramp.duration:g} s"
        early = self.ending and not self._complete
        if not self._complete:
            self.note(f"stopped {whole}: {self._stopped}" if early else f"interrupted {whole}")
        if retried := self.facts.retried:
            self.note(f"{retried:,} {SENT_AGAIN}")
        self._judge(early=early)
        self._version.finish(complete=self._complete)
        # Whoever stops a run without the evidence of an abort test has interrupted it.
        ended = self._complete or (early and bool(self._monitors.fired() or self._hopeless()))
        end = {"status": _ENDED if ended else _INTERRUPTED} | ({"early": True} if early else {})
        self.verdict, self.unwritten = verdicts.finish(self._run.journal, **end)

    def _judge(self, *, early: bool) -> None:
        ran = self.ramp, self.began, self.elapsed
        final = Finalizer(self._run, *ran, self.health, self.endpoints, self.facts, stopped=early)
        final.slices(self.counters, slices_of(self.settings), self._wrong())
        if sign_ins(self.settings, users=1):
            statuses = self.counters.of(lambda *_: True).sign_in_statuses
            final.sign_ins(statuses, self.settings.load.max_renewals)
        if profile.of(self.settings.load).rehearsal:
            final.rehearsal()
        if self.evidence:
            final.abort(self._monitors, report_only=self.settings.load.abort == "report")
        if others := self.facts.others:
            final.others(*others)
        final.generator(self.seconds, self._off)
        final.timeline(self.seconds)

    def learn(self, process: str, facts: Mapping[str, Mapping[str, Any]]) -> None:
        """What a process reports beside its requests; with too many accounts that fail the run may end."""
        self.facts.learn(process, facts)
        if ACCOUNTS in facts and self.settings.load.abort == "on" and (why := self._hopeless()):
            self.stop_early(why)

    def _hopeless(self) -> str:
        """Why no further sign-in can keep the run from a rollback, "" while one can."""
        tried = [why for why, _ in self.facts.accounts.values()]
        due = max(len(tried), profile.of(self.settings.load).users if self.settings.load.accounts else 1)
        failed = sum(map(bool, tried))
        return f"{failed} of {due} accounts could not sign in" if failed > MOST_FAILED * due else ""

    def _wrong(self) -> str:
        """What broke on our side, or was not as asked for."""
        due = profile.of(self.settings.load).users
        reached = self.ending or not self._complete or self.peak_users >= due
        short = f"only {self.peak_users} of {due} users ran: the load was not reached"
        return "; ".join([*self._troubles, *([] if reached else [short])][:_MOST_TROUBLES])
