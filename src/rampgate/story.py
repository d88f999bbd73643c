"""Floor 6. The whole story once: the reference deployment, the immediate stage, a load ramp, one verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.config.loading import load as load_settings
from rampgate.errors import ProbeError
from rampgate.evidence import demo, journal
from rampgate.evidence.session import RUN_VARIABLE
from rampgate.evidence.verdicts import judge
from rampgate.load.run import locustfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rampgate.errors import ExitCode

READY_VARIABLE = "RAMPGATE_DEMO_READY"
_WATCHING = ("prometheus", "alertmanager", "inbox")
"""Keys of a ready file: where the deployment is watched, and where its alerts arrive."""


def tell(
    pytest_args: Sequence[str], *, load: bool, stack: str | None = None, echo: Callable[[str], None]
) -> ExitCode:
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
    path = demo.settings_file()
    told = demo.settings_of(path)
    if stack:
        told = demo.with_stack(told, stack)
    with ExitStack() as open_things:
        began = time.monotonic()
        ready = open_things.enter_context(demo.deployment(told))
        echo(f"the reference deployment is up after {time.monotonic() - began:.1f} s: {ready.get('web')}")
        for role, what in sorted(ready.get("stores", {}).items()):
            echo(f"  {role}: {what}")
        for line in surroundings(ready) if stack else ():
            echo(f"  {line}")
        settings, _ = load_settings(path, from_environment=False)
        run_id = journal.new_run_id(time.time())
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory(prefix="rampgate-ready-")))
        ready_file = folder / "ready.json"
        ready_file.touch(mode=0o600)
        ready_file.write_text(json.dumps(ready), encoding="utf-8")
        environment = {**os.environ, RUN_VARIABLE: run_id, READY_VARIABLE: str(ready_file)}
        checks = [sys.executable, "-m", "pytest", "-m", "immediate", f"--demo-ready={ready_file}"]
        _call([*checks, *pytest_args], environment, echo)
        if load:
            ramp = [sys.executable, "-m", "locust", "-f", str(locustfile()), "--headless", "--only-summary"]
            _call(ramp, environment, echo)
    return judge(journal.find_run(settings.reports, run_id)).decision.exit_code


def surroundings(ready: dict[str, Any]) -> Iterator[str]:
    """Lines that say where to look while it runs, and what could not be brought up.

    Args:
        ready: the content of the deployment's ready file.
    """
    missing = ready.get("missing", [])
    yield from (f"{name}: {ready[name]}" for name in _WATCHING if name in ready and name not in missing)
    yield from demo.not_installed(ready)


def _call(command: Sequence[str], environment: dict[str, str], echo: Callable[[str], None]) -> None:
    """Run one part; its exit code is not asked, since the journal has more to say than a number."""
    echo(f"\n$ {' '.join(['python', *command[1:]])}")
    try:
        subprocess.run(command, env=environment, check=False)
    except OSError as error:
        raise ProbeError(f"{command[0]}: does not start: {error.strerror}") from None
