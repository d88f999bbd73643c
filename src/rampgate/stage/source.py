"""Where a stage's settings come from, and the record of a stage that was not started."""

from __future__ import annotations

import contextlib
import os
from inspect import signature
from typing import TYPE_CHECKING, Any

from rampgate import demo
from rampgate.config import locate, plan
from rampgate.config.loading import load
from rampgate.errors import ConfigurationError, RampgateError
from rampgate.evidence import session
from rampgate.report import write_all
from rampgate.stage.items import STAGE_SESSION, stages_in, worker_of
from rampgate.stage.stage_session import demo_source

if TYPE_CHECKING:
    from contextlib import ExitStack

    import pytest

_FASTEST = 1000


def refuse(config: pytest.Config, error: BaseException, meant: str = "") -> None:
    """Record that a stage was not started, so that no older verdict is taken for its own.

    Args:
        config: pytest's, of which no more may be known than its options.
        error: why.
        meant: the stage, where no name of it was typed.
    """
    typed = config.known_args_namespace
    stages = [meant] if meant else stages_in(getattr(typed, "markexpr", ""))
    if not stages or typed.collectonly or worker_of(config):
        return
    session_of = config.stash.get(STAGE_SESSION, None)
    known = (session_of.setup.settings, session_of.setup.redactor) if session_of else None
    path = None
    with contextlib.suppress(RampgateError):  # they may be what was refused
        path = locate.settings_file("", getattr(typed, "rampgate_config", None), os.environ)
        if path and not (known or getattr(typed, "demo", False) or getattr(typed, "demo_ready", None)):
            known = load(path)
    reports = locate.reports_folder(path, getattr(typed, "rampgate_reports", None), os.environ)
    if meant and not (path or reports.is_dir()):  # perhaps no project of ours
        return
    text = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error).strip() or repr(error)
    text = known[1].text(text) if known else text
    if refused := session.refuse(reports, stages, text, getattr(typed, "step", ()), known):
        write_all(*refused)


def invocation(config: pytest.Config) -> list[str]:
    """What was typed, of which an xdist worker is told."""
    return getattr(config, "workerinput", {}).get("mainargv") or session.invocation()


def steps_of(config: pytest.Config, stage: str) -> list[str]:
    """The steps that are checked, in their order; the deploy stage has no meaning without one.

    Raises:
        ConfigurationError: there is none, or one of another stage.
    """
    chosen = config.getoption("step")
    if (stage == "deploy") != bool(chosen):
        raise ConfigurationError(
            f"--step: found {' '.join(chosen) or 'none'} with -m {stage}; accepted is -m deploy with --step "
            + " or --step ".join(plan.STEPS)
            + (" (with -p no:rampgate the project's own tests run alone)" if not chosen else "")
        )
    return [step for step in plan.STEPS if step in chosen]


def time_scale_of(config: pytest.Config, stage: str) -> float:
    """How many times faster everything goes that waits, 1 where nothing was typed.

    Raises:
        ConfigurationError: it is not from 1 to 1000, or the stage has nothing that waits.
    """
    scale: float = config.getoption("time_scale")
    if not 1 <= scale <= _FASTEST:
        raise ConfigurationError(f"--time-scale: found {scale:g}; accepted is a number of 1 to {_FASTEST}")
    if scale != 1 and stage != "extended":
        raise ConfigurationError(
            f"--time-scale: found {scale:g} with -m {stage}; accepted is -m extended, the stage that waits"
        )
    return scale


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
    refuse_another_root(config)
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
    if (scale := config.getoption("time_scale")) != 1:
        source["time_scale"] = scale
    if reports := config.getoption("rampgate_reports"):
        source["overrides"] = {**source["overrides"], "reports": reports}
    return source


def refuse_another_root(config: pytest.Config) -> None:
    """Refuse a root folder that pytest found by the value of an option.

    It looks for its settings before it knows the options of plugins: ``--rampgate-config FILE`` and
    ``--step backend`` name a path to it then, whose folder has other settings, and so other checks.

    Args:
        config: pytest's, with every option known.

    Raises:
        ConfigurationError: the project's settings are others than those that were read.
    """
    from _pytest.config.findpaths import determine_setup

    typed = config.known_args_namespace
    given = {
        "inifile": typed.inifilename,
        "override_ini": typed.override_ini,
        "args": getattr(config.option, "file_or_dir", typed.file_or_dir),  # of --help there is none
        "rootdir_cmd_arg": typed.rootdir,
        "invocation_dir": config.invocation_params.dir,
    }
    accepted = signature(determine_setup).parameters
    root, file, *_ = determine_setup(**{name: value for name, value in given.items() if name in accepted})
    if (root, file) != (config.rootpath, config.inipath):
        raise ConfigurationError(
            f"found pytest's settings in {config.inipath or config.rootpath}, not in {file or root}: it took "
            "the value of an option for a path; accepted is the option with an equals sign, --option=VALUE"
        )
