"""Finds the checks and the sources of metrics: every module of their folders, or a clear error."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rampgate.checks.frame.check import Check
from rampgate.errors import ConfigurationError
from rampgate.model import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rampgate.checks.frame.source import Source

T = TypeVar("T")
_CHECKS = "rampgate.checks"


@cache
def checks() -> tuple[Check, ...]:
    """Every check of checks/, its metrics known to thresholds from now on.

    Raises:
        ConfigurationError: a file cannot be imported, or defines no check, or a metric that another has:
            the plan would be smaller without it.
    """
    found = tuple(_defined(_CHECKS, "CHECK", Check))
    once("subject", [check.subject for check in found])
    once("table", [table for check in found for table in check.fields])
    for check in found:
        try:
            metrics.add(check.metrics)
        except ValueError as error:
            raise ConfigurationError(f"{_CHECKS}, {check.table}: {error}") from None
    return found


@cache
def sources() -> dict[str, Source]:
    """Every source of checks/sources/ by its name.

    Raises:
        ConfigurationError: a file cannot be imported, or defines no source.
    """
    from rampgate.checks.frame.source import Source  # pydantic waits until a stage is named

    found = _defined(f"{_CHECKS}.sources", "SOURCE", Source)
    once("source", [source.name for source in found])
    return {source.name: source for source in found}


def once(what: str, names: Sequence[str]) -> None:
    """Refuse a name that two files define: the one would stand in the other's place."""
    if twice := sorted({name for name in names if not name or names.count(name) > 1}):
        raise ConfigurationError(f"{_CHECKS}: the {what} {twice[0]!r} is defined twice, or has no name")


def check_of(metric: str) -> Check | None:
    """The check that measures a metric, None where no file of checks/ does."""
    return next((check for check in checks() if metric in {own.name for own in check.metrics}), None)


def _defined(package: str, constant: str, kind: type[T]) -> list[T]:
    """The constant of each module in a package.

    Raises:
        ConfigurationError: all problems at once.
    """
    found: list[T] = []
    problems: list[str] = []
    folder = Path(next(iter(importlib.import_module(package).__path__)))
    for info in pkgutil.iter_modules([str(folder)], f"{package}."):
        if info.ispkg:
            continue
        file = folder / f"{info.name.rpartition('.')[2]}.py"
        try:
            value = getattr(importlib.import_module(info.name), constant, None)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # the file's checks would be left out
            problems.append(f"{file}: cannot be imported: {type(error).__name__}: {error}")
            continue
        if isinstance(value, kind):
            found.append(value)
        else:
            problems.append(f"{file}: defines no {constant}; accepted is {constant} = {kind.__name__}(…)")
    if problems:
        raise ConfigurationError(problems)
    return found
