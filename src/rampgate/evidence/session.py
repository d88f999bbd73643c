"""Opens a run and closes it: lock, folder, header; end record, verdict, reports."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate import __version__
from rampgate.clock import Clock, SystemClock
from rampgate.config import plan
from rampgate.errors import RefusedError
from rampgate.evidence import journal
from rampgate.evidence.run import FALSE_FAIL_PER_RUN, FALSE_PASS_PER_CHECK, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rampgate.config.policy import Policy
    from rampgate.config.settings import Settings
    from rampgate.model.redact import Redactor

RUN_VARIABLE = "RAMPGATE_RUN"
LOCK_VARIABLE = "RAMPGATE_LOCK"
"""By this a run hands what is measured on its behalf (the load run of a stage) its leave to measure."""
_POLL_S = 0.5


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

    @property
    def alpha_fail(self) -> float:
        """The chance that one test, of those that do not end the run, may fail a healthy deployment."""
        return FALSE_FAIL_PER_RUN / (2 if self.abort_tests else 1) / max(1, self.tests)

    @property
    def alpha_abort(self) -> float:
        """The chance that one of the tests that may end the run early does so on a healthy deployment."""
        return FALSE_FAIL_PER_RUN / 2 / max(1, self.abort_tests)


def name_run(environ: Mapping[str, str] = os.environ, *, clock: Clock | None = None) -> str:
    """The id of the run that this invocation joins, or a new one."""
    return environ.get(RUN_VARIABLE) or journal.new_run_id((clock or SystemClock()).now())


def begin(
    setup: Setup, *, clock: Clock | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[str, Path]:
    """Make (or join) the run's folder; the target's lock is taken before, for this moves ``latest``.

    Returns:
        The run's id, and its folder.

    Raises:
        EvidenceError: the folder cannot be written.
    """
    run_id = name_run(environ, clock=clock)
    return run_id, journal.start_run(setup.settings.reports, run_id).resolve()


def open_journal(
    setup: Setup,
    run_id: str,
    folder: Path,
    process: str,
    *,
    deadline: float | None = None,
    clock: Clock | None = None,
) -> Run:
    """This process's part in a run: a journal of its own. The header is written by write_header.

    Args:
        setup: what the run is made of.
        run_id: its id.
        folder: its folder.
        process: this writer's name.
        deadline: when the time budget ends; None: it begins now.
        clock: tells the time.
    """
    clock = clock or SystemClock()
    return Run(
        id=run_id,
        folder=folder,
        stage=setup.stage,
        settings=setup.settings,
        policy=setup.policy,
        journal=journal.Journal(folder, process, setup.redactor, clock),
        clock=clock,
        alpha_fail=setup.alpha_fail,
        deadline=clock.monotonic() + setup.settings.stage(setup.stage).budget
        if deadline is None
        else deadline,
    )


def write_header(run: Run, setup: Setup) -> None:
    """Write down what is asked before anything is measured."""
    settings = setup.settings
    target = settings.target
    run.journal.write(
        "header",
        run=run.id,
        stage=setup.stage,
        **({"steps": list(setup.steps)} if setup.steps else {}),
        tool={"rampgate": __version__, "python": platform.python_version()},
        platform=platform.platform(),
        invocation=list(setup.invocation),
        target={"name": target.name, "web": target.web, "api": target.api},
        release={
            "environment": settings.environment,
            "version": settings.version.expected if settings.version else None,
            "percentage": settings.percentage,
        },
        settings=settings.to_json(),
        require=settings.stage(setup.stage).require,
        budget_s=settings.stage(setup.stage).budget,
        chance={
            "false_fail_per_run": FALSE_FAIL_PER_RUN,
            "tests": setup.tests,
            "alpha_fail": setup.alpha_fail,
            "alpha_pass": FALSE_PASS_PER_CHECK,
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


def process_name(kind: str) -> str:
    """A name for this process's journal that no other process of the run has."""
    return f"{kind}-{os.getpid()}-{os.urandom(2).hex()}"


@contextmanager
def measuring(
    settings: Settings,
    run_id: str,
    *,
    wait: bool,
    say: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
) -> Iterator[str]:
    """Hold the target's lock: one measuring run per target at a time.

    A process that a measuring run has started, and that knows the word in that run's lock, measures as part
    of it; of those there may again be only one.

    Args:
        settings: name the target.
        run_id: told to whoever is refused.
        wait: wait for the other run instead of being refused.
        say: told once when waiting begins.
        environ: RAMPGATE_LOCK carries the word of the run that this process belongs to.

    Yields:
        The word that lets a process of this run measure too, through RAMPGATE_LOCK.

    Raises:
        RefusedError: another run measures, with its owner and age.
    """
    folder = Path(tempfile.gettempdir()) / f"rampgate-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise RefusedError(f"{folder}: belongs to somebody else; no lock can be kept there")
    target = " ".join(sorted({url for url in (settings.target.web, settings.target.api) if url}))
    path = folder / f"{hashlib.sha256(target.encode()).hexdigest()[:16]}.lock"
    given = environ.get(LOCK_VARIABLE, "")
    with ExitStack() as held:
        file = held.enter_context(path.open("a+", encoding="utf-8"))
        if given and not _free(file.fileno()) and _word(path) == given:
            path = path.with_suffix(".within.lock")
            file = held.enter_context(path.open("a+", encoding="utf-8"))
        _take(file.fileno(), path, wait=wait, say=say)
        word = os.urandom(16).hex()
        try:
            file.truncate(0)
            owner = {"pid": os.getpid(), "run": run_id, "since": time.time(), "word": word}
            file.write(json.dumps(owner))
            file.flush()
            yield word
        finally:
            file.truncate(0)


def _free(descriptor: int) -> bool:
    """Whether nobody holds a lock; if so, this process holds it now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _word(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["word"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _take(descriptor: int, path: Path, *, wait: bool, say: Callable[[str], None]) -> None:
    told = False
    while not _free(descriptor):
        owner = _owner(path)
        if not wait:
            raise RefusedError(f"this target is being measured by {owner}; wait for it with --wait")
        if not told:
            say(f"waiting for {owner}")
            told = True
        time.sleep(_POLL_S)


def _owner(path: Path) -> str:
    try:
        owner: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        age = max(0, round(time.time() - owner["since"]))
        return f"run {owner['run']} (process {owner['pid']}, since {age} s)"
    except (OSError, ValueError, KeyError, TypeError):
        return "another run"


def invocation() -> list[str]:
    """What was typed, with the program's name alone; ``python -m pytest`` is pytest."""
    program = Path(sys.argv[0])
    return [program.parent.name if program.name == "__main__.py" else program.name, *sys.argv[1:]]
