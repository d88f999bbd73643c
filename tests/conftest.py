"""What all tests share."""

from __future__ import annotations

import os
import signal
import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long an example takes says nothing about what it proves, and a busy machine would make it fail.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
WAITING = 2
"""A test waits for half of its time: so many more workers than cores keep the cores busy."""


def pytest_xdist_auto_num_workers() -> int:
    """How many workers ``-n auto`` starts."""
    return len(os.sched_getaffinity(0)) + WAITING


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start, though a shell that runs us in the background made us deaf."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # xdist reads the mark in a hook of the same name
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave those that share what a module has started to one worker: it is started once."""
    if not config.pluginmanager.has_plugin("xdist"):
        return
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        fixtures = item._fixtureinfo.name2fixturedefs.values()
        if any(each[-1].scope == "module" for each in fixtures):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


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
