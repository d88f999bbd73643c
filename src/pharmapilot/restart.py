"""Restarts the API of a running deployment: what `pm2 restart` is to others."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pharmapilot.errors import DeploymentError

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_SECONDS = 30.0


def restart(ready_file: Path) -> None:
    """Have the supervisor start the API anew, and wait until the ready file names the new one.

    Args:
        ready_file: of the deployment.

    Raises:
        DeploymentError: no deployment runs there, or the API did not come up again.
    """
    before = _pids(ready_file)
    try:
        os.kill(before["supervisor"], signal.SIGUSR1)
    except (KeyError, ProcessLookupError) as error:
        raise DeploymentError(f"no deployment runs that has the ready file {ready_file}", 2) from error
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with suppress(DeploymentError):
            if _pids(ready_file)["api"] != before["api"]:
                return
        time.sleep(0.1)
    raise DeploymentError(f"the API did not come up again within {PATIENCE_SECONDS:.0f} s")


def _pids(ready_file: Path) -> dict[str, Any]:
    try:
        pids: dict[str, Any] = json.loads(ready_file.read_text(encoding="utf-8"))["pids"]
    except (OSError, ValueError, KeyError) as error:
        raise DeploymentError(f"{ready_file} is no ready file of a running deployment", 2) from error
    return pids
