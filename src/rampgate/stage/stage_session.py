"""A stage while pytest checks it: its settings, its run, and what must be undone at the end."""

from __future__ import annotations

import fcntl
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate import demo
from rampgate.config import plan, policy
from rampgate.config.loading import load
from rampgate.evidence import session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rampgate.evidence.run import Run


@dataclass
class StageSession:
    """One stage in one pytest process.

    Args:
        setup: what the run is made of.
        source: how another process loads the same settings (file, overrides, environment or not).
        run: this process's part in the run, None while only collecting.
        stack: what must be undone at the end (the demo, the target's lock).
        lock_token: lets a process that this run starts measure under its lock.
        late: whether the journal says already that the time budget is used up.
    """

    setup: session.Setup
    source: dict[str, Any]
    run: Run | None = None
    stack: ExitStack = field(default_factory=ExitStack)
    lock_token: str = ""
    late: bool = False

    def record_late(self) -> None:
        """Journal once that the time budget is used up."""
        if self.run and not self.late:
            budget = self.setup.settings.stage(self.setup.stage).budget
            self.run.journal.write("event", text=f"the stage's time budget of {budget:g} s was used up")
            self.late = True

    @property
    def planned(self) -> set[str]:
        """The ids of the plan."""
        return {planned.check for planned in self.setup.plan.checks}

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Wait for this check's turn: checks that must be alone exclude all others, in every process."""
        if self.run is None:
            yield
            return
        with (self.run.folder / "turn.lock").open("w", encoding="utf-8") as file:
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
    base = path.parent if path else Path()
    rules = policy.build(settings, base)
    setup = session.Setup(
        stage=stage,
        settings=settings,
        redactor=redactor,
        policy=rules,
        plan=plan.make(stage, settings, steps=steps),
        tests=rules.statistical(settings),
        invocation=invocation,
        steps=steps,
        notes=source.get("notes", ()),
    )
    return StageSession(setup, source)


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
