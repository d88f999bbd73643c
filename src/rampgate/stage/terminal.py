"""The plugin on the terminal: a line per check, the verdict at the end, and the exit code."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pytest

from rampgate.config import locate
from rampgate.config.plan import STAGES
from rampgate.errors import ConfigurationError
from rampgate.model.text import clean, without_commands
from rampgate.outcome import Decision
from rampgate.stage.heartbeat import EVERY_S, LONG_EVERY_S, Heartbeat
from rampgate.stage.items import EXIT_CODE, LOAD, STAGE_SESSION, stage_meant, worker_of
from rampgate.stage.masking import clean_report, for_its_owner, mask

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from rampgate.evidence.run import Run
    from rampgate.judging.results import Verdict
    from rampgate.stage.stage_session import StageSession

_REPLACED = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
_SILENT = -2
"""pytest's -q -q."""
_COLOURS = {"passed": "green", "failed": "red", "error": "red", "skipped": "cyan"}


def progress(config: pytest.Config) -> Callable[[str], None]:
    """A function that shows progress, without secrets, in spite of pytest's capture of output."""
    safe = config.stash[STAGE_SESSION].setup.redactor
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")

    def write(text: str) -> None:
        if reporter is None:
            return
        if capture and config.option.verbose > _SILENT:
            with capture.global_and_fixture_disabled():
                _TERMINAL.speak()
                reporter.write_line(f"  … {clean(safe.text(text))}", yellow=True)
                reporter.flush()

    return write


def accompany(config: pytest.Config, run: Run) -> None:
    """Show how a run goes on while it measures: what it says itself, and a line now and then."""
    from rampgate.stage.sign_ins import announcement
    from rampgate.stage.soak import waits

    run.progress = progress(config)
    settings, planned = run.settings, config.stash[STAGE_SESSION].setup.plan
    if due := announcement(settings, planned, max(1, len(getattr(config.option, "tx", None) or ()))):
        run.progress(due)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    # Our own lines report each check as it ends, with its outcome.
    reporter.showfspath = False
    if config.option.verbose <= _SILENT:
        return
    with suppress(OSError, ValueError):  # whoever runs pytest inside a program may give it no file
        file = os.dup(reporter._tw._file.fileno())  # noqa: SLF001  # as below
        every_s = LONG_EVERY_S if any(map(waits, planned.subjects)) else EVERY_S
        _TERMINAL.heartbeat = heartbeat = Heartbeat(file, in_place=bool(reporter.isatty), every_s=every_s)
        config.add_cleanup(lambda: os.close(file))
        config.add_cleanup(heartbeat.stop)
        run.often, run.beside, run.say = heartbeat.detail, heartbeat.beside, heartbeat.say


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Take secrets out of what is said of a file that cannot be collected."""
    report = yield
    if active := collector.config.stash.get(STAGE_SESSION, None):
        clean_report(report, None, active.setup.redactor)
    return report


def pytest_runtest_logstart(nodeid: str) -> None:
    """A test begins, here or in a worker."""
    if _TERMINAL.heartbeat:
        _TERMINAL.reporter.flush()  # what is said now comes after what was written before
        _TERMINAL.heartbeat.begins(_safe(nodeid))


def pytest_runtest_logfinish(nodeid: str) -> None:
    """It has ended."""
    if _TERMINAL.heartbeat:
        _TERMINAL.heartbeat.ends(_safe(nodeid))


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is about to be checked."""
    active = config.stash.get(STAGE_SESSION, None)
    if active is None:
        return None
    target, checks = active.setup.settings.target, len(active.setup.plan.checks)
    where = ", ".join(address for address in (target.web, target.api) if address) or "nothing configured"
    steps = active.setup.steps
    step = f", step{'s' if len(steps) > 1 else ''} {' and '.join(steps)}" if steps else ""
    lines = (
        f"rampgate: {active.setup.stage} stage{step}, {checks} checks planned, of {where}",
        f"rampgate: settings: {locate.source(active.source['path'], '--rampgate-config')}",
    )
    return active.setup.redactor.text("\n".join(lines))


def pytest_report_teststatus(report: Any, config: pytest.Config) -> tuple[str, str, str] | None:
    """Count undecided, error and failed apart; our own lines stand for pytest's letters."""
    outcome = getattr(report, "rampgate", None)
    if outcome is None or STAGE_SESSION not in config.stash:
        return None
    known = outcome in {"passed", "skipped"} or not getattr(report, "rampgate_text", "")
    return (report.outcome if known else _category(outcome)), "", ""


def _category(outcome: str) -> str:
    """A category of our own, so that pytest's FAILURES section does not repeat what our table says."""
    return {"failed": "not met", "error": "could not look"}.get(outcome, outcome)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write the line of a check that ended; the terminal's own hook has no way to pass it on."""
    if hasattr(report, "rampgate") and _TERMINAL.reporter is not None:
        _line(_TERMINAL.reporter, report)


class _Terminal:
    reporter: Any = None
    heartbeat: Heartbeat | None = None

    def speak(self) -> None:
        """Something is written now."""
        if self.heartbeat:
            self.heartbeat.spoken()


