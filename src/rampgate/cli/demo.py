"""The command that shows it all: the reference deployment, the immediate stage, a load ramp, one verdict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rampgate.cli.base import exits
from rampgate.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Echo = Callable[[str], None]

READY_VARIABLE = "RAMPGATE_DEMO_READY"
_MONITORING = ("prometheus", "alertmanager", "inbox")
"""Keys of a ready file: where the deployment is watched, and where its alerts arrive."""
_PYTEST_USAGE = 4
_DECIDED = {ExitCode.PROMOTE, ExitCode.HOLD, ExitCode.ROLLBACK}


@click.command()
@click.option("--load/--no-load", default=True, show_default=True, help="Follow the checks with a load ramp.")
@click.option("--stack", metavar="NAME", help="full: with Prometheus and Alertmanager.")
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
@exits
def demo(pytest_args: tuple[str, ...], *, load: bool, stack: str | None) -> int:
    r"""Bring up the reference deployment, check it, ramp load onto it, and print the verdict.

    \b
    Examples:
      rampgate demo
      rampgate demo --stack full             the same, watched by Prometheus, alerts to an inbox
      rampgate demo --no-load -- -n 2        what follows -- goes to pytest
    """
    return run_demo(pytest_args, load=load, stack=stack, echo=click.echo)


def run_demo(pytest_args: Sequence[str], *, load: bool, stack: str | None, echo: Echo) -> ExitCode:
    """Run the demo and return the exit code of its verdict.

    Args:
        pytest_args: further arguments of pytest.
        load: follow the checks with the load ramp of [load], into the same run.
        stack: what else is brought up, a key of [demo.stacks].
        echo: takes one line of progress at a time.

    Raises:
        ConfigurationError: there is no such stack.
        ProbeError: the deployment did not come up.
        EvidenceError: nothing was written.
    """
    from rampgate import demo
    from rampgate.config.loading import load as load_settings
    from rampgate.evidence import journal
    from rampgate.load.plan import locustfile

    path = demo.settings_file()
    settings, start = demo.with_stack(demo.settings_of(path), stack), time.monotonic()
    with ExitStack() as cleanup:
        ready = cleanup.enter_context(demo.deployment(settings))
        echo(f"the reference deployment is up after {time.monotonic() - start:.1f} s: {ready.get('web')}")
        for line in surroundings(ready):
            echo(f"  {line}")
        reports = load_settings(path, from_environment=False)[0].reports
        run_id = journal.new_run_id(time.time())
        environment = _environment(cleanup, ready, run_id)
        checks = ["pytest", "-m", "immediate", f"--demo-ready={environment[READY_VARIABLE]}", *pytest_args]
        # The load ramp joins the run and ends with the table of both: pytest need not print its own.
        code = _call([*checks, "--no-summary"] if load else checks, environment, echo)
        if code == _PYTEST_USAGE:
            return ExitCode.USAGE
        if load and code in _DECIDED:
            ramp = ["locust", "-f", str(locustfile()), "--headless", "--only-summary"]
            code = _call(ramp, environment, echo)
    return _verdict(journal.find_run(reports, run_id), shown=code in _DECIDED)


def _environment(cleanup: ExitStack, ready: dict[str, Any], run_id: str) -> dict[str, str]:
    """Ours, with the run, and with a ready file that only we can read, until the cleanup."""
    from rampgate.evidence.session import RUN_VARIABLE

    file = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="rampgate-ready-"))) / "ready.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(ready), encoding="utf-8")
    return {**os.environ, RUN_VARIABLE: run_id, READY_VARIABLE: str(file)}


def _verdict(folder: Path, *, shown: bool) -> ExitCode:
    """The exit code of the run's verdict; its table too, where the last part ended without it."""
    from rampgate.evidence.verdicts import judge
    from rampgate.judging.standing import exit_code
    from rampgate.report import table

    verdict = judge(folder)
    if not shown:
        table.render(verdict, table.console(), folder=folder)
    return exit_code(verdict)


def surroundings(ready: dict[str, Any]) -> Iterator[str]:
    """Lines that say what the stores are, where to look while it runs, and what could not be brought up.

    Args:
        ready: the content of the deployment's ready file.
    """
    from rampgate import demo

    yield from (f"{role}: {what}" for role, what in sorted(ready.get("stores", {}).items()))
    missing = ready.get("missing", [])
    yield from (f"{name}: {ready[name]}" for name in _MONITORING if name in ready and name not in missing)
    yield from demo.not_installed(ready)


def _call(command: Sequence[str], environment: dict[str, str], echo: Echo) -> int:
    """Run a module to its end, and return its exit code. Ctrl-C goes on to it, and it judges what it has."""
    echo(f"\n$ {' '.join(['python', '-m', *command])}")
    # In a group of its own, so that it hears each signal once, whoever else was meant.
    process = subprocess.Popen([sys.executable, "-P", "-m", *command], env=environment, process_group=0)
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, _: process.send_signal(number)) for number in signals]
    try:
        return process.wait()
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
