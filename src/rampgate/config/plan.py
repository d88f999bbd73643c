"""The plan of a stage: its checks whose subject the settings configure, fixed before any runs.

The checks are read from the runbook itself, ``validation/<stage>/test_*.py``, without importing it: a check
is a test function, and its subject is the fixture that it asks for. No selection of pytest's can make the
plan smaller.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.checks.frame.discovery import checks, once
from rampgate.config import rollback, soak
from rampgate.errors import ConfigurationError
from rampgate.shipped import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rampgate.checks.pages import PageSettings
    from rampgate.config.predeploy import MonitoringSettings, VisualSettings
    from rampgate.config.settings import Settings

STAGES = ("predeploy", "deploy", "immediate", "extended", "rollback")
"""The stages, each the name of a marker and of a folder of checks."""

STEPS = ("monitoring", "backend", "frontend", "advanced")
"""The steps of the deploy stage in their order, each the name of a file of checks."""

_MANY = (
    "service",
    "audit",
    "monitoring",
    "command",
    "visual",
    "baseline_endpoint",
    "baseline_audit",
    "backend_query",
    "frontend_console",
)


_TABLES = {"backup": "backups", "command": "commands", **rollback.TABLES}
"""Subject -> its table, where that has another name and the subject no file in checks/."""


def many() -> set[str]:
    """The subjects of which there may be several: a check is one check for each."""
    return {*_MANY, *(check.subject for check in checks() if check.several)}


@dataclass(frozen=True, slots=True)
class Planned:
    """One check of the plan.

    Args:
        check: its id.
        required: whether skipping it holds.
        subject: the fixture that stands for what it is about, "" when it is about nothing in particular.
        file: that holds its function, and
        function: the function's name.
        key: which of the subject's entries it is about, "" when there is one.
    """

    check: str
    required: bool = True
    subject: str = field(default="", compare=False)
    file: Path = field(default=Path(), compare=False)
    function: str = field(default="", compare=False)
    key: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """The checks of a stage, and the subjects that it could check but that are not configured."""

    checks: tuple[Planned, ...]
    not_configured: tuple[str, ...]

    @property
    def subjects(self) -> set[str]:
        """What the checks are about."""
        return {planned.subject for planned in self.checks}


class VisualPage(NamedTuple):
    """A page whose picture is compared; where nobody has accepted one yet, there is nothing to hold for."""

    page: PageSettings
    settings: VisualSettings
    required: bool = False


class MonitoringService(NamedTuple):
    """One service of [monitoring], by its key there."""

    name: str
    settings: MonitoringSettings


def validation_folder() -> Path:
    """Where the installed checks are: inside the wheel, or beside src/ in a clone."""
    return shipped("validation")


def subjects(settings: Settings) -> dict[str, dict[str, Any]]:
    """Fixture name -> id -> what is configured.

    A fixture with the single id "" stands for a subject that exists once; the others are one check each.
    """
    target = settings.target
    asked = any(endpoint.load for endpoint in settings.endpoints)

    # One address is one service, and one cause one failure.
    services = {"web": target.web if target.web != target.api else None, "api": target.api}
    built_in = {
        "service": {name: name for name, address in services.items() if address},
        "login": _once(settings.login if target.api or target.web else None),
        "audit": {page.name: page for page in settings.pages if page.lighthouse},
        "mongodb": _once(settings.mongodb),
        "redis": _once(settings.redis),
        "load": _once(settings.load if asked and (target.api or target.web) else None),
        **soak.subjects(settings),
        **_before(settings),
        **_steps(settings),
        **rollback.subjects(settings),
    }
    parted = [
        check.parted(settings.table(check.table) if target.api or target.web or not check.of_target else None)
        for check in checks()
    ]
    once("subject", [*built_in, *(subject for each in parted for subject in each)])
    return {subject: things for each in (built_in, *parted) for subject, things in each.items()}


def _before(settings: Settings) -> dict[str, dict[str, Any]]:
    """The subjects of the predeploy stage."""
    backups, monitoring = settings.backups, settings.monitoring
    baseline, visual = settings.baseline, settings.visual
    pages = {page.name: page for page in settings.pages}
    return {
        "monitoring": {
            name: MonitoringService(name, monitoring)
            for name in ("prometheus", "alertmanager", "grafana", "performance")
            if monitoring and getattr(monitoring, name)
        },
        "monitoring_jobs": _once(
            monitoring if monitoring and monitoring.prometheus and monitoring.jobs is not False else None
        ),
        "monitoring_rules": _once(monitoring if monitoring and monitoring.rules else None),
        "monitoring_metrics": _once(monitoring if monitoring and monitoring.metrics else None),
        "backup_mongodb": _once(backups if settings.mongodb else None),
        "backup_redis": _once(backups if settings.redis else None),
        "command": {command.name: command for command in settings.commands},
        "bundle": _once(settings.bundle),
        "visual": {name: VisualPage(pages[name], visual) for name in visual.pages} if visual else {},
        "baseline_endpoint": {
            endpoint.name: endpoint for endpoint in settings.endpoints if baseline and baseline.endpoints
        },
        "baseline_audit": {
            page.name: page for page in settings.pages if page.lighthouse and baseline and baseline.pages
        },
        "baseline_vitals": _once(baseline if baseline and baseline.vitals else None),
    }


def _steps(settings: Settings) -> dict[str, dict[str, Any]]:
    """The subjects of the four steps of the deploy stage."""
    monitoring, backend = settings.deploy.monitoring, settings.deploy.backend
    frontend, advanced = settings.deploy.frontend, settings.deploy.advanced
    pages = {page.name: page for page in settings.pages}
    return {
        "monitoring_flags": _once(monitoring if monitoring and monitoring.flags else None),
        "monitoring_visit": _once(monitoring if monitoring and monitoring.page else None),
        "backend_flags": _once(backend if backend and backend.flags else None),
        "backend_cache": _once(backend.cache if backend else None),
        "backend_query": {query.name: query for query in (backend.queries if backend else ())},
        "backend_paging": _once(backend.paging if backend else None),
        "frontend_flags": _once(frontend if frontend and frontend.flags else None),
        "frontend_theme": _once(frontend.theme if frontend else None),
        "frontend_bundle": _once(settings.bundle if frontend else None),
        "frontend_console": {name: pages[name] for name in (frontend.console if frontend else ())},
        "advanced_flags": _once(advanced if advanced and advanced.flags else None),
        "advanced_service_worker": _once(advanced if advanced and advanced.service_worker else None),
        "advanced_list": _once(advanced.list if advanced else None),
        "advanced_jobs": _once(advanced.jobs if advanced else None),
    }


def _once(thing: Any) -> dict[str, Any]:
    return {"": thing} if thing else {}


def make(stage: str, settings: Settings, folder: Path | None = None, steps: Sequence[str] = ()) -> Plan:
    """The plan of a stage.

    Args:
        stage: one of STAGES.
        settings: what is configured.
        folder: the validation folder; None means the installed one.
        steps: of the deploy stage: only their checks are due. A step is a file of checks.

    Raises:
        ConfigurationError: something is configured that no stage checks, or required that this one does not.
    """
    configured = subjects(settings)
    runbook = _runbook(folder or validation_folder(), configured)
    planned: list[Planned] = []
    missing: dict[str, None] = {}
    present: set[str] = set()
    for file, function, asked in runbook[stage]:
        name = check_name(file.name, function)
        things = configured[asked[0]] if asked else {"": None}
        if things:
            present.update(map(_table, asked))
        if steps and name.partition("::")[0] not in steps:
            continue
        if not things:
            missing[_table(asked[0])] = None
        for key, thing in things.items():
            check = f"{stage}/{name}[{key}]" if key else f"{stage}/{name}"
            required, subject = getattr(thing, "required", True), "".join(asked[:1])
            planned.append(Planned(check, required, subject, file, function, key))
    missing.update(dict.fromkeys(_required(stage, settings, runbook[stage])))
    return Plan(tuple(planned), tuple(table for table in missing if table not in present))


def _runbook(folder: Path, configured: Mapping[str, Any]) -> dict[str, list[tuple[Path, str, list[str]]]]:
    """Stage -> its checks, each with the subjects that it asks for; the first is what it is about."""
    runbook = {
        stage: [
            (file, function, [argument for argument in arguments if argument in configured])
            for file, function, arguments in _checks(folder / stage)
        ]
        for stage in STAGES
    }
    checked = {asked[0] for stage in runbook.values() for *_, asked in stage if asked}
    problems = [
        f"{folder}: has no check of {_table(subject)!r}, which rampgate.toml configures; accepted is a test "
        f"whose first argument is {subject}"
        for subject, things in configured.items()
        if things and subject not in checked
    ]
    if problems:
        raise ConfigurationError(problems)
    return runbook


def _required(stage: str, settings: Settings, checks: list[tuple[Path, str, list[str]]]) -> list[str]:
    """What the stage requires to be configured; what none of its checks is about is required in vain."""
    known = dict.fromkeys(_table(subject) for *_, asked in checks for subject in asked)
    required = settings.stage(stage).require
    for name in required:
        if name not in known:
            former = f"{name!r} is called {_table(name)!r} now"
            other = f"found {name!r}; accepted is what this stage checks: {', '.join(known) or 'nothing'}"
            raise ConfigurationError(f"stages.{stage}.require: {former if _table(name) in known else other}")
    return required


def _table(subject: str) -> str:
    """The table of rampgate.toml that configures a subject."""
    tables = {check.subject: check.table for check in checks()}
    name = subject.partition("_")[0]
    return tables.get(subject) or _TABLES.get(subject) or _TABLES.get(name, name)


def check_name(file: str, function: str) -> str:
    """``latency::endpoint_is_fast`` for test_endpoint_is_fast in test_5_latency.py, the runbook's step 5."""
    return f"{re.sub(r'^test_([0-9]+_)?', '', Path(file).stem)}::{function.removeprefix('test_')}"


def _checks(folder: Path) -> Iterator[tuple[Path, str, list[str]]]:
    for file in sorted(folder.glob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield file, node.name, [argument.arg for argument in node.args.args]


def to_json(plan: Plan) -> Mapping[str, Any]:
    """The plan as a journal's header carries it."""
    return {
        "plan": [{"check": planned.check, "required": planned.required} for planned in plan.checks],
        "not_configured": list(plan.not_configured),
    }
