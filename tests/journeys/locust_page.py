"""Waiting for the web page of a Locust that a test has started."""

from __future__ import annotations

import time
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

STARTS_WITHIN_S = 60


def await_page(url: str, process: subprocess.Popen[Any], log: Path) -> None:
    """Return when the page answers; fail with the log when Locust ends or takes too long."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310  # loopback
        except OSError:
            time.sleep(0.1)
        else:
            return
