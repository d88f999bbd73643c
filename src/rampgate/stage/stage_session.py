"""A stage while pytest checks it: its settings, its run, and what must be undone at the end."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate import demo
from rampgate.checks.flags import refuse_short
from rampgate.config import plan, policy, rehearsal
from rampgate.config.loading import load
from rampgate.config.named_checks import refuse_unknown
from rampgate.config.soak import is_short
from rampgate.errors import CutOffError, EvidenceError, NeverRanError, ProbeError
from rampgate.evidence import journal, session
from rampgate.evidence.chance import of_stage
from rampgate.model.redact import argument_secrets
from rampgate.stage import interrupt, soak
from rampgate.stage.latency import asks_so, refuse_undecidable

_SLOWEST = 3

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import pytest

    from rampgate.config.settings import Settings
    from rampgate.evidence.run import Run
    from rampgate.stage.context import StageContext


@dataclass
class StageSession:
    """One stage in one pytest process.

    Args:
        setup: what the run is made of.
        source: how another process loads the same settings (file, overrides, environment or not).
        run: this process's part in the run, None while only collecting.
        stack: what must be undone at the end (the demo, the target's lock).
        lock_token: lets a process that this run starts measure under its lock.
        workers: the processes of this machine that check for this one.
        late: why nothing more begins, "" while there is time.
        typed: which of the gate's checks were typed, as paths; None: nothing was, and all are meant.
        own: a user's own checks that were collected.
        own_began: whether one of them began in this process, whose fixtures may act on it from then on.
        collected: file and name, without parameters, of every test that was.
        unread: the modules that gave none: skipped, failed, or empty.
        ids: of tests, as they are shown, and as pytest had them.
        soak: the process of the stage's watch, where this process has begun it.
    """

    setup: session.Setup
    source: dict[str, Any]
    run: Run | None = None
    stack: ExitStack = field(default_factory=ExitStack)
    lock_token: str = ""
    workers: list[int] = field(default_factory=list)
    late: str = ""
    typed: list[str] | None = None
    own: set[pytest.Item] = field(default_factory=set)
    own_began: bool = False
    collected: set[tuple[Path, str]] = field(default_factory=set)
    unread: set[Path] = field(default_factory=set)
    ids: dict[str, str] = field(default_factory=dict)
    soak: soak.Soak | None = None

    @cached_property
    def context(self) -> StageContext:
        """What checks share: clients, a session, a browser."""
        from rampgate.stage.context import StageContext

        if self.run is None:
            raise RuntimeError("nothing is measured without a run")
        return StageContext(self.run)

    def distinct(self, raw: str, shown: str) -> str:
        """An id as it is shown, which no other test has: two never become one by what is masked in them."""
        number, name = 1, shown
        while self.ids.setdefault(name, raw) != raw:
            number += 1
            name = f"{shown[:-1]}-{number}]" if shown.endswith("]") else f"{shown}-{number}"
        return name

    def join(self, begun: dict[str, Any], worker: str) -> None:
        """Take part, as a worker of xdist's, in the run that its controller has begun.

        Args:
            begun: what the controller says of it.
            worker: the worker's name.
        """
        folder, name = Path(begun["folder"]), session.process_name(worker)
        until, invocation = begun["deadline"], begun["invocation"]
        self.run = session.open_journal(self.setup, folder, name, deadline=until, invocation=invocation)
        self.lock_token = begun["lock_token"]

    def watch(self, nodeids: Collection[str]) -> None:
        """Begin the stage's watch, where a check that waits for it is among the tests that are going to run.

        Args:
            nodeids: of all tests that are, as pytest names them.
        """
        if self.run and not self.soak and (seconds := soak.asked(self.setup, nodeids)):
            self.soak = soak.Soak(self.run, self.source, seconds)
            self.stack.callback(self.soak.stop)

    def close(self) -> None:
        """Stop what checks share; what cannot be stopped says nothing about the deployment."""
        if "context" in vars(self):
            with suppress(Exception):
                self.context.close()

    def end_watch(self) -> None:
        """End the stage's watch, which judges what it has observed; one that has ended is left alone."""
        if self.soak:
            self.soak.stop()

    def interrupt_others(self) -> None:
        """Interrupt workers and watch: whoever interrupts this process may not know of them."""
        if self.soak:
            self.soak.interrupt()
        for pid in self.workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def begin(self, *, own: bool) -> None:
        """A check begins in this process.

        Raises:
            ProbeError: one of a user's own, in a Python that executes no assertion: it would pass unchecked.
        """
        self.own_began |= own
        if own and not __debug__:
            raise ProbeError(
                "Python runs with -O (PYTHONOPTIMIZE): it executes no assert, and checks nothing"
            )

    @contextmanager
    def limit(self, check: str) -> Iterator[None]:
        """Cut off what runs here when the stage's time is used up.

        Raises:
            NeverRanError: it was before, or the journal takes no more.
            CutOffError: it was cut off.
        """
        if self.run is None:
            yield
            return
        began = self.run.clock.monotonic()
        if self.run.journal.trouble:
            raise NeverRanError(f"never ran: {self.run.journal.trouble}")
        if self.run.over_budget:
            raise NeverRanError(f"never ran: {self._late({})}")
        try:
            with interrupt.time_limit(self.run.left):
                yield
        except interrupt.TimeUpError:
            took = self._late({check: self.run.clock.monotonic() - began})
            raise CutOffError(f"cut off: {took}") from None

    def record_late(self) -> None:
        """Journal that the stage's time is used up, where it is."""
        if self.run and self.run.over_budget:
            with suppress(EvidenceError):  # which the end of the run says
                self._late({})

    def _late(self, took: dict[str, float]) -> str:
        """That the stage's time is used up, and by what; journalled once."""
        if self.run and not self.late:
            records = journal.read(self.run.folder)[0]
            took |= {record["check"]: record["seconds"] for record in records if record["type"] == "check"}
            slow = sorted(took, key=lambda check: -took[check])[:_SLOWEST]
            budget = self.setup.settings.stage(self.setup.stage).budget
            named = ", ".join(f"{check} took {took[check]:.0f} s" for check in slow)
            self.late = ": ".join(filter(None, (f"the stage's time of {budget:g} s was used up", named)))
            self.run.journal.write("event", text=self.late, cut_short=self.setup.stage)
        return self.late

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Wait for this check's turn: checks that must be alone exclude all others, in every process."""
        if self.run is None:
            yield
            return
        path = self.run.folder / "turn.lock"
        path.touch(mode=0o600)
        with path.open("w", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield


def prepare(
    stage: str, source: dict[str, Any], invocation: list[str], steps: Sequence[str] = ()
) -> StageSession:
    """Load everything that is known before the run begins.

    Args:
        stage: what is checked.
        source: file (or None), overrides, whether RAMPGATE_* wins, and notes for the reader if any.
        invocation: what was typed.
        steps: of the deploy stage, those that are checked.

    Raises:
        ConfigurationError: every problem of the settings and thresholds.
    """
    path = Path(source["path"]) if source["path"] else None
    settings, redactor = load(
        path, overrides=source["overrides"], from_environment=source["from_environment"]
    )
    time_scale = source.get("time_scale", 1.0)
    settings = rehearsal.scaled(settings, time_scale)
    redactor.learn(*argument_secrets(invocation))
    base = path.parent if path else Path()
    rules = policy.build(settings, base)
    policy.load_rules(settings)  # what is wrong under [load] is said now, not when a load run begins
    planned = plan.make(stage, settings, steps=steps)
    _refuse_impossible(stage, settings, rules, planned, base, by_path=not source["from_environment"])
    setup = session.Setup(
        stage=stage,
        settings=settings,
        redactor=redactor,
        policy=rules,
        plan=planned,
        tests=rules.statistical(settings),
        invocation=invocation,
        steps=steps,
        notes=[*source.get("notes", ()), *_of_the_watch(stage, settings)],
        rehearsal=_is_short(stage, settings, planned),
        time_scale=time_scale,
    )
    return StageSession(setup, source)


def _refuse_impossible(
    stage: str, settings: Settings, rules: policy.Policy, planned: plan.Plan, base: Path, *, by_path: bool
) -> None:
    """Refuse what could not be decided in the time that there is, and what is said of checks that are none.

    Raises:
        ConfigurationError: a setting asks for it.
    """
    refuse_unknown(settings, stage, [each.check for each in plan.make(stage, settings).checks])
    refuse_undecidable(settings, rules, planned.subjects)
    if settings.flags and {"flags_known", "flags_unknown"} & planned.subjects:
        refuse_short(settings.flags, of_stage(settings.rollout, stage))
    if soak.planned(planned):
        soak.refuse_impossible(settings, base, loaded="load" in planned.subjects, by_path=by_path)


def _is_short(stage: str, settings: Settings, planned: plan.Plan) -> bool:
    """Whether the stage takes less time for something than it should."""
    asks = settings.latency.rehearsal and asks_so(planned.subjects)
    return asks or (stage == "extended" and is_short(settings))


def _of_the_watch(stage: str, settings: Settings) -> list[str]:
    """That some of [[metrics]] are not measured, though they are configured."""
    names = [entry.name for entry in settings.table("metrics") if entry.of_the_watch]
    return [f"read by rampgate watch alone: {', '.join(names)}"] if names and stage == "immediate" else []


def demo_source(stack: ExitStack, ready_file: str | None, stage: str) -> dict[str, Any]:
    """Bring the reference deployment up (or find one that is up), and say how its settings are loaded.

    Args:
        stack: takes it down at the end.
        ready_file: of a deployment that is already up; None brings one up.
        stage: what is going to be checked; ``deploy-backend`` is a step.

    Raises:
        ConfigurationError: there is no [demo], or the ready file is none.
        ProbeError: the deployment did not come up.
    """
    path = demo.settings_file()
    settings = demo.for_stage(demo.settings_of(path), stage)
    ready = (
        demo.read_ready(Path(ready_file)) if ready_file else stack.enter_context(demo.deployment(settings))
    )
    notes = demo.not_installed(ready)
    for line in notes:  # pytest's capture of output has not begun
        sys.stderr.write(f"rampgate: {line}\n")
    overrides = demo.overrides(settings, ready)
    return {"path": str(path), "overrides": overrides, "from_environment": False, "notes": notes}
