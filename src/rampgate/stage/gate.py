"""The gate's own checks under pytest: items made from the plan, which nothing of the user's project acts on.

They are no functions of pytest's and ask its fixtures for nothing, so that no fixture, mark, parameter or
naming rule of a project or of another plugin meets them; nor does any hook (``isolate``).
"""

from __future__ import annotations

import importlib.util
import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rampgate.config import plan
from rampgate.errors import ConfigurationError, ProbeError
from rampgate.stage.fixtures import values
from rampgate.stage.items import ALONE, CHECK_ID, PLANNED, STAGE_SESSION
from rampgate.stage.process import need_a_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from rampgate.stage.stage_session import StageSession

_TRUSTED = {"_pytest", "allure_pytest", "rampgate", "xdist"}
"""Packages whose hooks are called for the gate's checks: what runs, selects and reports them."""
_ACTS_BY_SETTING = {
    "_pytest.warnings",
    "_pytest.unraisableexception",
    "_pytest.skipping",
    "_pytest.threadexception",
    "_pytest.faulthandler",
}
"""Those of pytest's own by which a project's settings or marks let a check fail, or skip it."""
_SELECTS = ("keyword", "deselect", "maxfail", "lf", "stepwise")


class CheckFile(pytest.File):
    """A file of the runbook, for its name in what pytest prints; its checks are made from the plan."""

    def collect(self) -> Iterator[pytest.Item]:
        """Nothing: see ``checks``."""
        return iter(())


class Check(pytest.Item):
    """One check of the plan.

    Args:
        planned: its place in the plan.
        function: what checks, and names what it is to be given.
    """

    def __init__(self, *, planned: plan.Planned, function: Callable[..., None], **of_pytest: Any) -> None:
        super().__init__(**of_pytest)
        self.function = function
        self.stash[PLANNED], self.stash[CHECK_ID] = planned, planned.check

    def runtest(self) -> None:
        """Call the function with the values that it names.

        Raises:
            ProbeError: a user's own test ran before in this process, or its network is replaced.
        """
        if self.config.stash[STAGE_SESSION].own_began:
            raise ProbeError(
                "a test of the project's own ran before this check in the same process, so that its fixtures "
                "may act on it; look at what orders or distributes the tests"
            )
        need_a_network()
        given = values(self, self.stash[PLANNED])
        self.function(**{name: given[name]() for name in inspect.signature(self.function).parameters})

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the function is."""
        return self.path, self.function.__code__.co_firstlineno - 1, self.name


def checks(session: pytest.Session, stage_session: StageSession) -> list[pytest.Item]:
    """The checks of the plan, in its order, without what typed options leave out.

    Raises:
        ConfigurationError: a file of the runbook cannot be imported.
    """
    stage, planned = stage_session.setup.stage, stage_session.setup.plan.checks
    made: list[pytest.Item] = []
    for file in dict.fromkeys(each.file for each in planned):
        nodeid = f"validation/{stage}/{file.name}"  # the same wherever rampgate is installed
        parent, module = CheckFile.from_parent(session, path=file, nodeid=nodeid), _imported(file)
        mine = [
            _check(parent, getattr(module, each.function), stage, each)
            for each in planned
            if each.file == file
        ]
        report = pytest.CollectReport(parent.nodeid, "passed", None, [*mine])
        session.config.hook.pytest_collectreport(report=report)
        made += mine
    if stage_session.typed is not None:
        made = [check for check in made if any(_meant(check, each) for each in stage_session.typed)]
    manager = session.config.pluginmanager
    others = [each for each in manager.get_plugins() if _package(each) != "_pytest"]
    hook = manager.subset_hook_caller("pytest_collection_modifyitems", others)
    hook(session=session, config=session.config, items=made)
    return made


def typed(config: pytest.Config) -> list[str] | None:
    """The paths that were typed, None when none was; pytest collects all of them but those of the runbook."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        # In a path pytest takes a bracket for the beginning of a parameter; the way from here may have none.
        config.args[:] = [os.path.relpath(path) if "[" in path else path for path in config.args]
        return None
    every, folder = [str(each) for each in config.args], plan.validation_folder().resolve()
    config.args[:] = [each for each in every if folder not in (_path(each), *_path(each).parents)]
    return every


def isolate(config: pytest.Config, parser: pytest.Parser) -> None:
    """From here on, call no hook of the user's project, or of another plugin, for a check of the gate's.

    Nor does an option count that selects tests and was not typed, but stands in the project's ``addopts``,
    or one that lets an xdist worker run a user's own tests before the gate's checks.
    """

    def before(_name: str, implementations: Any, values: Any) -> None:
        if any(isinstance(value, Check) for value in values.values()):
            implementations[:] = [each for each in implementations if _trusted(each.plugin)]

    config.add_cleanup(config.pluginmanager.add_hookcall_monitoring(before, lambda *_: None))
    if getattr(config.option, "dist", "no") != "no":
        config.option.dist = "load"  # in the order of the tests: each worker runs the gate's checks first
    typed = parser.parse_known_args([str(each) for each in config.invocation_params.args])
    for name in _SELECTS:
        if hasattr(config.option, name):
            setattr(config.option, name, getattr(typed, name))
    # --lf leaves out whole files before anything is collected; unregistered, it still picks tests later.
    if wrapper := config.pluginmanager.get_plugin("lfplugin-collwrapper"):
        config.pluginmanager.unregister(wrapper)


def _check(
    parent: CheckFile, function: Callable[..., None], stage: str, planned: plan.Planned
) -> pytest.Item:
    name = f"{planned.function}[{planned.key}]" if planned.key else planned.function
    check = Check.from_parent(parent, name=name, planned=planned, function=function)
    for mark in (stage, *(each.name for each in getattr(function, "pytestmark", ()) if each.name == ALONE)):
        check.add_marker(mark)
    return check


def _imported(file: Path) -> ModuleType:
    """A file of the runbook, under a name that no module of a user's has."""
    spec = importlib.util.spec_from_file_location(f"_rampgate_{file.parent.name}_{file.stem}", file)
    try:
        module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]  # there is one for a .py file
        spec.loader.exec_module(module)  # type: ignore[union-attr]  # the same
    except Exception as error:
        raise ConfigurationError(f"{file}: cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _meant(check: pytest.Item, typed: str) -> bool:
    where, name = _path(typed), typed.partition("::")[2]
    named = not name or name in {check.name, check.name.partition("[")[0]}
    return named and (where == check.path.resolve() or where in check.path.resolve().parents)


def _path(typed: str) -> Path:
    return Path(typed.partition("::")[0]).resolve()


def _package(plugin: object) -> str:
    return _module(plugin).partition(".")[0]


def _module(plugin: object) -> str:
    """The module of a plugin, which is one or an instance of a class in it."""
    return str(getattr(plugin, "__name__", None) or type(plugin).__module__)


def _trusted(plugin: object) -> bool:
    return _package(plugin) in _TRUSTED and _module(plugin) not in _ACTS_BY_SETTING
