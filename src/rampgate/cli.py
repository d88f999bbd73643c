"""Floor 7. The command line. What a command needs is imported where it runs, so that --help stays fast."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rampgate import __version__
from rampgate.errors import ExitCode, RampgateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.judging.verdict import Verdict

REPORTS = click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="The folder that runs are written to.",
)


def told(command: Callable[..., int]) -> Callable[..., None]:
    """Turn what a command returns into the exit code, and what went wrong into one clear line each."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except RampgateError as error:
            for line in str(error).splitlines():
                click.echo(f"rampgate: {line}", err=True)
            code = error.exit_code
        except Exception as error:  # noqa: BLE001  # a defect is told in one line and has its own exit code
            click.echo(f"rampgate: a defect of rampgate: {type(error).__name__}: {error}", err=True)
            code = ExitCode.INTERNAL
        except KeyboardInterrupt:
            click.echo("rampgate: interrupted", err=True)
            code = ExitCode.HOLD
        sys.exit(int(code))

    return wrapped


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 promote, 10 hold, 20 roll back, 2 usage or settings, 70 a defect of rampgate.",
)
@click.version_option(__version__, prog_name="rampgate")
def main() -> None:
    r"""Promote, hold or roll back? A gate that decides from evidence.

    \b
    Examples:
      pytest -m immediate          check a deployment, minutes after a deploy
      rampgate verdict             show the latest verdict again; its exit code gates a pipeline
      rampgate rejudge RUN         judge old evidence again: the same journal, the same verdict
      rampgate doctor --fix        see what is missing on this machine, and install the browser tools
      rampgate demo                the whole story on a reference deployment of our own
    """


@main.command()
@click.argument("run", required=False)
@REPORTS
@click.option("--json", "as_json", is_flag=True, help="Print verdict.json instead of the table.")
@told
def verdict(run: str | None, reports: Path, *, as_json: bool) -> int:
    r"""Show the verdict of RUN (an id or a folder; default: the latest) and exit with its code.

    \b
    Examples:
      rampgate verdict
      rampgate verdict 20261124T073502Z-3a51 --json
    """
    from rampgate.judging.verdict import decide, dumps
    from rampgate.runs import journal

    folder = journal.find_run(reports, run)
    decided = decide(*journal.read(folder))
    if as_json:
        click.echo(dumps(decided), nl=False)
    else:
        _show(decided, folder)
    _summary(decided)
    return decided.decision.exit_code


@main.command()
@click.argument("run", required=False)
@REPORTS
@told
def rejudge(run: str | None, reports: Path) -> int:
    r"""Judge the evidence of RUN again, offline, and say whether verdict.json is the same to the byte.

    \b
    Examples:
      rampgate rejudge                       the latest run
      rampgate rejudge reports/20261124T073502Z-3a51
    """
    from rampgate.report import write_all
    from rampgate.runs import journal

    folder = journal.find_run(reports, run)
    kept = folder / "verdict.json"
    before = kept.read_bytes() if kept.is_file() else None
    decided = write_all(folder)
    _show(decided, folder)
    if before is None:
        click.echo("rejudge: there was no verdict.json (the run was cut short); it is written now")
    elif before == kept.read_bytes():
        click.echo("rejudge: the same verdict, byte for byte")
    else:
        click.echo("rejudge: verdict.json was different and has been written anew")
    return decided.decision.exit_code


@main.command()
@click.option("--fix", is_flag=True, help="Install what is missing of Chromium, node and Lighthouse.")
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
    bad = 0
    for finding in examination.examine(config):
        lacking = not finding.good and finding.needed
        bad += lacking
        mark, colour = (
            ("ok", "green") if finding.good else ("MISSING", "red") if lacking else ("no", "yellow")
        )
        click.echo(f"{click.style(f'{mark:>7}', fg=colour)}  {finding.name:<14} {finding.says}")
        if not finding.good and finding.mend:
            click.echo(f"{'':>24} mend: {finding.mend}")
    click.echo(
        f"{bad} missing of what the settings need" if bad else "everything that the settings need is here"
    )
    return ExitCode.HOLD if bad else ExitCode.PROMOTE


@main.command()
@click.option("--load/--no-load", default=True, show_default=True, help="Follow the checks with a load ramp.")
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
@told
def demo(pytest_args: tuple[str, ...], *, load: bool) -> int:
    r"""Bring up the reference deployment, check it, ramp load onto it, and print the verdict.

    \b
    Examples:
      rampgate demo
      rampgate demo --no-load -- -n 2        what follows -- goes to pytest
    """
    from rampgate.story import tell

    return tell(pytest_args, load=load, echo=click.echo)


def _show(decided: Verdict, folder: Path) -> None:
    from rampgate.report import table

    table.render(decided, table.console(), folder=folder)


def _summary(decided: Verdict) -> None:
    """In GitHub's CI, add the job summary and the annotations."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from rampgate.report import markdown

        for line in markdown.annotations(decided):
            click.echo(line)
        markdown.github_summary(decided, os.environ)
