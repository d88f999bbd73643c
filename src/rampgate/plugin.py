"""The pytest plugin: a stage named by -m becomes a run with a journal and a verdict.

Every pytest run loads this module, so what only a stage needs is imported where a stage is known.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from rampgate.config import plan
from rampgate.errors import ConfigurationError, EvidenceError, NeverRanError, RampgateError, UnreachableError
from rampgate.outcome import Cause, Decision, Outcome
from rampgate.stage.items import (
    ALONE,
    EXPECT,
    PARSER,
    PLANNED,
    STAGE_SESSION,
    UnmetError,
    attach,
    check_id,
    error_text,
    own_outcome,
    severity_of,
    stage_of,
    stages_in,
    worker_of,
)
from rampgate.stage.masking import clean_report, rename

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from rampgate.stage.stage_session import StageSession

TERMINAL = "rampgate.stage.terminal"
pytest_plugins = [TERMINAL, "rampgate.stage.program", "rampgate.stage.workers"]


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """The options of a stage run; from here on, a start that is refused leaves a record."""
    config: pytest.Config = pluginmanager.get_plugin("pytestconfig")  # type: ignore[assignment]  # always there
    config.stash[PARSER] = parser
    config.add_cleanup(partial(_record_refusal, config))
    group = parser.getgroup("rampgate", f"rampgate: pytest -m {' | '.join(plan.STAGES)}")
    group.addoption(
        "--rampgate-config", metavar="FILE", help="settings (default: rampgate.toml in this folder)"
    )
    group.addoption("--rampgate-reports", metavar="DIR", help="where runs are written (default: reports)")
    group.addoption(
        "--demo", action="store_true", help="check the reference deployment, brought up for this run"
    )
    group.addoption("--demo-ready", metavar="FILE", help="check a reference deployment that is already up")
    group.addoption(
        "--step",
        action="append",
        choices=plan.STEPS,
        default=[],
        help="with -m deploy: the step that was just deployed; may be given more than once",
    )
    group.addoption(
        "--time-scale",
        type=float,
        default=1.0,
        metavar="N",
        help="with -m extended: a rehearsal, in which everything that waits goes N times faster",
    )
    group.addoption("--wait", action="store_true", help="wait for another run that measures the same target")


def _record_refusal(config: pytest.Config) -> None:
    """Leave a record of a stage that did not start, whether we refused it or pytest did."""
    error, session = sys.exc_info()[1], config.stash.get(STAGE_SESSION, None)
    begun = session is not None and session.run is not None
    if error and not begun and stages_in(getattr(config.known_args_namespace, "markexpr", "")):
        from rampgate.stage.source import refuse

        refuse(config, error)


@contextmanager
def _refusals(config: pytest.Config) -> Iterator[None]:
    """Make ours errors of usage; record an interrupt, which pytest does not let through to the cleanup."""
    try:
        yield
    except RampgateError as error:
        session = config.stash.get(STAGE_SESSION, None)
        raise pytest.UsageError(session.setup.redactor.text(str(error)) if session else str(error)) from None
    except KeyboardInterrupt:
        _record_refusal(config)
        raise


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Name the markers; when -m names a stage, load its settings and add the installed checks."""
    for stage in plan.STAGES:
        config.addinivalue_line("markers", f"{stage}: a check of the {stage} stage")
    config.addinivalue_line("markers", "severity(level): of a failure, critical or warning")
    config.addinivalue_line("markers", f"{ALONE}: nothing else may run beside this check")
    with _refusals(config):
        _configure(config)


def _configure(config: pytest.Config) -> None:
    stage = stage_of(config.getoption("markexpr", ""))
    if stage is None:
        if (scale := config.getoption("time_scale")) != 1:
            raise ConfigurationError(f"--time-scale: found {scale:g} with no stage; accepted is -m extended")
        return
    if not config.pluginmanager.hasplugin(TERMINAL):
        raise ConfigurationError(f"-p no:{TERMINAL}: is what ends a stage with its verdict")
    from rampgate.io import logs
    from rampgate.io.output import endure_readers_leaving
    from rampgate.stage import gate
    from rampgate.stage.source import invocation, source_of, steps_of, time_scale_of
    from rampgate.stage.stage_session import prepare

    endure_readers_leaving()
    steps = steps_of(config, stage)
    stack = ExitStack()
    config.add_cleanup(stack.close)
    time_scale_of(config, stage)
    source = source_of(config, stack, "-".join([stage, *steps[-1:]]))
    config.stash[STAGE_SESSION] = stage_session = prepare(stage, source, invocation(config), steps)
    stage_session.stack = stack
    config.add_cleanup(logs.masked(stage_session.setup.redactor))
    gate.isolate(config, config.stash[PARSER])
    stage_session.typed = gate.typed(config)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The runbook's files are not collected while a stage is checked: its checks are made from the plan."""
    return True if STAGE_SESSION in config.stash and collection_path == plan.validation_folder() else None


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin the run: the target's lock, the folder, the header. A worker only joins."""
    stage_session = session.config.stash.get(STAGE_SESSION, None)
    if stage_session is None:
        return
    from rampgate.stage import fixtures

    with _refusals(session.config):
        fixtures.register(session, stage_session.setup.settings)
        if not session.config.option.collectonly:
            _begin(session, stage_session)


