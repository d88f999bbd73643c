"""The plugin on the terminal: a line per check, the verdict at the end, and the exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from rampgate.config import locate
from rampgate.stage.items import STAGE_SESSION

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rampgate.judging.results import Verdict
    from rampgate.stage.stage_session import StageSession

_REPLACED = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
_COLOURS = {"passed": "green", "failed": "red", "error": "red", "skipped": "cyan"}
_VERDICT: pytest.StashKey[Verdict] = pytest.StashKey()


def progress(config: pytest.Config) -> Callable[[str], None]:
    """A function that shows progress in spite of pytest's capture of output."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")

    def write(text: str) -> None:
        if reporter is None:
            return
        if capture:
            with capture.global_and_fixture_disabled():
                reporter.write_line(f"  … {text}", yellow=True)

    return write


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
        f"rampgate: settings: {locate.source(active.source['path'])}",
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


_TERMINAL = _Terminal()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Find the terminal that lines are written to: the controller's, never a worker's."""
    worker = hasattr(config, "workerinput")
    shown = STAGE_SESSION in config.stash and not worker and not config.option.collectonly
    _TERMINAL.reporter = config.pluginmanager.get_plugin("terminalreporter") if shown else None


def _line(reporter: Any, report: Any) -> None:
    outcome, check = report.rampgate, report.rampgate_check
    colour = {_COLOURS.get(outcome, "yellow"): True}
    reporter.ensure_newline()
    reporter.write(f"{outcome:>9}  ", **colour)
    reporter.write_line(f"{check}  ({report.duration:.1f} s)")
    if outcome != "passed" and (text := report.rampgate_text or _skip_text(report)):
        for line in text.splitlines()[:3]:
            reporter.write_line(f"           {line}")


def _skip_text(report: Any) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """End the run: end record, verdict, reports; put the verdict in place of pytest's 0 and 1."""
    result = yield
    active = session.config.stash.get(STAGE_SESSION, None)
    if active is None or active.run is None:
        return result
    if hasattr(session.config, "workerinput"):
        active.run.journal.close()
        return result
    try:
        verdict = _finish(active, int(session.exitstatus))
    except Exception as error:  # noqa: BLE001  # whatever went wrong, there is no verdict: never a pass
        message = active.setup.redactor.text(f"rampgate: no verdict: {type(error).__name__}: {error}")
        sys.stderr.write(f"\n{message}\n")
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        return result
    session.config.stash[_VERDICT] = verdict
    if session.exitstatus in _REPLACED:
        session.exitstatus = int(verdict.decision.exit_code)
    return result


def _finish(active: StageSession, status: int) -> Verdict:
    from rampgate.evidence.verdicts import conclude
    from rampgate.report import write_all

    run = active.run
    assert run is not None  # noqa: S101  # only called where a run was begun
    run.journal.write("end", status=status)
    run.journal.close()
    verdict = conclude(run.folder)
    write_all(verdict, run.folder)
    return verdict


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table and the verdict, unless --no-summary leaves them to whoever goes on with the run."""
    verdict = config.stash.get(_VERDICT, None)
    if verdict is None or config.option.no_summary:
        return
    from rampgate.report import table

    run = config.stash[STAGE_SESSION].run
    terminalreporter.ensure_newline()
    terminalreporter.section("rampgate", sep="=")
    stream = terminalreporter._tw._file  # noqa: SLF001  # pytest offers no other way to its stream
    table.render(verdict, table.console(stream), folder=run.folder if run else None)
