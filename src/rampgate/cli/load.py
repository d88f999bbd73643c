"""The command that ramps load onto the target."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from rampgate.cli.base import exits


class _Recorded(click.Command):
    """What cannot be read is the latest run too, and holds: no older verdict is shown in its place."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed = list(args)
        try:
            rest = super().parse_args(ctx, args)
            self._refuse_a_word(ctx)
        except click.UsageError as error:
            from rampgate.load.unread import record

            record(typed, "--config", f"rampgate load: {error.format_message()}")
            raise
        return rest

    @staticmethod
    def _refuse_a_word(ctx: click.Context) -> None:
        """Refuse a word that the installed load test has no use for; users of one's own have names."""
        first = next(iter(ctx.params["locust_args"]), "-")
        if not first.startswith("-") and not ctx.params["locustfile"]:
            raise click.UsageError(f"Got unexpected extra argument ({first})", ctx)


@click.command(cls=_Recorded)
@click.option("--config", type=click.Path(dir_okay=False), help="Settings (default: rampgate.toml here).")
@click.option("-f", "--locustfile", type=click.Path(path_type=Path, exists=True), help="One of your own.")
@click.option("--host", help="Another address than target.api.")
@click.option("--users", type=click.IntRange(1), help="How many users, in place of [load] users.")
@click.option("--duration", metavar="TIME", help="A flat profile: all users for so long (10m).")
@click.option("--rate", type=float, help="Visits per second, whoever is still waiting; with --duration.")
@click.option("--time-scale", type=float, help="20: twenty times faster, a rehearsal.")
@click.option("--abort", type=click.Choice(["on", "report", "off"]), help="End early when surely missed.")
@click.option("--processes", type=int, help="Generating processes; -1: one per core.")
@click.option("--wait", is_flag=True, help="Wait for a run that measures the same target.")
@click.option("--web", is_flag=True, help="Locust's web page on 127.0.0.1, in place of a run at once.")
@click.argument("locust_args", nargs=-1, type=click.UNPROCESSED)
@exits
def load(locust_args: tuple[str, ...], **options: Any) -> int:
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

    headless = [] if options["web"] else ["--headless", "--only-summary"]
    named = {"config": "rampgate-config"}
    arguments = [
        f"--{named.get(name, name.replace('_', '-'))}={value}"
        for name, value in options.items()
        if value is not None and name not in {"web", "wait", "locustfile"}
    ]
    wait = ["--wait"] if options["wait"] else []
    started = command(*headless, *arguments, *wait, *locust_args, file=options["locustfile"])
    sys.stdout.flush()
    # Locust takes our place, so that signals, the terminal and the exit code are its own.
    os.execv(started[0], started)  # noqa: S606  # without a shell, on purpose