def _begin(pytest_session: pytest.Session, stage_session: StageSession) -> None:
    config = pytest_session.config
    from rampgate.evidence import session
    from rampgate.evidence.lock import target_lock
    from rampgate.stage import interrupt
    from rampgate.stage.terminal import accompany, give_up

    stop = partial(give_up, pytest_session, stage_session)
    config.add_cleanup(interrupt.listen(stop, forwarded=worker_of(config) is not None))
    config.add_cleanup(interrupt.no_silent_end(Decision.HOLD.exit_code))
    if worker := worker_of(config):
        stage_session.join(worker, config.workerinput["workerid"])  # type: ignore[attr-defined]  # xdist's
        return
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    write = reporter.write_line if reporter else print
    run_id = session.name_run()
    stage_session.lock_token = stage_session.stack.enter_context(
        target_lock(stage_session.setup.settings, run_id, wait=config.getoption("wait"), progress=write)
    )
    stage_session.run = session.start(stage_session.setup, run_id, "main")
    accompany(config, stage_session.run)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that gives no tests may have had checks of the user's own."""
    report = yield
    stage_session = collector.config.stash.get(STAGE_SESSION, None)
    if stage_session and isinstance(collector, pytest.Module) and not (report.passed and report.result):
        stage_session.unread.add(collector.path.resolve())
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """A user's own check is in the plan as soon as it is collected, before any selection acts."""
    if stage_session := item.config.stash.get(STAGE_SESSION, None):
        name = item.nodeid.partition("::")[2].partition("[")[0]
        stage_session.collected.add((item.path.resolve(), name))
        rename(item, stage_session)
        if item.get_closest_marker(stage_session.setup.stage):
            stage_session.own.add(item)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where no stage is checked, leave out the runbook and what needs a fixture of ours, and nothing else."""
    if STAGE_SESSION in config.stash:
        return
    from rampgate.stage.fixtures import asked_in_vain

    runbook = plan.validation_folder()
    unwanted = [item for item in items if runbook in item.path.parents or asked_in_vain(item, plan.STAGES)]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in set(unwanted)]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """The gate's checks go before a user's own, whose fixtures may live as long as the session."""
    stage_session = session.config.stash.get(STAGE_SESSION, None)
    if stage_session is None:
        return
    from rampgate.stage import gate, own_checks

    own_checks.plan(session, stage_session)
    session.items[:0] = gate.checks(session, stage_session)
    if worker_of(session.config) is None:
        stage_session.watch([item.nodeid for item in session.items])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Past the stage's time nothing more begins, and what has begun is cut off."""
    stage_session = item.config.stash.get(STAGE_SESSION, None)
    if stage_session is None:
        return (yield)
    stage_session.begin(own=PLANNED not in item.stash)
    with stage_session.limit(check_id(item)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for the check's turn, run it, and fail it when a threshold is not met."""
    stage_session = item.config.stash.get(STAGE_SESSION, None)
    if stage_session is None:
        return (yield)
    alone = item.get_closest_marker(ALONE) is not None
    with stage_session.limit(check_id(item)), stage_session.turn(alone=alone):
        result = yield
    expect = item.stash.get(EXPECT, None)
    if expect and expect.outcome is not Outcome.PASSED:
        raise UnmetError(expect.outcome, expect.sentences)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Journal how a check ended, and give the report its outcome."""
    report = yield
    stage_session = item.config.stash.get(STAGE_SESSION, None)
    if stage_session is None:
        return report
    error = call.excinfo.value if call.excinfo else None
    clean_report(report, error, stage_session.setup.redactor)
    if stage_session.run is None or (call.when != "call" and error is None):
        return report
    if isinstance(error, NeverRanError):
        attach(report, item, "never ran", str(error))
        return report
    own, message = own_outcome(item, call)
    expect, severity = item.stash.get(EXPECT, None), severity_of(item)
    try:
        stage_session.run.journal.write(
            "check",
            check=check_id(item),
            outcome=own.value if own else None,
            message=stage_session.setup.redactor.printed(message or (expect.unreliable if expect else "")),
            severity=severity.value,
            seconds=round(call.duration, 6),
            **({"cause": Cause.STARVED.value} if expect and expect.unreliable else {}),
        )
    except EvidenceError as full:
        own, error = Outcome.ERROR, full
    outcome = own or (expect.outcome if expect else Outcome.PASSED)
    text = error_text(error, stage_session.setup.redactor)
    attach(report, item, outcome.value, text)
    if isinstance(error, UnreachableError):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), (item.location[1] or 0) + 1, f"Skipped: {text}")
    return report
