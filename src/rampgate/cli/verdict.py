"""The commands that judge evidence: verdict and rejudge."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from rampgate.cli.base import REPORTS, exits
from rampgate.errors import ConfigurationError
from rampgate.model.text import clean, json_without_commands

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.judging.results import Verdict
    from rampgate.outcome import Decision


@click.command()
@click.argument("run", required=False)
@REPORTS
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
@click.option(
    "--release", type=click.Choice(["current"]), help="Judge the stages of the newest run's release."
)
@click.option(
    "--require", metavar="STAGES", help="Of the release: which stages, such as predeploy,immediate,load."
)
@click.option("--environment", metavar="NAME", help="Of the release: where, if not where the newest run was.")
@click.option(
    "--max-age", metavar="TIME", help="Of the newest stage's end; the others may be 4 times as old. [1h]"
)
@click.option("--demo", is_flag=True, help="Let rehearsals count, and overrides and waivers.")
@exits
def verdict(run: str | None, reports: Path, *, as_json: bool, **release: Any) -> int:
    r"""Show the verdict of RUN (an id or a folder; default: the latest) and exit with its code.

    An override of the run, and waivers, count until they expire; never for --require, but with --demo.

    \b
    Examples:
      rampgate verdict
      rampgate verdict 20261124T073502Z-3a51 --json
      rampgate verdict --release current --require predeploy,immediate,load
    """
    if release["release"]:
        from rampgate.cli.release import judge_release

        return judge_release(run, reports, release, as_json=as_json)
    if given := [name for name in ("require", "environment", "max_age", "demo") if release[name]]:
        raise ConfigurationError(f"--{given[0].replace('_', '-')}: found without --release current")
    from rampgate.clock import SystemClock
    from rampgate.evidence import journal
    from rampgate.evidence.verdicts import judge
    from rampgate.judging.standing import standing
    from rampgate.judging.verdict import dumps

    folder = journal.find_run(reports, run)
    decided = judge(folder)
    now = standing(decided, SystemClock().now())
    if as_json:
        click.echo(json_without_commands(dumps(decided, **now.to_json())), nl=False)
    else:
        _show(decided, folder)
    _summary(decided, now.decision)
    return now.decision.exit_code


@click.command()
@click.argument("run", required=False)
@REPORTS
@exits
def rejudge(run: str | None, reports: Path) -> int:
    r"""Judge the evidence of RUN again, offline, and say whether verdict.json is the same to the byte.

    It exits by what was measured, whatever overrules that for now: rampgate verdict goes by both.

    \b
    Examples:
      rampgate rejudge                       the latest run
      rampgate rejudge reports/20261124T073502Z-3a51
    """
    from rampgate.evidence import journal
    from rampgate.evidence.verdicts import FILE_NAME, conclude
    from rampgate.report import write_all

    folder = journal.find_run(reports, run)
    kept = folder / FILE_NAME
    before = kept.read_bytes() if kept.is_file() else None
    decided = conclude(folder)
    write_all(decided, folder)
    _show(decided, folder)
    if before is None:
        click.echo("rejudge: there was no verdict.json (the run was cut short); it is written now")
    elif before == kept.read_bytes():
        click.echo("rejudge: the same verdict, byte for byte")
    else:
        click.echo("rejudge: verdict.json was different and has been written anew")
    return decided.decision.exit_code


def _show(decided: Verdict, folder: Path) -> None:
    from rampgate.evidence.lock import running
    from rampgate.report import table

    if not decided.complete and (owner := running(decided.run)):
        click.echo(f"still running: {clean(owner)}; this is what it has measured so far")
    table.render(decided, table.console(), folder=folder)


def _summary(decided: Verdict, counts: Decision) -> None:
    """In GitHub's CI, add annotations, the job's summary and the step's outputs: what counts now."""
    from rampgate.report import github, markdown

    if github.runs_us(os.environ):
        for line in markdown.annotations(decided):
            click.echo(line)
        github.publish(markdown.dumps(decided), counts, decided.run, os.environ)
