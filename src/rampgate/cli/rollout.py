"""The commands that move a percentage on evidence, and roll it back."""

from __future__ import annotations

import functools
import getpass
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from rampgate.cli.base import exits, keep_lines
from rampgate.errors import ConfigurationError
from rampgate.model.text import LONGEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from rampgate.rollout.session import Session


def _short(ctx: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """Refuse what no history could show whole; of a rollback what is too long is cut."""
    if ctx.info_name == "rollback":  # which nothing that was typed may keep from its work
        return text and text[:LONGEST]
    if text and len(text) > LONGEST:
        raise click.BadParameter(f"found {len(text):,} characters; accepted are up to {LONGEST:,}")
    return text


_SHARED = (
    click.option("--config", type=click.Path(dir_okay=False), help="Settings (default: rampgate.toml here)."),
    click.option("--reports", help="The folder that runs are written to."),
    click.option("--demo-ready", metavar="FILE", help="Of a reference deployment that is up."),
    click.option(
        "--by", metavar="NAME", callback=_short, help="Who asks for it (default: your account here)."
    ),
)
_WHY = click.option(
    "--reason",
    metavar="TEXT",
    default="",
    envvar="RAMPGATE_REASON",
    callback=_short,
    help="Why; kept in the history.",
)


@click.group()
def rollout() -> None:
    r"""Move the percentage of the features in [rollout], on evidence, and back.

    \b
    Examples:
      rampgate rollout plan                      dates, chances, what each soak can see
      rampgate rollout start --reason "1.4"      begin at the first percentage of the plan
      rampgate rollout status                    where it stands, what the next step needs
      rampgate rollout advance                   one step up: 0, or 10 with what is missing
      */10 * * * * rampgate rollout advance --if-due       the same from cron
      rampgate rollout rollback --emergency --reason "HTTP 500"    everything off now, and seen to be
      rampgate rollout rollback --gradual        down step by step, watched
      rampgate rollout announce                  the announcement, in Markdown and HTML; report at the end
    """


rollout.help = keep_lines(rollout.help)


def rollout_command(*options: Callable[..., Any]) -> Callable[..., Any]:
    """A command of the group: it gets a session of the state, and its own options."""

    def decorate(function: Callable[..., int]) -> click.Command:
        @functools.wraps(function)
        def wrapped(**given: Any) -> int:
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
            shared = {name: given.pop(name) for name in ("config", "reports", "demo_ready", "by")}
            with ExitStack() as stack:
                return function(stack.enter_context(_session(shared, stack)), **given)

        wrapped.__doc__ = function.__doc__
        command: Any = exits(wrapped)
        for option in reversed([*options, *_SHARED]):
            command = option(command)
        return rollout.command(function.__name__.replace("_", "-"))(command)

    return decorate


def _session(given: dict[str, Any], stack: ExitStack) -> Session:
    from rampgate.rollout.session import Session
    from rampgate.watch.command import read

    options = {**given, "demo": False, "stack": None}
    settings, redactor, base, _ = read(options, stack)
    who = redactor.text(given["by"] or getpass.getuser())
    demo = bool(given["demo_ready"])
    return Session(settings, redactor, base, who, functools.partial(_say, redactor), rehearsals=demo)


def _say(redactor: Any, line: str) -> None:
    from rampgate.model.text import clean

    click.echo(f"rampgate: {clean(redactor.text(line))}")


@rollout_command(
    _WHY,
    click.option("--at", type=float, metavar="PERCENT", help="What users have already; nothing is changed."),
)
def start(session: Session, reason: str, at: float | None) -> int:
    """Begin a rollout of the version that is expected now."""
    from rampgate.rollout import command

    return command.start(session, reason, at)


@rollout_command(
    _WHY,
    click.option("--to", type=float, metavar="PERCENT", help="Refuse any other than this one."),
    click.option("--if-due", is_flag=True, help="For cron and CI: a HOLD is no news."),
)
def advance(session: Session, reason: str, to: float | None, *, if_due: bool) -> int:
    """Go to the next percentage where everything that it needs is there, else exit with 10."""
    from rampgate.rollout import command

    return command.advance(session, reason, to, quietly=if_due)


@rollout_command(_WHY)
def pause(session: Session, reason: str) -> int:
    """Stop counting observed time."""
    from rampgate.rollout import command

    return command.pause(session, reason)


@rollout_command(_WHY)
def resume(session: Session, reason: str) -> int:
    """Go on counting observed time; a step that was cut off is brought to its end."""
    from rampgate.rollout import command

    return command.pause(session, reason, resume=True)


@rollout_command(
    _WHY,
    click.option("--emergency", is_flag=True, help="Everything off now, whatever else goes on."),
    click.option("--gradual", is_flag=True, help="Down step by step, with observed time after each."),
    click.option("--below-floor", is_flag=True, help="Below rollout.floor too, which loses data."),
)
def rollback(session: Session, reason: str, *, emergency: bool, gradual: bool, below_floor: bool) -> int:
    """Switch the features off, and see that users read it; no freeze or stop-line keeps from it."""
    from rampgate.rollout import command

    if emergency == gradual:
        raise ConfigurationError("rollout rollback: accepted is one of --emergency and --gradual")
    roll_back = command.emergency if emergency else command.gradual
    return roll_back(session, reason, below_floor=below_floor)


@rollout_command(_WHY, click.option("--lift", is_flag=True, help="Let percentages rise."))
def stop_line(session: Session, reason: str, *, lift: bool) -> int:
    """Let no percentage rise until it is lifted."""
    from rampgate.rollout import command

    return command.stop_line(session, reason or "no reason was given", lift=lift)


@rollout_command()
def status(session: Session) -> int:
    """Show where the rollout stands, and what its next step needs: 0 where nothing is missing, else 10."""
    from rampgate.rollout import status

    return status.show(session)


@rollout_command(click.option("--json", "as_json", is_flag=True, help="Print JSON."))
def history(session: Session, *, as_json: bool) -> int:
    """Show every step: who, when, why, from, to, and the evidence that it stood on."""
    from rampgate.rollout import status

    click.echo(status.history(session, as_json=as_json))
    return 0


@rollout_command(
    click.option(
        "--traffic",
        type=click.FloatRange(0, min_open=True),
        metavar="N",
        help="Votes or requests a second of all users.",
    )
)
def plan(session: Session, traffic: float | None) -> int:
    """Show dates, what each soak can see, and what may fail a healthy rollout by chance."""
    from rampgate.report import table
    from rampgate.rollout import plan, plan_table

    settings = session.settings
    found = plan.rows(settings, session.state.current(), traffic, session.clock.now())
    plan_table.render(found, table.console())
    if found.refused:
        raise ConfigurationError(list(found.refused))
    return 0
