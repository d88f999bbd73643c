"""The command that answers controllers over HTTP."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rampgate.cli.base import exits
from rampgate.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from rampgate.config.settings import Settings
    from rampgate.model.redact import Redactor
    from rampgate.serve.current import Asked

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


@click.command()
@click.option("--api", is_flag=True, help="The verdict as JSON, and metrics: all that is served.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8710, show_default=True, help="0: any free one."
)
@click.option("--allow-host", multiple=True, metavar="NAME", help="A name that it is asked for by.")
@click.option("--release", type=click.Choice(["current"]), help="Judge the newest run's release.")
@click.option("--require", metavar="STAGES", help="Of the release; default: those of the latest run.")
@click.option("--environment", metavar="NAME", help="Of the release, if not where the newest run was.")
@click.option("--max-age", metavar="TIME", help="Of the newest stage's end. [1h]")
@click.option("--config", type=click.Path(dir_okay=False), help="Settings (default: rampgate.toml here).")
@click.option("--reports", help="The folder of runs.")
@exits
def serve(**options: Any) -> int:
    r"""Answer controllers over HTTP with what `rampgate verdict` says. It only reads.

    \b
    /api/verdict   200 in any case; .result is promote, hold or rollback
    /gate          200 to promote, else 409
    /rollback      200 to roll back, else 409
    /metrics       for Prometheus
    Add ?version=1.4.0 so that no verdict about another version counts; docs/pipelines.md.

    \b
    Examples:
      rampgate serve --api
      rampgate serve --api --release current --require predeploy,immediate,load
      rampgate serve --api --host 0.0.0.0 --allow-host rampgate.clinic.svc
      curl -f "localhost:8710/gate?version=1.4.0"
    """
    asked, settings, redactor = _read(options)
    try:
        from rampgate.serve import server
        from rampgate.serve.app import Service
    except ImportError as error:
        raise ConfigurationError(f"{error.name}: not installed; run: pip install 'rampgate[serve]'") from None
    app = Service(asked, settings, redactor).app(options["allow_host"])
    listening = server.bound(options["host"], options["port"])
    host, port = listening.getsockname()[:2]
    where = f"[{host}]" if ":" in host else host
    stages = ", ".join(asked.required) or "the latest run"
    click.echo(f"rampgate: http://{where}:{port}/api/verdict answers for {stages}; Ctrl-C ends it")
    server.run(app, listening)
    return ExitCode.PROMOTE


def _read(options: dict[str, Any]) -> tuple[Asked, Settings, Redactor]:
    """What was asked for, and the settings."""
    from rampgate.cli.release import checked
    from rampgate.config import locate
    from rampgate.config.loading import load
    from rampgate.io import logs
    from rampgate.judging.release import MAX_AGE_S
    from rampgate.serve.current import Asked

    problems = [] if options["api"] else ["--api: missing; accepted is it: there is nothing else to serve"]
    problems += [
        f"--allow-host: found {name!r}; accepted is a name without scheme and port"
        for name in options["allow_host"]
        if not _NAME.fullmatch(name)
    ]
    problems += [
        f"--{name.replace('_', '-')}: found without --release current"
        for name in ("require", "environment", "max_age")
        if options[name] and not options["release"]
    ]
    if problems:
        raise ConfigurationError(problems)
    stages, max_age = checked(None, options) if options["release"] else ([], MAX_AGE_S)
    given = {"reports": options["reports"]} if options["reports"] else {}
    path = locate.settings_file("--config", options["config"], os.environ)
    settings, redactor = load(path, overrides=given)
    logs.masked(redactor)
    reports = Path(settings.reports)
    return Asked(reports, tuple(stages), options["environment"], max_age), settings, redactor
