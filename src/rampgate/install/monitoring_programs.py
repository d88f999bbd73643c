"""Prometheus and Alertmanager as programs: whether they are here, and installing them on Debian.

Only the full stack of the demo starts them; a deployment's own monitoring is asked over HTTP.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rampgate.install.steps import Installer, Step, StepError
from rampgate.io import process
from rampgate.io.browser_tools import Found, Missing, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rampgate.install.steps import Execute

PACKAGES = ("prometheus", "prometheus-alertmanager")
MEND = f"apt-get install {' '.join(PACKAGES)}"
PURPOSE = "for the demo's full stack"
_PROGRAMS = {"prometheus": ("prometheus",), "alertmanager": ("prometheus-alertmanager", "alertmanager")}
_POLICY = Path("/usr/sbin/policy-rc.d")
_KEPT = "policy-rc.d.kept-by-rampgate"
_NO_STARTS = (
    "#!/bin/sh\n# Of rampgate doctor --fix, as long as it installs: no service is started.\nexit 101\n"
)


def find_programs(environ: Mapping[str, str]) -> list[Found | Missing]:
    """Each program on PATH, found or missing."""
    return [_find(name, commands, environ) for name, commands in _PROGRAMS.items()]


def _find(name: str, commands: tuple[str, ...], environ: Mapping[str, str]) -> Found | Missing:
    for command in commands:
        path = shutil.which(command, path=environ.get("PATH", ""))
        if path and (version := version_of(Path(path), environ)):
            return Found(name, Path(path), version, "on PATH")
    return Missing(name, f"none on PATH that starts ({PURPOSE})", MEND)


def install_programs(
    echo: Callable[[str], None],
    environ: Mapping[str, str] = os.environ,
    run: Execute = process.run,
) -> list[Found | Missing]:
    """Install what is missing with apt where we are root, without starting a service; else say how.

    Args:
        echo: takes one line per step.
        environ: the environment.
        run: runs a program.

    Returns:
        The programs as they are now.
    """
    installer = Installer(environ, run, echo)
    missing = [each.name for each in find_programs(installer.environ) if isinstance(each, Missing)]
    if missing and installer.has_apt:
        installer.step(Step(f"{', '.join(missing)}: apt-get install", _apt))
    elif missing:
        echo(f"{', '.join(missing)}: not installed ({PURPOSE}); on Debian, as root: {MEND}")
    now = find_programs(installer.environ)
    for each in now:
        if isinstance(each, Found):
            echo(f"{each.name} {each.version}: {each.path} ({each.how})")
    return now


def _apt(installer: Installer) -> None:
    try:
        with _no_service_starts(_POLICY):
            installer.apt_install(*PACKAGES)
    except OSError as error:
        raise StepError(f"{error.filename}: {error.strerror}") from None


@contextmanager
def _no_service_starts(policy: Path) -> Iterator[None]:
    """Debian starts a service when it is installed, unless this file says no; it is left as it was before.

    Also when an installation died half-way: what that one kept is put back, what it left is no policy.
    """
    kept = policy.with_name(_KEPT)
    if kept.exists():
        kept.replace(policy)
    elif policy.exists() and policy.read_text(encoding="utf-8", errors="replace") == _NO_STARTS:
        policy.unlink()
    had_one = policy.exists()
    if had_one:
        policy.replace(kept)
    try:
        policy.write_text(_NO_STARTS, encoding="utf-8")
        policy.chmod(0o755)
        yield
    finally:
        if had_one:
            kept.replace(policy)
        else:
            policy.unlink(missing_ok=True)
