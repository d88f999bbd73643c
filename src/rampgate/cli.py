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

    from rampgate.doctor import Finding
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
        except BrokenPipeError:
            # Whoever read our lines has left (| head): no defect, and nothing that could promote.
            _nobody_reads()
            code = ExitCode.HOLD
        except Exception as error:  # noqa: BLE001  # a defect is told in one line and has its own exit code
            click.echo(f"rampgate: a defect of rampgate: {type(error).__name__}: {error}", err=True)
            code = ExitCode.INTERNAL
        except KeyboardInterrupt:
            click.echo("rampgate: interrupted", err=True)
            code = ExitCode.HOLD
        sys.exit(int(code))

    wrapped.__doc__ = _lines_kept(command.__doc__)
    return wrapped


def _nobody_reads() -> None:
    """Write to nowhere from now on, so that the interpreter's own last flush finds no broken pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _lines_kept(text: str | None) -> str:
    r"""A docstring with click's mark of lines that stay as they are; a raw one holds but its name."""
    return (text or "").replace(r"\b", "\b")


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
      rampgate init --api URL      write settings for a service of yours
      rampgate load                ramp users onto it; the exit code is the verdict's
    """


main.help = _lines_kept(main.help)


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


@main.command()
@click.option("--config", type=click.Path(dir_okay=False), help="Settings (default: rampgate.toml here).")
@click.option("-f", "--locustfile", type=click.Path(path_type=Path, exists=True), help="One of your own.")
@click.option("--host", help="Another address than target.api.")
@click.option("--users", type=click.IntRange(1), help="How many users, in place of [load] users.")
@click.option("--duration", metavar="TIME", help="A flat profile: all users for so long (10m).")
@click.option("--rate", type=float, help="Visits per second, whoever is still waiting; with --duration.")
@click.option("--time-scale", type=float, help="20: twenty times faster, a rehearsal.")
@click.option("--abort", type=click.Choice(["on", "trial", "off"]), help="End early when surely missed.")
@click.option("--processes", type=int, help="Generating processes; -1: one per core.")
@click.option("--wait", is_flag=True, help="Wait for a run that measures the same target.")
@click.option("--web", is_flag=True, help="Locust's web page on 127.0.0.1, in place of a run at once.")
@click.argument("locust_args", nargs=-1, type=click.UNPROCESSED)
@told
def load(locust_args: tuple[str, ...], **told: Any) -> int:
    r"""Ramp users onto the target as [load] says. The exit code is the verdict's.

    \b
    Examples:
      rampgate load                                  the ramp of [load]
      rampgate load --time-scale 20                  a rehearsal: twenty times faster
      rampgate load --duration 10m --users 50        a flat profile
      rampgate load --duration 10m --rate 40         40 visits a second, however slow the answers
      rampgate load --web                            the same from Locust's web page, with its Gate tab
      rampgate load --processes 2 -- --loglevel WARNING      what follows -- goes to Locust
      RAMPGATE_RUN=release-42 rampgate load          joins that run: one verdict
    """
    from rampgate.load.launch import command

    faces = [] if told["web"] else ["--headless", "--only-summary"]
    named = {"config": "rampgate-config"}
    given = [
        f"--{named.get(name, name.replace('_', '-'))}={value}"
        for name, value in told.items()
        if value is not None and name not in {"web", "wait", "locustfile"}
    ]
    wait = ["--wait"] if told["wait"] else []
    started = command(*faces, *given, *wait, *locust_args, file=told["locustfile"])
    sys.stdout.flush()
    # Locust takes our place, so that signals, the terminal and the exit code are its own.
    os.execv(started[0], started)  # noqa: S606  # without a shell, on purpose


@main.command()
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
@click.option("--no-look", is_flag=True, help="Do not ask the service anything.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@told
def init(**told: Any) -> int:
    r"""Write rampgate.toml and locustfile.py for a service of yours.

    It is asked once, with GET, for what you name. On a terminal without options you are asked instead.

    \b
    Examples:
      rampgate init
      rampgate init --api http://127.0.0.1:8080 --endpoint orders=/api/orders:items --page /
      rampgate init --api https://shop.example --login /api/login --flag new-checkout=25 --redis
    """
    from rampgate.init import command

    return command.run(told)


def _show(decided: Verdict, folder: Path) -> None:
    from rampgate.report import table

    try:
        table.render(decided, table.console(), folder=folder)
    except (BrokenPipeError, SystemExit):  # rich leaves when nobody reads; the exit code is still due
        _nobody_reads()


def _summary(decided: Verdict) -> None:
    """In GitHub's CI, add the job summary and the annotations."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from rampgate.report import markdown

        for line in markdown.annotations(decided):
            click.echo(line)
        markdown.github_summary(decided, os.environ)
