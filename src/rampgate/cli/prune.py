"""The command that removes old runs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rampgate.cli.base import exits
from rampgate.model.text import clean

if TYPE_CHECKING:
    from rampgate.config.settings import Settings
    from rampgate.evidence.prune import Pruning

_DAY_S = 86_400.0


@click.command()
@click.option("--keep", metavar="TIME", help="Of the end of a run, such as 90d or 12h. [retention, or 90d]")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--config", type=click.Path(dir_okay=False), help="Settings (default: rampgate.toml here).")
@click.option("--reports", type=click.Path(path_type=Path), help="The folder of runs, if not theirs.")
@exits
def prune(keep: str | None, *, dry_run: bool, config: str | None, reports: Path | None) -> int:
    r"""Remove the runs that ended longer ago than --keep (default: retention of production-monitoring.yml).

    The latest run stays, and so do those that go on, the newest of each stage of the release that an
    environment has now, and those that baselines come from. A folder that is no run is left alone.

    \b
    Examples:
      rampgate prune --dry-run
      rampgate prune --keep 30d
    """
    from rampgate.clock import SystemClock
    from rampgate.config import locate
    from rampgate.config.loading import load
    from rampgate.errors import ConfigurationError, ExitCode
    from rampgate.evidence.prune import plan
    from rampgate.evidence.visual_baselines import VisualBaselines

    path = locate.settings_file("--config", config, os.environ)
    settings, _ = load(path)
    seconds = _seconds(keep) if keep else _retention(settings, path.parent if path else Path())
    if seconds <= 0:
        raise ConfigurationError(f"--keep: found {keep!r}; accepted is more than 0, such as 90d or 12h")
    visual = VisualBaselines(settings.visual.folder).runs() if settings.visual else set()
    in_use = dict.fromkeys(visual, "pictures of it are accepted")
    now = SystemClock().now()
    found = plan(reports or settings.reports, now - seconds, in_use)
    _remove(found, now, dry_run=dry_run)
    return ExitCode.PROMOTE


def _remove(found: Pruning, now: float, *, dry_run: bool) -> None:
    """Remove what may go, and say what became of what."""
    from rampgate.evidence.prune import remove

    for folder, why in found.kept:
        click.echo(clean(f"kept {folder.name}: {why}"))
    how = "would remove" if dry_run else "removed"
    for folder, ended in found.old:
        if not dry_run:
            remove(folder)
        day, age = time.strftime("%Y-%m-%d", time.gmtime(ended)), (now - ended) / _DAY_S
        click.echo(clean(f"{how} {folder.name}: ended {day}, {age:,.0f} days ago"))
    done = "would be removed" if dry_run else "removed"
    click.echo(f"{len(found.old)} {done}, {len(found.kept)} old ones kept, {found.young} are younger")


def _seconds(text: str) -> float:
    from rampgate.config.policy_files import retention
    from rampgate.errors import ConfigurationError

    try:
        return retention(text)
    except ValueError as error:
        raise ConfigurationError(f"--keep: found {text!r}; {error}, or days such as 90d") from None


def _retention(settings: Settings, base: Path) -> float:
    """How long runs are kept by the policy files.

    Raises:
        ConfigurationError: every problem of theirs.
    """
    from rampgate.config import policy_files
    from rampgate.errors import ConfigurationError

    problems: list[str] = []
    files = policy_files.read(policy_files.paths(settings.policy, base), problems)
    if problems:
        raise ConfigurationError(problems)
    return files.monitoring.web_vitals.retention
