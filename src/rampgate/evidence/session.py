"""Starts a run, or joins one: its folder, its journal, its header."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate import __version__
from rampgate.clock import Clock, SystemClock
from rampgate.config import plan, policy_files
from rampgate.errors import EvidenceError, RampgateError, RefusedError
from rampgate.evidence import chance, journal, verdicts
from rampgate.evidence.run import Run
from rampgate.judging.invocations import about
from rampgate.model.redact import Redactor, argument_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rampgate.config.policy import Policy
    from rampgate.config.settings import Settings
    from rampgate.judging.results import Verdict

_TOOL = {"rampgate": __version__, "python": platform.python_version()}
RUN_VARIABLE = "RAMPGATE_RUN"
WITHIN_VARIABLE = "RAMPGATE_WITHIN"
"""Names the stage that a load run, or a watch, belongs to."""
ALIVE = "rampgate: alive"
"""The line by which the watch of a stage says that it goes on."""
SOURCE_VARIABLE = "RAMPGATE_SOURCE"
"""Where the settings of what a stage starts come from: JSON, the arguments of ``loading.load``."""


@dataclass(frozen=True)
class Setup:
    """What a run is made of: everything that is known before it begins.

    Args:
        stage: what is checked.
        settings: the settings in force.
        redactor: knows their secrets.
        policy: the thresholds in force.
        plan: the checks that are due.
        tests: how many tests of chance share the run's budget of false failures.
        invocation: what was typed, for the reader.
        abort_tests: how many more may end the run early; where there are any, they share half of the budget,
            and ``tests`` the other half: sooner to stop, at little cost to what has the whole run to decide.
        steps: of the deploy stage, those that are checked.
        notes: what a reader must know from the beginning.
        rehearsal: whether it takes less time than it should, and so decides nothing for a release.
        time_scale: how many times faster than meant everything goes that waits; 1: not at all.
        within: the stage whose load run or watch it is, "" when it stands for itself.
        profile: of a load run: how many users for how long.
        rules: of a watch: what it judges by, each as the header carries it.
    """

    stage: str
    settings: Settings
    redactor: Redactor
    policy: Policy
    plan: plan.Plan
    tests: int
    invocation: Sequence[str] = ()
    abort_tests: int = 0
    steps: Sequence[str] = ()
    notes: Sequence[str] = ()
    rehearsal: bool = False
    time_scale: float = 1.0
    within: str = ""
    profile: str = ""
    rules: Sequence[Mapping[str, object]] = ()

    @property
    def _of_a_rollout(self) -> bool:
        return self.stage == "watch" and not self.within and bool(self.settings.rollout.features)

    @property
    def false_fail(self) -> float:
        """The chance that this part of an invocation may fail a healthy deployment."""
        if self._of_a_rollout:
            return chance.of_watch(self.settings.rollout)
        stage = self.within or self.stage
        return chance.of_stage(self.settings.rollout, stage) / chance.PARTS.get(stage, 1)

    @property
    def alpha_fail(self) -> float:
        """The chance that one test, of those that do not end the run, may fail a healthy deployment."""
        # Under load, and in the watch of a rollout, there are no checks of a user's own.
        alone = self.abort_tests or self.stage == "load" or self._of_a_rollout
        own = 0.0 if alone else chance.of_own(self.settings.rollout, self.within or self.stage)
        planned = self.false_fail - own
        return planned / (2 if self.abort_tests else 1) / max(1, self.tests)

    @property
    def alpha_abort(self) -> float:
        """The chance that one of the tests that may end the run early does so on a healthy deployment."""
        return self.false_fail / 2 / max(1, self.abort_tests)


def name_run(environ: Mapping[str, str] = os.environ, *, clock: Clock | None = None) -> str:
    """The id of the run that this invocation joins, or a new one."""
    return environ.get(RUN_VARIABLE) or journal.new_run_id((clock or SystemClock()).now())


def start(
    setup: Setup,
    run_id: str,
    kind: str,
    *,
    clock: Clock | None = None,
    latest: bool = True,
) -> Run:
    """Start an invocation, in a run of its own or in one that it joins: folder, journal, header.

    The target's lock is taken before, for this moves ``latest``.

    Args:
        setup: what the run is made of.
        run_id: its id.
        kind: of this process, for the name of its journal.
        clock: gives the time.
        latest: whether ``latest`` names it from now on.

    Raises:
        EvidenceError: the folder cannot be written.
    """
    _refuse_another(setup, setup.settings.reports / run_id)
    folder = journal.start_run(setup.settings.reports, run_id, latest=latest).resolve()
    verdicts.withdraw(folder)
    run = open_journal(setup, folder, process_name(kind), clock=clock)
    _write_header(run, setup)
    return run


def refuse(
    reports: Path,
    stages: Sequence[str],
    why: str,
    steps: Sequence[str] = (),
    known: tuple[Settings, Redactor] | None = None,
) -> tuple[Verdict, Path] | None:
    """Record a start that was refused: ``latest`` then holds, instead of naming an older run's verdict.

    Args:
        reports: the folder of runs.
        stages: that were to be checked.
        why: it was refused, without secrets.
        steps: of the deploy stage.
        known: the settings, where they can be read, and what masks their secrets.

    Returns:
        What the run comes to now, and its folder, for its reports; None when nothing can be written.
    """
    clock = SystemClock()
    run_id = name_run(clock=clock)
    with contextlib.suppress(RampgateError, OSError):  # what refused the start is said in any case
        try:
            folder = journal.start_run(reports, run_id)
        except EvidenceError:  # the id may be what was refused
            run_id = journal.new_run_id(clock.now())
            folder = journal.start_run(reports, run_id)
        settings, redactor = known or (None, Redactor())
        subject = {"tool": _TOOL, **(_subject(settings) if settings else {})}
        for stage in stages:
            book = journal.Journal(folder, process_name("refused"), redactor, clock)
            book.write("refused", run=folder.name, stage=stage, steps=list(steps), text=why, **subject)
            book.close()
        verdicts.withdraw(folder)
        return verdicts.conclude(folder), folder
    return None


def open_journal(
    setup: Setup,
    folder: Path,
    process: str,
    *,
    deadline: float | None = None,
    invocation: str = "",
    clock: Clock | None = None,
) -> Run:
    """This process's part in a run that has started: a journal of its own.

    Args:
        setup: what the run is made of.
        folder: the run's, called by its id.
        process: this writer's name.
        deadline: when the time budget ends; None: it begins now.
        invocation: the process whose header this part belongs to, "" when it is this one.
        clock: gives the time.
    """
    clock = clock or SystemClock()
    book = journal.Journal(folder, process, setup.redactor, clock, invocation)
    return opened(setup, folder, book, clock, deadline)


def opened(
    setup: Setup, folder: Path, book: journal.Journal, clock: Clock, deadline: float | None = None
) -> Run:
    """This process's part in a run, with a journal that is open; see ``open_journal``."""
    budget = setup.settings.stage(setup.stage).budget
    return Run(
        id=folder.name,
        folder=folder,
        stage=setup.stage,
        settings=setup.settings,
        policy=setup.policy,
        journal=book,
        clock=clock,
        alpha_fail=setup.alpha_fail,
        deadline=clock.monotonic() + budget if deadline is None else deadline,
    )


