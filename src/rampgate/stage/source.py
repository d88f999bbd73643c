"""Where a stage's settings come from, and the record of a stage that was not started."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from rampgate import demo
from rampgate.config import locate
from rampgate.errors import ConfigurationError, RampgateError
from rampgate.evidence import session
from rampgate.report import write_all
from rampgate.stage.items import stage_of, worker_of
from rampgate.stage.stage_session import demo_source

if TYPE_CHECKING:
    from contextlib import ExitStack

    import pytest


def refuse(config: pytest.Config, error: RampgateError) -> None:
    """Record that the stage was not started, so that no older verdict is taken for its own."""
    with contextlib.suppress(ConfigurationError):  # more than one stage, or more than one file: no run begins
        stage = stage_of(config.getoption("markexpr", ""))
        if stage is None or config.option.collectonly or worker_of(config):
            return
        path = locate.settings_file("", config.getoption("rampgate_config"), os.environ)
        reports = locate.reports_folder(path, config.getoption("rampgate_reports"), os.environ)
        if refused := session.refuse(reports, stage, str(error), config.getoption("step")):
            write_all(*refused)


def source_of(config: pytest.Config, stack: ExitStack, stage: str) -> dict[str, Any]:
    """Where the settings come from; brings the demo up when asked, once, in the controller.

    Args:
        config: pytest's.
        stack: takes the demo down at the end.
        stage: what is going to be checked; ``deploy-backend`` is a step.

    Raises:
        ConfigurationError: a file was typed beside a demo, or there is no demo.
        ProbeError: the demo did not come up.
    """
    if worker := worker_of(config):
        source: dict[str, Any] = worker["source"]
        return source
    ready = config.getoption("demo_ready")
    demos = ("--demo" if config.getoption("demo") else None, f"--demo-ready {ready}" if ready else None)
    path = locate.settings_file("--rampgate-config", config.getoption("rampgate_config"), os.environ, *demos)
    if config.getoption("demo") and config.option.collectonly:
        source = {"path": str(demo.settings_file()), "overrides": {}, "from_environment": False}
    elif config.getoption("demo") or ready:
        source = demo_source(stack, ready, stage)
    else:
        notes = [] if path else [f"settings: {locate.source(path)}"]
        source = {"path": path and str(path), "overrides": {}, "from_environment": True, "notes": notes}
    if reports := config.getoption("rampgate_reports"):
        source["overrides"] = {**source["overrides"], "reports": reports}
    return source
