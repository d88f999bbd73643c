"""A watch from its start, or from where it was killed, to its end."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from rampgate.clock import Clock, SystemClock
from rampgate.config.rehearsal import scaled_rules
from rampgate.errors import EvidenceError
from rampgate.evidence import session, verdicts
from rampgate.model import formats
from rampgate.model.increments import read
from rampgate.outcome import Decision
from rampgate.report import write_all
from rampgate.watch import asked as parts
from rampgate.watch import finish, heartbeat, messages, release, state
from rampgate.watch.engine import Engine
from rampgate.watch.jumps import Jumps
from rampgate.watch.messages import Message
from rampgate.watch.outbox import Outbox, WatchJournal
from rampgate.watch.speaker import Speaker

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.config.settings import Settings
    from rampgate.evidence.run import Run
    from rampgate.judging.results import Verdict
    from rampgate.model.measurement import Block
    from rampgate.model.redact import Redactor
    from rampgate.watch.asked import Asked, Source
    from rampgate.watch.rounds import Position, Round

RESUMED_WITHIN_S = 3600.0
"""A watch that was stopped for longer begins anew: what was pending then is not known any more."""
LATEST, LATEST_ROUNDS = 1.5, 2.0
"""A watch ends after so many times what it was to observe and so many rounds, whatever it could not read."""


class Watch:
    """One watch. A context manager.

    Args:
        settings: in force.
        redactor: knows their secrets.
        base: the folder that policy files are relative to.
        source: where it reads.
        asked: what was asked of it.
        clock: gives the time.

    Raises:
        ConfigurationError: every problem of the rules.
        EvidenceError: what it remembers, or its run, cannot be read or written.
        RolledBackError: one round was asked for of a release that a watch before was to roll back.
    """

    def __init__(
        self,
        settings: Settings,
        redactor: Redactor,
        base: Path,
        source: Source,
        asked: Asked,
        clock: Clock | None = None,
    ) -> None:
        self.settings, self.source, self.asked = settings, source, asked
        self.clock = clock or SystemClock()
        self.policy = scaled_rules(parts.rules_of(settings, base), asked.time_scale)
        self.setup = parts.setup_of(settings, redactor, base, self.policy, asked)
        channels = {} if asked.within else parts.channels_of(settings)  # a stage is attended
        self.channels = tuple(channels)
        self.engine = self._engine()
        self.troubles: list[str] = []
        with ExitStack() as stack:
            self.remembered = stack.enter_context(state.WatchState(asked.file or state.file_of(settings)))
            self.speaker = Speaker(self.remembered, redactor, channels, settings)
            self._outbox = Outbox(self.remembered, channels, list(asked.command))
            self._begin()
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def rolls_back(self) -> bool:
        """Whether what was observed is a reason to roll back."""
        return self.engine.rolls_back()

    @property
    def over(self) -> bool:
        """Whether as much as was asked for has been observed, or too much time went by for it."""
        asked = self.asked.seconds
        lasted = 0.0 if self.asked.once else self.clock.monotonic() - self._begun
        rounds = LATEST_ROUNDS * self.engine.longest_interval
        return 0 < asked <= max(self.engine.observed, (lasted - rounds) / LATEST)

    @property
    def left(self) -> str:
        """How long was observed, and of how much."""
        seconds = self.engine.observed
        observed = f"{formats.elapsed(seconds)} observed" if seconds else "nothing observed"
        return f"{observed} of {formats.duration(self.asked.seconds)}" if self.asked.seconds else observed

    def _engine(self) -> Engine:
        pace = parts.ONCE_S if self.asked.once else 0.0
        source, alpha = self.source, self.setup.alpha_fail
        return Engine(self.settings, self.policy, source.read, alpha, source.puts_off, pace)

    def _begin(self, begins: str = "begins", *, renewed: bool = False) -> None:
        """Go on with the watch that was killed, where that was not long ago, else begin anew."""
        self._begun, self.jumps = self.clock.monotonic(), Jumps(self.clock, self.engine.longest_gap)
        self._full = False
        run_id = session.name_run({} if renewed else os.environ, clock=self.clock)
        position = release.asked(self.source, self.setup, run_id, self.clock)
        try:
            self.before: dict[str, Any] = self.remembered.get("run") or {}
            self.run, how = self._resume(position) or (self._start(run_id, position), begins)
            self.engine.before = release.latched(self.remembered, position, self.run.id)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EvidenceError(
                f"{self.remembered.path}: is damaged: {type(error).__name__} {error}{state.DAMAGED}"
            ) from None
        self.source.begin(self.run)
        with self.remembered.transaction():
            where = messages.place(self.settings, position)
            said = Message(f"the watch of {where} {how}", formats.moment(self.clock.now()))
            self.speaker.tell(said) if how else None
        self._flush()

    @property
    def _where(self) -> str:
        return messages.place(self.settings, self.engine.position)

    def round(self, *, wait: bool = False) -> Round:
        """One round: read, judge, remember, say.

        Args:
            wait: for what takes long, too.

        Raises:
            EvidenceError: it cannot be remembered, and is not: the next one sees what it has seen.
            ConfigurationError: a limit that no bucket of its source ends at.
        """
        self._put_back()
        if jump := self.jumps.taken():
            self.engine.jumped(jump, self.clock.now())
        position, measuring = self.source.position(), self.source.measuring()
        now = self.clock.now()
        found = self.engine.round(now, position, measuring=bool(measuring), wait=wait)
        try:
            with self.remembered.transaction():
                release.remember(self.remembered, self.engine, found, self.run.id)
                if jump:
                    self.speaker.tell(messages.of_jump(jump, now, self._where))
                self.speaker.round(self.engine, found, measuring)
        except EvidenceError as error:
            self._restore(error)
            raise
        self._flush()
        self._full = False
        if not self.asked.within:
            heartbeat.write(self.settings, self.engine, now)
        return found

    def _put_back(self) -> None:
        """Put back what somebody has removed: what is remembered as it was, a run as a new one."""
        if self.asked.within:  # what a stage's run has lost, that run has lost
            return
        try:
            if self.remembered.put_back():
                self.troubles.append(f"{self.remembered.path}: was removed or replaced, and is written anew")
            if not (self.run.folder / f"journal-{self.run.journal.process}.jsonl").exists():
                self.renew(f"begins anew: the folder of run {self.run.id} was removed")
        except EvidenceError as error:
            self._restore(error)
            raise

    def _restore(self, error: EvidenceError) -> None:
        """Go back to what is remembered, and say once that nothing more can be."""
        self.engine = self._engine()
        if kept := self.remembered.get("engine"):
            self.engine.resume(kept, self.blocks)
        self.engine.at = None  # what nobody remembers was not observed
        if not self._full:
            self._full = True
            self._outbox.send_apart(f"rampgate: the watch of {self._where} cannot go on", str(error))

    def blocks(self, name: str) -> list[Block]:
        """All that was counted for the test of a rule."""
        return [read(*each) for each in self.remembered.blocks(name)]

    def _flush(self) -> None:
        self.troubles += self._outbox.flush(self.run.journal)

    def _start(self, run_id: str, position: Position) -> Run:
        kept = self.remembered.get("engine")
        if self.asked.once:
            release.refuse_latched(self.remembered, position)
        if kept is not None:
            release.carry_over(kept, self.engine, position, self.clock.now())
        if self.asked.within:  # its release is the stage's
            position = position._replace(percentage=None)
        setup = release.setup_of(self.setup, position)
        run = session.start(setup, run_id, parts.STAGE, clock=self.clock, latest=False)
        with self.remembered.transaction():
            self.remembered.forget(release.LATCHED)
            subject = parts.subject_of(self.settings, self.policy)
            of_run = {"id": run.id, "process": run.journal.process, "subject": subject}
            self.remembered.put("run", {**of_run, "release": [position.percentage, list(position.versions)]})
            self.remembered.put("engine", self.engine.to_json())
            self.remembered.put("heartbeat", self.clock.now())
        return run

    @property
    def is_of_another(self) -> bool:
        """Whether another percentage is in force, or another version answers, than when the run began."""
        percentage, versions, *_ = self.engine.position
        return not release.same((percentage, versions), self.remembered.get("run")["release"])

    def renew(self, begins: str = "begins") -> None:
        """Begin anew, with another run, and say so in these words."""
        self.run.journal.close()
        self.engine = self._engine()
        self._begin(begins, renewed=True)

    def unjudged(self, error: EvidenceError) -> None:
        """Say to the people on call that what was observed cannot be judged."""
        self._outbox.send_apart(f"rampgate: the watch of {self._where} ended, and was not judged", str(error))
        self._outbox.wait()

    def _opened(self) -> Run:
        """The run before, to go on with."""
        folder = (self.settings.reports / self.before["id"]).resolve()
        book = WatchJournal(folder, self.before["process"], self.setup.redactor, self.clock)
        return session.opened(self.setup, folder, book, self.clock)

    def _resume(self, position: Position) -> tuple[Run, str] | None:
        """The run that is gone on with, and how that is said; None where it begins anew."""
        kept = self.remembered.get("engine")
        gone = self.clock.now() - (self.remembered.get("heartbeat") or 0.0)
        subject = parts.subject_of(self.settings, self.policy)
        if kept is None or self.before.get("ended") or self.before["subject"] != subject:
            return None
        now = (position.percentage, position.versions)
        if not 0 <= gone <= RESUMED_WITHIN_S or not release.same(now, self.before["release"]):
            return None
        try:
            run = self._opened()
        except EvidenceError:  # somebody has tidied it up
            return None
        book = run.journal
        if isinstance(book, WatchJournal):
            if "ending" in self.before:  # it was killed while it was judged: that begins anew
                book.rewind(self.before["ending"])
                verdicts.withdraw(run.folder)
            self._outbox.written = book.entry
        self.engine.resume(kept, self.blocks)
        lost = ", which do not count as observed" if gone > self.engine.longest_gap else ""
        return run, "" if self.asked.once else f"goes on after {gone:.0f} s{lost}"

    def end(self, *, early: bool = False) -> Verdict:
        """Judge what was observed, write the reports, and wait until what was said is delivered.

        Args:
            early: whether it ends before the time that was asked for.

        Raises:
            EvidenceError: it cannot be written.
        """
        book, begun = self.run.journal, self.remembered.get("run")
        for line in self._outbox.wait(book):
            book.write("event", text=line)
        with self.remembered.transaction():
            self.remembered.put("run", {**begun, "ending": book.size})
        blocks = {name: self.blocks(name) for name in self.engine.rules}
        of_release = release.ending(self.settings, begun["release"][0], self.engine)
        finish.write(self.run, self.engine, blocks, self.asked.seconds, of_release, early=early)
        fields = {"early": True} if early else {}
        verdict, trouble = verdicts.finish(book, status=0, **fields)
        self.troubles += [trouble] if trouble else []
        if not self.asked.within:  # else the stage has more to say
            write_all(verdict, self.run.folder)
        acts = verdict.decision is Decision.ROLLBACK and bool(self.asked.command)
        with self.remembered.transaction():
            self.remembered.put("run", {**begun, "ended": True, "decision": verdict.decision.value})
            self.speaker.send(messages.of_end(verdict, self._where))
            if acts and self.engine.rolls_back(anew=True):
                self.speaker.run(self.run.id, verdict.reasons[0] if verdict.reasons else "")
        self.troubles += self._outbox.flush(book) + self._outbox.wait()
        return verdict

    def pause(self) -> None:
        """A round of many is over: wait until what was said is delivered."""
        self.troubles += self._outbox.wait(self.run.journal)
