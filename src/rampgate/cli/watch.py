"""The command that watches a rollout between its steps."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from typing import Any

import click

from rampgate.cli.base import exits


@click.command()
@click.option("--config", type=click.Path(dir_okay=False), help="Settings (default: rampgate.toml here).")
@click.option("--for", "lasting", metavar="TIME", default="30m", show_default=True, help="Observed time.")
@click.option(
    "--once", is_flag=True, help="One round, for cron or systemd; goes on where the last one ended."
)
@click.option("--on-critical", metavar="alert|rollback|COMMAND", help="In place of watch.on_critical.")
@click.option("--reports", help="The folder that runs are written to.")
@click.option("--demo", is_flag=True, help="Watch the reference deployment, started for it.")
@click.option("--demo-ready", metavar="FILE", help="Watch a reference deployment that is up.")
@click.option("--stack", type=click.Choice(["full"]), help="Of a demo: read Prometheus, which it has then.")
@exits
def watch(**options: Any) -> int:
    r"""Watch the metrics of [[metrics]] against the policy files, until the time is over or a rule decides.

    \b
    Examples:
      rampgate watch                         30 minutes
      rampgate watch --for 24h               a soak; Ctrl-C judges what was observed
      * * * * *  rampgate watch --once --for 24h      the same from cron: 10 until 24 h are observed
      rampgate watch --on-critical rollback     runs rampgate rollout rollback --emergency
      rampgate watch --on-critical "./roll-back.sh"   runs once, when a critical rule fires
      rampgate watch --demo --for 5m         the reference deployment, with visitors of its own
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, from the beginning
    from rampgate.checks.frame.table import seconds
    from rampgate.errors import ConfigurationError
    from rampgate.watch import command

    try:
        lasting = seconds(options["lasting"])
    except ValueError as error:
        raise ConfigurationError(f"--for: found {options['lasting']!r}; {error}") from None
    if not lasting:
        raise ConfigurationError(f"--for: found {options['lasting']!r}; accepted is more than nothing")
    if options["stack"] and not (options["demo"] or options["demo_ready"]):
        raise ConfigurationError("--stack: found without a demo; accepted is it beside --demo")
    with ExitStack() as stack:
        settings, redactor, base, notes = command.settings_of(options, stack)
        origin = command.origin_of(options, settings)
        wanted = command.Options(lasting, options["once"], options["on_critical"], notes, origin)
        return command.run(settings, redactor, base, wanted)
