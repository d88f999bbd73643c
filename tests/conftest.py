"""What all tests share."""

from __future__ import annotations

import functools
import os
import signal
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from rampgate.checks.frame.discovery import checks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# How long an example takes says nothing about what it proves, and a busy machine would make it fail.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
checks()  # what they measure can be judged only where it is known
BROWSERS = ("playwright", "SignedInBrowser")
"""A file that names one of them drives a browser itself."""
WAITING = 2
"""A test waits for half of its time: so many more workers than cores keep the cores busy."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many workers ``-n auto`` starts."""
    return len(os.sched_getaffinity(0)) + WAITING


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start, though a shell that runs us in the background made us deaf."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist=loadgroup``: a file whose tests share what it has started goes to one worker.

    So do all files whose tests share a browser: each worker would start one of its own.
    The mark that pytest-xdist 3.8 has for it is without effect in pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it carries no types

    def scope(nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return _group(config.rootpath / path) or nodeid

    if config.getvalue("dist") != "loadgroup":
        return None
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = scope
    return scheduler


@functools.cache
def _group(file: Path) -> str:
    """The tests that one worker runs in turn: all that drive a browser, or a file that shares a fixture."""
    text = file.read_text(encoding="utf-8")
    if 'scope="module"' in text:
        return str(file)
    return "browser" if file.parent.name == "journeys" and any(word in text for word in BROWSERS) else ""


@pytest.fixture(scope="session", autouse=True)
def _temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder of its own for what this worker makes in passing, so that no lock of another is in its way.

    Its path is short: a browser's socket lies in it, and a socket's path has 107 letters at most.
    """
    tmp_path_factory.getbasetemp()  # this one stays: it is looked into after a failure
    with tempfile.TemporaryDirectory(prefix="test-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield
