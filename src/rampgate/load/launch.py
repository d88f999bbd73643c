"""The load test as a process of its own: its command, and its orderly end."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from rampgate.errors import ConfigurationError, ProbeError
from rampgate.io.process import Process
from rampgate.load.plan import locustfile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

STOP_WITHIN_S = 45.0
"""How long a load test that was asked to stop may take: it waits little for answers, and judges."""


def command(*arguments: str, file: Path | None = None) -> list[str]:
    """How the load test is started.

    Args:
        arguments: Locust's, and those of loadtests/locustfile.py.
        file: another locustfile than the installed one.

    Raises:
        ConfigurationError: Locust is not installed.
    """
    if missing := [name for name in ("locust", "pycurl") if importlib.util.find_spec(name) is None]:
        raise ConfigurationError(
            f"{' and '.join(missing)}: not installed; a load run needs: pip install 'rampgate[load]'"
        )
    ours = locustfile()
    return [sys.executable, "-P", str(ours.with_name("start.py")), "-f", str(file or ours), *arguments]


def load_test() -> dict[str, Any]:
    """What a locustfile of one's own takes over: ``globals().update(load_test())``.

    The installed load test is run as a module, in a clone as in a wheel, with its folder on the path.

    Returns:
        Its public names: the users, the ramp.
    """
    path = locustfile()
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location("rampgate_locustfile", path)
    assert spec, path  # noqa: S101  # a .py file always has a loader
    assert spec.loader, path  # noqa: S101  # as above
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: thing for name, thing in vars(module).items() if not name.startswith("_")}


def follow(
    started: Sequence[str], environ: Mapping[str, str], seconds: float, on_line: Callable[[str], None]
) -> int:
    """Run a process to its end. It ends with us, in order and with everything that it started.

    Args:
        started: its command.
        environ: its environment.
        seconds: how long it may take.
        on_line: takes each line that it writes, and "" about twice a second when it writes none.

    Returns:
        Its exit code, negative when a signal ended it.

    Raises:
        ProbeError: it was stopped because its time was up, or could not be started.
        KeyboardInterrupt: it was stopped because we were interrupted.
    """
    try:
        process = Process(started, environ, patience_s=STOP_WITHIN_S)
    except OSError as error:
        raise ProbeError(f"{started[0]}: does not start: {error.strerror}") from None
    in_time = False
    try:
        in_time = process.wait_for(seconds, on_line)
    finally:
        if not in_time:
            _stop(process, on_line)
        code = process.end(on_line)
    if not in_time:
        raise ProbeError(f"the load run was stopped: its time, {seconds:.0f} s, was used up")
    return code


def _stop(process: Process, on_line: Callable[[str], None]) -> None:
    """Ask it to stop; whoever interrupts that kills it."""
    try:
        process.interrupt()
        if not process.wait_for(STOP_WITHIN_S, on_line):
            process.kill()
    except BaseException:
        process.kill()
        raise
