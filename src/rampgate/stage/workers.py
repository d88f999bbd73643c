"""The plugin under xdist: what the controller tells its workers, and hears of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rampgate.stage.items import STAGE_SESSION, WORKER_KEY

if TYPE_CHECKING:
    from rampgate.stage.stage_session import StageSession


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand an xdist worker the run that it joins. Settings travel through its pipe, never over the disk."""
    stage_session: StageSession | None = node.config.stash.get(STAGE_SESSION, None)
    if stage_session and stage_session.run:
        if node.gateway.spec.popen:
            pid = node.gateway.remote_exec("import os; channel.send(os.getpid())").receive()
            stage_session.workers.append(pid)
        node.workerinput[WORKER_KEY] = {
            "source": stage_session.source,
            "folder": str(stage_session.run.folder),
            "deadline": stage_session.run.deadline,
            "invocation": stage_session.run.journal.process,
            "lock_token": stage_session.lock_token,
        }


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:
    """Under xdist the controller collects nothing; what a worker has collected is what is going to run."""
    if stage_session := node.config.stash.get(STAGE_SESSION, None):
        stage_session.watch(ids)
