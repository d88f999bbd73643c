"""Floor 7. The commands that prepare: doctor and init."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rampgate.cli.told import told
from rampgate.errors import ExitCode

if TYPE_CHECKING:
    from rampgate.doctor import Finding


@click.command()
@click.option("--fix", is_flag=True, help="Install Chromium, node, Lighthouse; as root Prometheus too.")
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings file.")
@told
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
    bad = [finding for finding in map(_found, examination.examine(config)) if finding.lacking]
    click.echo(
        f"{len(bad)} missing of what the settings need"
        if bad
        else "everything that the settings need is here"
    )
    wrong_settings = any(finding.name == "settings" for finding in bad)
    return ExitCode.USAGE if wrong_settings else ExitCode.HOLD if bad else ExitCode.PROMOTE


def _found(finding: Finding) -> Finding:
    """Print one finding of the doctor's."""
    mark, colour = (
        ("ok", "green") if finding.good else ("MISSING", "red") if finding.lacking else ("not now", "yellow")
    )
    first, *more = finding.says.splitlines() or [""]
    click.echo(f"{click.style(f'{mark:>7}', fg=colour)}  {finding.name:<14} {first}")
    for line in more:
        click.echo(f"{'':>25}{line}")
    if not finding.good and finding.mend:
        click.echo(f"{'':>25}{'mend: ' if finding.lacking else ''}{finding.mend}")
    return finding


@click.command()
@click.option("--api", metavar="URL", help="Where the API answers.")
@click.option("--web", metavar="URL", help="Where the web pages answer.")
@click.option("--name", default="deployment", show_default=True, help="What reports call it.")
@click.option("--health", metavar="PATH", default="/health", show_default=True)
@click.option("--endpoint", "endpoints", multiple=True, metavar="NAME=PATH[:JMESPATH]", help="Repeatable.")
@click.option("--page", "pages", multiple=True, metavar="PATH", help="Repeatable.")
@click.option("--login", metavar="PATH", help="Where an account signs in: a POST of e-mail and password.")
@click.option("--flag", "flags", multiple=True, metavar="NAME=PERCENT", help="Repeatable.")
@click.option("--flag-path", metavar="PATH", help="Where flags are read, with {flag} and {user}.")
@click.option("--expected-version", metavar="TEXT", help="The version that was deployed.")
@click.option("--mongodb", is_flag=True, help="Check MongoDB, at $MONGODB_URI.")
@click.option("--redis", is_flag=True, help="Check Redis, at $REDIS_URL.")
@click.option("--allow-load", is_flag=True, help="The service is yours: load may go there.")
@click.option("--no-probe", is_flag=True, help="Send the service no request.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@told
def init(**told: Any) -> int:
    r"""Write rampgate.toml and locustfile.py for a service of yours.

    It is probed once, with GET, for what you name; what it answers goes into the settings.

    \b
    Examples:
      rampgate init --api http://127.0.0.1:8080 --endpoint orders=/api/orders:items --page /
      rampgate init --api https://shop.example --login /api/login --flag new-checkout=25 --redis
    """
    from rampgate.init import command

    return command.run(told)
