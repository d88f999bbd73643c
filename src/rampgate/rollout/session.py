"""One command on a rollout: it holds the lease, ends what was cut off before, and notifies the team."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from rampgate.clock import Clock, SystemClock
from rampgate.config.in_force import ROLLOUT, state_file
from rampgate.errors import ConfigurationError, RampgateError
from rampgate.io import apprise_sender, http
from rampgate.io.guard import Guard
from rampgate.rollout.change import DOWN, Mover
from rampgate.rollout.effect import ReadBack
from rampgate.rollout.records import Holder, Step, StepStatus
from rampgate.rollout.state import RolloutState
from rampgate.rollout.tools import RolloutTools
from rampgate.rollout.transitions import Command, Status
from rampgate.watch.asked import channels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from rampgate.config.settings import Settings
    from rampgate.model.redact import Redactor
    from rampgate.rollout.records import Rollout

_KILLED_AFTER_S = 2.0
"""So long a command that is overtaken may take to end in order."""


@dataclass
class Session:
    """What every command on a rollout needs. A context manager of its state.

    Args:
        settings: in force.
        redactor: knows their secrets.
        base: the folder that paths of the settings are relative to.
        who: asks for it.
        say: takes a line about what happens.
        rehearsals: whether shortened runs count as evidence (a demo).
        clock: gives the time.
    """

    settings: Settings
    redactor: Redactor
    base: Path
    who: str
    say: Callable[[str], None]
    rehearsals: bool = False
    clock: Clock = field(default_factory=SystemClock)

    settled: Step | None = field(default=None, init=False)
    """The step that was cut off before this command, as it has brought it to its end."""

    def __post_init__(self) -> None:
        self.state = RolloutState(state_file(self.settings, ROLLOUT))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.state.close()

    @property
    def version(self) -> str | None:
        """The version that is expected now."""
        return self.settings.version.expected if self.settings.version else None

    def api(self, admin: bool = False) -> httpx.Client:  # as Conditions calls it
        """A client of the API, with its admin token when asked."""
        target = self.settings.target
        token = target.admin_token if admin else ""
        own = {"Authorization": f"Bearer {token}"} if token else {}
        return self._client(target.base("api"), {**target.headers, **own})

    def _client(self, address: str, headers: dict[str, str]) -> httpx.Client:
        guard, timeout_s = Guard(self.settings.allowed_hosts), self.settings.target.timeout
        return http.client(address, run_id=ROLLOUT, timeout_s=timeout_s, headers=headers, guard=guard)

    def refuse_unready(self, *, rises: bool = True) -> None:
        """Refuse a change that nothing could make, or that could not be read back.

        Args:
            rises: whether the settings must name the features; a way back is about those of the rollout.

        Raises:
            ConfigurationError: everything that is missing.
        """
        rollout, flags, file = self.settings.rollout, self.settings.flags, self.settings.file
        problems = []
        if not rollout.features and (rises or self.state.current() is None):
            problems.append(
                f"{file}: rollout.features: missing; accepted are names of flags that move together"
            )
        if not rollout.actuators:
            problems.append(f"{file}: rollout.actuators: missing; accepted is what changes the percentage")
        if flags is None:
            problems.append(f"{file}: flags: missing; it is where the effect of a change is read")
        elif rises and (unknown := [name for name in rollout.features if name not in flags.expected]):
            known = ", ".join(flags.expected)
            problems.append(f"{file}: rollout.features: found {', '.join(unknown)}; accepted are {known}")
        if problems:
            raise ConfigurationError(problems)

    @contextmanager
    def lease(self, command: str, *, pre_empts: bool = False) -> Iterator[Mover]:
        """Hold the lease, with whatever was cut off before brought to its end.

        Args:
            command: what is done.
            pre_empts: whether a living holder is overtaken and ended.

        Raises:
            HeldError: somebody else is changing this rollout.
        """
        self.refuse_unready(rises=command not in DOWN)
        holder = Holder.here(command, self.who, self.clock.now())
        token, before = self.state.take(holder, pre_empts=pre_empts)
        try:
            if before is not None:
                self.say(f"overtakes {before.described(self.clock.now())}")
                end(before)
            mover = self._mover(token, holder)
            self._settle(mover, pre_empts=pre_empts)
            yield mover
        finally:
            self.state.leave(token)

    def _mover(self, token: int, holder: Holder) -> Mover:
        settings, flags = self.settings, self.settings.flags
        if flags is None:
            raise ConfigurationError(f"{settings.file}: flags: missing")
        tools = RolloutTools(settings, self.redactor, self.base, self.state, token, holder, self.clock)
        address = str(flags.url or settings.target.base("api"))
        headers = {} if flags.url else dict(settings.target.headers)
        clients = partial(self._client, address, headers)
        reader = ReadBack(flags, settings.rollout, clients, self.clock, self.say)
        last = settings.rollout.percentages[-1]
        return Mover(self.state, tools, settings.rollout.actuators, reader, self.clock, last, self.say)

    def _settle(self, mover: Mover, *, pre_empts: bool) -> None:
        """Bring a step that was cut off to its end; an emergency only notes it, for it is off after that."""
        step, rollout = self.state.unfinished(), self.state.current()
        if step is None or rollout is None:
            return
        if not pre_empts:
            rollout, self.settled = mover.finish(rollout, step)
            if step.command == Command.START and not step.calls:  # it never began
                self.forget(rollout)
            return
        effect = {"ok": False, "sentence": "was cut off, and overtaken"}
        with self.state.transaction():
            self.state.note(replace(step, status=StepStatus.FAILED, ended=self.clock.now(), effect=effect))

    def forget(self, rollout: Rollout, before: Rollout | None = None) -> None:
        """Take away a rollout that never began; what it superseded stands as before, else paused."""
        with self.state.transaction():
            self.state.remove(rollout)
            found = self.state.current()
            if before is None and found and found.status is Status.SUPERSEDED:
                before = replace(found, status=Status.PAUSED)
            if before:
                self.state.write(before)

    def step(self, rollout: Rollout, command: Command, target: float, why: str, **evidence: Any) -> Step:
        """A step that is to be made."""
        now, token = self.clock.now(), 0
        step = Step(rollout.id, command, rollout.percentage, target, self.who, why, token, now)
        return replace(step, evidence=evidence)

    def note(self, rollout: Rollout, command: str, why: str, **effect: Any) -> None:
        """Keep a decision that changes no percentage, within a transaction."""
        now = self.clock.now()
        step = Step(rollout.id, command, rollout.percentage, rollout.percentage, self.who, why, 0, now)
        self.state.note(replace(step, status=StepStatus.DONE, ended=now, effect=effect))

    def notify(self, title: str, text: str, *, failed: bool) -> bool:
        """Send a message to every alert channel; one that does not take it is said, and stops nothing.

        Returns:
            Whether every channel took it.
        """
        every = True
        text = "\n".join([text, *self.settings.rollout.guide.lines])
        for name, (url, seconds) in channels_of(self.settings).items():
            head, body = map(self.redactor.text, (f"rampgate: {title}", text))
            try:
                kind = "failure" if failed else "success"
                outcome = apprise_sender.deliver(url, head, body, seconds, kind)
            except RampgateError as error:
                self.say(f"{name}: not delivered: {error}")
                every = False
            else:
                every = every and outcome.sent
                self.say(f"{name}: notified" if outcome.sent else f"{name}: not delivered: {outcome.why}")
        return every


def end(holder: Holder) -> None:
    """End a command that was overtaken, and with it what it has started."""
    deadline = time.monotonic() + _KILLED_AFTER_S
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not holder.is_here:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.kill(holder.pid, number)
        while holder.is_here and time.monotonic() < deadline:
            time.sleep(0.02)
