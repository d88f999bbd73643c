"""One change of the percentage: written, made, read back, written as it ended; undone where it has no effect.

What is left of one that was cut off is in the state: a step up is undone, a step down is made to its end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rampgate.actuators.frame import ActuatorError, Change
from rampgate.errors import ProbeError, RefusedError
from rampgate.rollout.effect import Effect
from rampgate.rollout.records import StepStatus
from rampgate.rollout.transitions import Command, Status, after

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rampgate.actuators.frame import ActuatorSettings
    from rampgate.clock import Clock
    from rampgate.rollout.effect import ReadBack
    from rampgate.rollout.records import Rollout, Step
    from rampgate.rollout.state import RolloutState
    from rampgate.rollout.tools import RolloutTools

DOWN = frozenset({Command.GRADUAL, Command.EMERGENCY})
"""What is never undone: it is made to its end."""


@dataclass
class Mover:
    """Makes the changes of one command.

    Args:
        state: the file of the rollout.
        tools: what actuators may use.
        actuators: all are called, in their order.
        reader: reads back what users have.
        clock: gives the time.
        last: percentage of the plan, 0 to 100.
        say: takes a line about what happens.
    """

    state: RolloutState
    tools: RolloutTools
    actuators: Sequence[ActuatorSettings]
    reader: ReadBack
    clock: Clock
    last: float
    say: Callable[[str], None]

    def move(self, rollout: Rollout, step: Step) -> tuple[Rollout, Step]:
        """Make a change; returns the rollout and the step as they are then.

        Args:
            rollout: as it stands.
            step: with the percentage to come to; a new one, or one that was cut off.

        Raises:
            OvertakenError: another command has the lease; the step stays as far as it has come.
            EvidenceError: the state cannot be written.
        """
        with self.state.transaction():
            self.state.check(self.tools.token)
            step = self.state.note(replace(step, token=self.tools.token))
        change = self._change(rollout, step, step.target)
        step, effect = self._make(step, change)
        done: dict[str, Any] = effect.to_json()
        if effect.ok:
            begins = step.command == Command.START
            status = rollout.status if begins else after(Command(step.command), rollout.status)
            if step.target == 0 and step.command in DOWN:
                status = Status.ROLLED_BACK
            if step.command == Command.ADVANCE and step.target == self.last:
                status = Status.COMPLETE
            now = self.clock.now()
            moved = replace(
                rollout, status=status, percentage=step.target, changed=now, since=now, soaked=0.0
            )
            return self._end(moved, step, StepStatus.DONE, done)
        if step.command in DOWN:
            return self._end(replace(rollout, status=Status.UNCERTAIN), step, StepStatus.FAILED, done)
        if not step.calls or (step.command == Command.START and not step.touched):  # as it was
            return self._end(rollout, step, StepStatus.FAILED, done)
        return self.undo(rollout, step, done)

    def undo(self, rollout: Rollout, step: Step, done: dict[str, Any]) -> tuple[Rollout, Step]:
        """Go back to the percentage before a step up that did not take effect, or was cut off.

        An actuator that has refused the step is not called: what it sets is as it was.

        Raises:
            OvertakenError: as ``move``.
            EvidenceError: as ``move``.
        """
        self.say(f"{step.target:g} % did not take effect: back to {step.source:g} %")
        refused = {call["actuator"] for call in step.calls}
        refused -= {call["actuator"] for call in step.calls if call.get("touched", True)}
        untouched = bool(step.calls) and not step.touched
        change = self._change(rollout, step, step.source, undoes=True)
        step, back = self._make(step, change, [each for each in self.actuators if each.name not in refused])
        if not (untouched and back.ok):  # users had something else meanwhile: what was observed is over
            now = self.clock.now()
            rollout = replace(rollout, changed=now, since=now, soaked=0.0)
        if not back.ok:
            rollout = replace(rollout, status=Status.UNCERTAIN)
        elif step.command == Command.START and step.source == 0:  # off, as before it began
            rollout = replace(rollout, status=Status.ROLLED_BACK)
        return self._end(rollout, step, StepStatus.FAILED, {**done, "undone": back.to_json()})

    def finish(self, rollout: Rollout, step: Step) -> tuple[Rollout, Step]:
        """Bring a step that was cut off to its end: down to its end, up back to where it came from.

        Raises:
            OvertakenError: as ``move``.
            EvidenceError: as ``move``.
        """
        self.say(f"{step.command} to {step.target:g} % by {step.who} was cut off")
        if step.command in DOWN:
            return self.move(rollout, step)
        if step.command == Command.START and not step.calls:  # users have what they had
            return self._end(rollout, step, StepStatus.FAILED, {"ok": False, "sentence": "was cut off"})
        return self.undo(rollout, step, {"ok": False, "sentence": "was cut off"})

    @staticmethod
    def _change(rollout: Rollout, step: Step, percentage: float, *, undoes: bool = False) -> Change:
        """At 0 % the flags stay on for whoever is enrolled, but after a way down, or an undone start."""
        ends = step.command in DOWN or (undoes and step.command == Command.START)
        return Change(rollout.features, percentage, on=percentage > 0 or not ends)

    def _make(
        self, step: Step, change: Change, actuators: Sequence[ActuatorSettings] | None = None
    ) -> tuple[Step, Effect]:
        """Call every actuator, or these, and read back what users have then."""
        began = self.clock.monotonic()
        try:
            self.reader.before(change.features)
        except (ProbeError, RefusedError) as error:
            if step.command not in DOWN:  # nothing was touched yet
                return step, Effect(ok=False, sentence=str(error), details={})
        troubles = []
        for actuator in self.actuators if actuators is None else actuators:
            step, trouble = self._call(step, actuator, change)
            troubles += [trouble] if trouble else []
            if trouble and step.command not in DOWN:
                return step, Effect(ok=False, sentence=trouble, details={})
        with self.state.transaction():
            self.state.check(self.tools.token)
            step = self.state.note(replace(step, status=StepStatus.ACTED))
        try:
            rises = actuators is None and step.command not in DOWN
            effect = self.reader.after(change, began, rises=rises)
        except (ProbeError, RefusedError) as error:
            effect = Effect(ok=False, sentence=str(error), details={})
        if troubles:
            effect = effect._replace(sentence="; ".join([*troubles, effect.sentence]))
        return step, effect

    def _call(self, step: Step, actuator: ActuatorSettings, change: Change) -> tuple[Step, str]:
        """Call one actuator, what it does written before and after; returns its trouble, "" for none."""
        call = {"actuator": actuator.name, "percentage": change.percentage, "on": change.on}
        call |= {
            "token": self.tools.token,
            "at": self.clock.now(),
            "ended": None,
            "message": "",
            "touched": True,
        }
        with self.state.transaction():
            self.state.check(self.tools.token)
            step = self.state.note(replace(step, calls=(*step.calls, call)))
        trouble, touched = "", True
        try:
            message = actuator.apply(change, self.tools)
        except (ActuatorError, RefusedError, ProbeError) as error:
            message = trouble = f"{actuator.name}: {error}"
            touched = error.touched if isinstance(error, ActuatorError) else False
        self.say(message or f"{actuator.name} was called")
        ended = {**call, "ended": self.clock.now(), "message": message, "touched": touched}
        with self.state.transaction():
            self.state.check(self.tools.token)
            return self.state.note(replace(step, calls=(*step.calls[:-1], ended))), trouble

    def _end(
        self, rollout: Rollout, step: Step, status: StepStatus, effect: dict[str, Any]
    ) -> tuple[Rollout, Step]:
        with self.state.transaction():
            self.state.check(self.tools.token)
            ended = replace(step, status=status, ended=self.clock.now(), effect=effect)
            return self.state.write(rollout), self.state.note(ended)
