"""A watch from its start, or from where it was killed, to its end."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Self

from rampgate.clock import Clock, SystemClock
from rampgate.config import policy, watch_policy
from rampgate.errors import ConfigurationError
from rampgate.evidence import session, verdicts
from rampgate.judging.episodes import State
from rampgate.model import formats
from rampgate.model.increments import added
from rampgate.model.measurement import Block
from rampgate.outcome import Severity
from rampgate.report import write_all
from rampgate.watch import finish, messages, outbox, state
from rampgate.watch.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rampgate.config.settings import Settings
    from rampgate.config.watch_policy import WatchPolicy
    from rampgate.evidence.run import Run
    from rampgate.judging.results import Verdict
    from rampgate.model.redact import Redactor
    from rampgate.watch.messages import Message
    from rampgate.watch.rounds import Position, Round

STAGE = "watch"
RESUMED_WITHIN_S = 3600.0
"""A watch that was stopped for longer begins anew: what was pending then is not known any more."""


@dataclass(frozen=True)
class Source:
    """Where a watch reads.

    Args:
        read: reads the metric of an entry of [[metrics]].
        position: says what is watched.
        puts_off: whether a metric is not read now.
        measuring: who measures the target beside us, "" where nobody does.
    """

    read: Callable[[Any], Sequence[Any]]
    position: Callable[[], Position]
    puts_off: Callable[[str], bool] = lambda _: False
    measuring: Callable[[], str] = lambda: ""


@dataclass(frozen=True)
class Asked:
    """What was asked of a watch.

    Args:
        seconds: how long it is to last, 0 for no time.
        invocation: what was typed.
        notes: what a reader must know from the beginning.
        rehearsal: whether it takes less time than it should.
        channels: name of an alert channel -> its address, and seconds for sending.
    """

    seconds: float
    invocation: Sequence[str] = ()
    notes: Sequence[str] = ()
    rehearsal: bool = False
    channels: tuple[tuple[str, str, float], ...] = ()


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
        self.policy = watch_policy.build(settings, base)
        if not self.policy.rules:
            raise ConfigurationError(
                f"{settings.file}: nothing to watch: accepted are rules in policy files or watch.thresholds"
            )
        self.setup = _setup(settings, redactor, base, self.policy, asked)
        self.engine = Engine(settings, self.policy, source.read, self.setup.alpha_fail, source.puts_off)
        self.remembered = state.WatchState(state.file_of(settings))
        self._stack = ExitStack()
        self._stack.callback(self.remembered.close)
        self.resumed = False
        self.troubles: list[str] = []
        self.run = self._resume() or self._start()
        self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def rolls_back(self) -> bool:
        """Whether what was observed is a reason to roll back."""
        return self.engine.rolls_back

    @property
    def over(self) -> bool:
        """Whether as much as was asked for has been observed."""
        return 0 < self.asked.seconds <= self.engine.observed

    @property
    def left(self) -> str:
        """How long was observed, and of how much."""
        observed = f"{formats.duration(self.engine.observed)} observed"
        return f"{observed} of {formats.duration(self.asked.seconds)}" if self.asked.seconds else observed

    def round(self) -> Round:
        """One round: read, judge, remember, say."""
        position, measuring = self.source.position(), self.source.measuring()
        found = self.engine.round(self.clock.now(), position, measuring=bool(measuring))
        with self.remembered.transaction():
            self._remember(found)
            self._say(found, measuring)
        self._flush()
        return found

    def _remember(self, found: Round) -> None:
        for name, rule in self.engine.rules.items():
            counted = found.counted.get(rule.rule.threshold.metric, {}) if rule.test is not None else {}
            if counted:
                block = reduce(added, counted.values())
                self.remembered.add_block(name, [block.n, block.failures, _edges(block)])
        self.remembered.put("engine", self.engine.to_json())
        self.remembered.put("heartbeat", found.at)

    def _say(self, found: Round, measuring: str) -> None:
        readings = {name: self._reading(name) for name in found.read}
        beside = {"measuring": measuring} if measuring else {}
        self._record("reading", at=found.at, readings=readings, observed=found.observed, **beside)
        where = messages.place(self.settings.environment, self.engine.position.percentage)
        if found.changed:
            self._record("event", text=f"{messages.moment(found.at)}: {found.changed}; windows begin anew")
        for name in found.unread:
            metric = self.engine.metrics[name]
            trouble = metric.trouble if metric.reading is None else ""
            self._tell(messages.of_metric(name, trouble, metric.since, where))
        for name, result in found.compared.items():
            self._tell(messages.of_cohorts(name, result, where))
        for transition in found.transitions:
            name, episode = transition.watched.rule.name, transition.watched.episode
            self._record("episode", rule=name, before=transition.before.state.value, **episode.to_json())
            if message := messages.of_transition(transition, where):
                self._tell(message)

    def _reading(self, name: str) -> dict[str, Any]:
        metric = self.engine.metrics[name]
        if metric.reading is None:
            return {"trouble": metric.trouble}
        block = metric.reading.counted
        counted = {"n": block.n, "failures": block.failures, "exceedances": _edges(block)} if block else {}
        return {"at": metric.reading.at, "value": metric.reading.value, **counted}

    def _record(self, kind: str, **fields: Any) -> None:
        self.remembered.say(state.RECORD, {"type": kind, **self.setup.redactor.data(fields)})

    def _tell(self, message: Message) -> None:
        """Send a message to every channel, and keep it in the journal."""
        title, text = map(self.setup.redactor.text, message)
        self._record("event", text=f"{title}: {text}".replace("\n", "; ").rstrip(": "))
        for name, _, _ in self.asked.channels:
            self.remembered.say(
                state.ALERT, {"channel": name, "title": f"rampgate: {title}", "text": text or title}
            )

    def _flush(self) -> None:
        outbox.write_records(self.remembered, self.run.journal)
        channels = {name: (url, seconds) for name, url, seconds in self.asked.channels}
        self.troubles += outbox.send_messages(self.remembered, channels)

    def _start(self) -> Run:
        kept = self.remembered.get("engine")
        run = session.start(
            self.setup, session.name_run(clock=self.clock), STAGE, clock=self.clock, latest=False
        )
        with self.remembered.transaction():
            self.remembered.forget()
            self.remembered.put(
                "run", {"id": run.id, "process": run.journal.process, "asked": self.asked.seconds}
            )
            if kept:
                self._carry_over(kept)
            self._tell_start("begins")
        return run

    def _carry_over(self, kept: dict[str, Any]) -> None:
        """Of a watch before, an episode that is open goes on, and a critical one is not forgotten."""
        for name, rule in self.engine.rules.items():
            before = kept["rules"].get(name)
            if before and before["episode"]["state"] in {State.FIRING, State.RECOVERING}:
                rule.resume(before)
                rule.changed(self.clock.now())
            elif before and before["fired"] and rule.severity is Severity.CRITICAL and self._same(kept):
                rule.fired, rule.fired_at, rule.value = before["fired"], before["fired_at"], before["value"]
        if self._same(kept):
            self.engine.resume_cohorts(kept)

    def _same(self, kept: dict[str, Any]) -> bool:
        """Whether the watch before was about the same percentage and version."""
        percentage, versions, _ = kept["position"]
        now = self.source.position()
        return percentage == now.percentage and tuple(versions) == now.versions

    def _tell_start(self, how: str) -> None:
        where = messages.place(self.settings.environment, self.settings.percentage)
        self._record("event", text=f"the watch of {where} {how} at {messages.moment(self.clock.now())}")

    def _resume(self) -> Run | None:
        """Go on with the watch that was killed, where it was not long ago; None where there is none."""
        begun, kept = self.remembered.get("run"), self.remembered.get("engine")
        if not begun or begun.get("ended") or not kept:
            return None
        gone = self.clock.now() - (self.remembered.get("heartbeat") or 0.0)
        folder = (self.settings.reports / begun["id"]).resolve()
        if not 0 <= gone <= RESUMED_WITHIN_S or not folder.is_dir():
            return None
        self.engine.resume(kept, lambda name: [_block(each) for each in self.remembered.blocks(name)])
        self.resumed = True
        book = outbox.WatchJournal(folder, begun["process"], self.setup.redactor, self.clock)
        with self.remembered.transaction():
            self._tell_start(f"goes on after {gone:.0f} s, which do not count as observed,")
        return session.opened(self.setup, folder, book, self.clock)

    def end(self, *, early: bool = False) -> Verdict:
        """Judge what was observed, and write the reports.

        Args:
            early: whether it ends before the time that was asked for.
        """
        blocks = {name: [_block(each) for each in self.remembered.blocks(name)] for name in self.engine.rules}
        finish.write(self.run, self.engine, blocks, self.asked.seconds)
        with self.remembered.transaction():
            self.remembered.put("run", {**self.remembered.get("run"), "ended": True})
        fields = {"early": True} if early else {}
        verdict, trouble = verdicts.finish(self.run.journal, status=0, **fields)
        self.troubles += [trouble] if trouble else []
        write_all(verdict, self.run.folder)
        return verdict


def _setup(
    settings: Settings, redactor: Redactor, base: Path, rules: WatchPolicy, asked: Asked
) -> session.Setup:
    entries = {entry.name: entry for entry in settings.table("metrics")}
    return session.Setup(
        stage=STAGE,
        settings=settings,
        redactor=redactor,
        policy=policy.build(settings, base),
        plan=finish.plan_of(entries, rules),
        tests=finish.number_of_tests(entries, rules),
        invocation=asked.invocation,
        notes=[*asked.notes, *(f"ignored by watch.ignore: {name}" for name in rules.ignored)],
        rehearsal=asked.rehearsal,
    )


def _edges(block: Block) -> dict[str, int]:
    return {repr(edge): count for edge, count in block.exceedances.items()}


def _block(data: list[Any]) -> Block:
    return Block(data[0], data[1], {float(edge): count for edge, count in data[2].items()})