_TERMINAL = _Terminal()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Find the terminal that lines are written to: the controller's, never a worker's."""
    worker = hasattr(config, "workerinput")
    shown = STAGE_SESSION in config.stash and not worker and not config.option.collectonly
    _TERMINAL.reporter = config.pluginmanager.get_plugin("terminalreporter") if shown else None
    if STAGE_SESSION in config.stash:
        mask(config, config.stash[STAGE_SESSION].setup.redactor)


def _line(reporter: Any, report: Any) -> None:
    _TERMINAL.speak()
    outcome, check = report.rampgate, clean(_safe(report.rampgate_check))
    colour = {_COLOURS.get(outcome, "yellow"): True}
    reporter.ensure_newline()
    reporter.write(f"{outcome:>9}  ", **colour)
    reporter.write_line(f"{check}  ({report.duration:.1f} s)")
    if outcome != "passed" and (text := report.rampgate_text or _skip_text(report)):
        for line in text.splitlines()[:3]:
            reporter.write_line(f"           {clean(line)}")
    reporter.flush()


def _safe(name: str) -> str:
    """The id of a check without the secrets that a parameter brought to it."""
    active = _TERMINAL.reporter.config.stash.get(STAGE_SESSION, None) if _TERMINAL.reporter else None
    return str(active.setup.redactor.text(name)) if active else name


def _skip_text(report: Any) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """End the run after all else: its end, reports, the verdict in place of pytest's 0 and 1."""
    config, result, broken = session.config, None, False
    active = config.stash.get(STAGE_SESSION, None)
    if active and session.exitstatus == pytest.ExitCode.INTERRUPTED:
        active.interrupt_others()
    try:
        with for_its_owner() if active else nullcontext():
            result = yield
        if active:
            active.close()
    except KeyboardInterrupt:  # once more, while fixtures are torn down
        if active is None or active.run is None:
            raise
        session.exitstatus = pytest.ExitCode.INTERRUPTED
    except BaseException:  # of another plugin's hook, sys.exit() among them; a report may be missing
        if active is None or active.run is None or worker_of(config):
            raise
        sys.stderr.write(f"\n{without_commands(active.setup.redactor.text(traceback.format_exc()))}")
        active.close()
        broken = session.exitstatus in _REPLACED
    if active is None:
        _suggest(session)
    elif active.run is None:
        _only_collected(session)
    elif worker_of(config):
        active.run.journal.close()
    else:
        _conclude(session, active, active.run, broken=broken)
    config.stash[EXIT_CODE] = int(session.exitstatus)
    return result


def give_up(session: pytest.Session, active: StageSession) -> None:
    """Judge what was measured, and end this process whatever its main thread is doing."""
    session.exitstatus = pytest.ExitCode.INTERRUPTED
    active.interrupt_others()
    if active.run and not worker_of(session.config):
        active.record_late()
        _conclude(session, active, active.run)
    os._exit(int(session.exitstatus))


def _conclude(session: pytest.Session, active: StageSession, run: Run, *, broken: bool = False) -> None:
    from rampgate.evidence.verdicts import finish
    from rampgate.judging.standing import exit_code
    from rampgate.report import write_all
    from rampgate.stage import interrupt, rollback_alert

    interrupt.ignore()
    active.end_watch()
    try:
        status = pytest.ExitCode.INTERNAL_ERROR if broken else session.exitstatus
        verdict, unwritten = finish(run.journal, status=int(status), failed=session.testsfailed)
        write_all(verdict, run.folder)
    except Exception as error:  # noqa: BLE001  # whatever went wrong, there is no verdict: never a pass
        message = active.setup.redactor.text(f"rampgate: no verdict: {type(error).__name__}: {error}")
        sys.stderr.write(f"\n{clean(message)}\n")
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        return
    full = run.journal.trouble
    if unwritten := unwritten or full:
        sys.stderr.write(f"\nrampgate: {clean(unwritten)}\n")
    if session.exitstatus in _REPLACED or (full and session.exitstatus == pytest.ExitCode.INTERNAL_ERROR):
        session.exitstatus = int(exit_code(verdict))
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and not session.config.option.no_summary:  # which leaves it to whoever goes on with the run
        _show(reporter, verdict, run.folder)
    for line in rollback_alert.alert(active.setup, run, verdict):
        sys.stderr.write(f"\nrampgate: {clean(line)}\n")


def _show(reporter: Any, verdict: Verdict, folder: Path) -> None:
    from rampgate.report import table

    reporter.ensure_newline()
    reporter.section("rampgate", sep="=")
    stream = reporter._tw._file  # noqa: SLF001  # pytest offers no other way to its stream
    table.render(verdict, table.console(stream), folder=folder)


def _only_collected(session: pytest.Session) -> None:
    """A list of checks is no verdict: the exit code is not that of one that promotes."""
    if session.exitstatus == pytest.ExitCode.OK and session.config.option.collectonly:
        session.exitstatus = int(Decision.HOLD.exit_code)
        sys.stderr.write("\nrampgate: nothing was checked, so that there is no verdict (exit 10)\n")


def _suggest(session: pytest.Session) -> None:
    """Where -m found nothing, name the stage that it may have meant, and record that none ran."""
    config = session.config
    nothing = session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
    nothing = nothing and not hasattr(config, "workerinput")
    markers = {line.partition(":")[0].partition("(")[0].strip() for line in config.getini("markers")}
    typed = config.getoption("markexpr", "")
    meant = stage_meant(typed, markers) if nothing else None
    if meant is None or config.option.collectonly:
        return
    from rampgate.stage.source import refuse

    likely = "rampgate load, which runs Locust (locust)" if meant == LOAD else meant
    error = ConfigurationError(
        f"-m {typed}: names no stage and no test; did you mean {likely}? The stages are {', '.join(STAGES)}: "
        "what is checked before, in or after a deploy"
    )
    refuse(config, error, meant)
    session.exitstatus = pytest.ExitCode.USAGE_ERROR
    sys.stderr.write(f"\nrampgate: {clean(error)}\n")
