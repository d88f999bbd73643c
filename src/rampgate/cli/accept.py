"""The command that accepts how pages look, as the baselines of visual regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rampgate.cli.base import REPORTS, exits

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("run")
@click.option("--page", "pages", multiple=True, metavar="NAME", help="Only this page; may be repeated.")
@click.option("--by", required=True, metavar="NAME", help="Who has looked at the pictures and accepts them.")
@REPORTS
@exits
def accept(run: str, pages: tuple[str, ...], by: str, reports: Path) -> int:
    r"""Accept how the pages of RUN look: later runs are compared with that.

    They are copied to the folder that visual.folder named in that run, seen from where you are now.

    \b
    Examples:
      rampgate accept latest --by "Ada Lovelace"
      rampgate accept 20261124T073502Z-3a51 --page dashboard --by ada
    """
    from rampgate.clock import SystemClock
    from rampgate.errors import ConfigurationError, ExitCode
    from rampgate.evidence import journal
    from rampgate.evidence.visual_baselines import accept_run

    if not by.strip():
        raise ConfigurationError("--by: found nothing; accepted is the name of who accepts")
    folder = journal.find_run(reports, run)
    for path in accept_run(folder, pages, by=by.strip(), now=SystemClock().now()):
        click.echo(f"accepted: {path}")
    return ExitCode.PROMOTE
