"""The command that finds what is missing on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rampgate.cli.base import exits
from rampgate.errors import ExitCode
from rampgate.model.text import clean

if TYPE_CHECKING:
    from rampgate.doctor import Finding


@click.command()
@click.option("--fix", is_flag=True, help="Install Chromium, node, Lighthouse; as root Prometheus too.")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings file.")
@exits
def doctor(config: Path | None, *, fix: bool) -> int:
    r"""Check each prerequisite, and say how to mend what is missing.

    \b
    Examples:
      rampgate doctor
      rampgate doctor --fix
    """
    from rampgate import doctor as examination

    if fix:
        examination.fix(click.echo)
    found = list(map(_print, examination.examine(config)))
    bad = [finding for finding in found if finding.lacking]
    click.echo(
        f"{len(bad)} missing of what the settings need"
        if bad
        else "everything that the settings need is installed here"
    )
    for service in (finding for finding in found if finding.name in {"web", "api"} and not finding.good):
        click.echo(f"but a stage that is run now fails: {service.name}: {service.says}")
    wrong_settings = any(finding.name == "settings" for finding in bad)
    return ExitCode.USAGE if wrong_settings else ExitCode.HOLD if bad else ExitCode.PROMOTE


def _print(finding: Finding) -> Finding:
    mark, colour = (
        ("ok", "green") if finding.good else ("MISSING", "red") if finding.lacking else ("not now", "yellow")
    )
    first, *more = clean(finding.says, lines=True).splitlines() or [""]
    click.echo(f"{click.style(f'{mark:>7}', fg=colour)}  {finding.name:<14} {first}")
    for line in more:
        click.echo(f"{'':>25}{line}")
    if not finding.good and finding.mend:
        click.echo(f"{'':>25}{'mend: ' if finding.lacking else ''}{finding.mend}")
    return finding
