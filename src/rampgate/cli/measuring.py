"""Floor 7. The commands that measure: demo and load."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from rampgate.cli.told import told


@click.command()
@click.option("--load/--no-load", default=True, show_default=True, help="Follow the checks with a load ramp.")
@click.option("--stack", metavar="NAME", help="full: with Prometheus and Alertmanager.")
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
@told
def demo(pytest_args: tuple[str, ...], *, load: bool, stack: str | None) -> int:
    r"""Bring up the reference deployment, check it, ramp load onto it, and print the verdict.

    \b
    Examples:
      rampgate demo
      rampgate demo --stack full             the same, watched by Prometheus, alerts to an inbox
      rampgate demo --no-load -- -n 2        what follows -- goes to pytest
    """
    from rampgate.story import tell

    return tell(pytest_args, load=load, stack=stack, echo=click.echo)


@click.command()
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