def _refuse_another(setup: Setup, folder: Path) -> None:
    """Refuse to join a run that is about another target or release."""
    if not any(folder.glob("journal-*.jsonl")):
        return
    mine = setup.redactor.data(_subject(setup.settings))
    starts = [record for record in journal.read(folder)[0] if record["type"] == "header"]
    if other := next((about(start) for start in starts if about(start) != about(mine)), None):
        raise RefusedError(
            f"{RUN_VARIABLE}: run {folder.name} is about {other}; found {about(mine)}; a run is about one"
        )


def _subject(settings: Settings) -> dict[str, dict[str, Any]]:
    """What the run is about, as the header says it."""
    target = settings.target
    return {
        "target": {"name": target.name, "web": target.web, "api": target.api},
        "release": {
            "environment": settings.environment,
            "version": settings.version.expected if settings.version else None,
            "percentage": settings.percentage,
        },
    }


def _write_header(run: Run, setup: Setup) -> None:
    """Write the header, before anything is measured."""
    settings = setup.settings
    setup.redactor.learn(*argument_secrets(setup.invocation))
    run.journal.write(
        "header",
        run=run.id,
        stage=setup.stage,
        **({"steps": list(setup.steps)} if setup.steps else {}),
        tool=_TOOL,
        platform=platform.platform(),
        vantage=platform.node(),
        invocation=list(setup.invocation),
        **_subject(settings),
        **({"rehearsal": True} if setup.rehearsal or setup.time_scale != 1 else {}),
        **({"time_scale": setup.time_scale} if setup.time_scale != 1 else {}),
        **({"within": setup.within} if setup.within else {}),
        **({"profile": setup.profile} if setup.profile else {}),
        **({"rules": list(setup.rules)} if setup.rules else {}),
        settings=settings.to_json(),
        **({"latency_buckets": bins} if (bins := _bins(settings)) else {}),
        require=settings.stage(setup.stage).require,
        budget_s=settings.stage(setup.stage).budget,
        chance={
            "false_fail_per_run": setup.false_fail,
            "tests": setup.tests,
            "alpha_fail": setup.alpha_fail,
            "alpha_pass": chance.FALSE_PASS_PER_CHECK,
            **(
                {"abort_tests": setup.abort_tests, "alpha_abort": setup.alpha_abort}
                if setup.abort_tests
                else {}
            ),
        },
        **plan.to_json(setup.plan),
    )
    for note in setup.notes:
        run.journal.write("event", text=note)


def _bins(settings: Settings) -> list[float]:
    """Edges in ms of the bars that show how times are spread, as production-monitoring.yml has them."""
    files = policy_files.read(policy_files.paths(settings.policy, Path(settings.file).parent), [])
    return files.monitoring.api_performance.latency_buckets


def process_name(kind: str) -> str:
    """A name for this process's journal that no other process of the run has."""
    return f"{kind}-{os.getpid()}-{os.urandom(2).hex()}"


def invocation() -> list[str]:
    """What was typed, with the program's name alone; ``python -m pytest`` is pytest."""
    program = Path(sys.argv[0])
    return [program.parent.name if program.name == "__main__.py" else program.name, *sys.argv[1:]]
