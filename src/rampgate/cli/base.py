"""What every command has: its exit code, errors in one line each, the folder of runs."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rampgate.errors import ExitCode, RampgateError
from rampgate.io.output import endure_readers_leaving
from rampgate.model.redact import Redactor
from rampgate.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

REPORTS = click.option(
    "--reports",
    type=click.Path(path_type=Path),
    default=Path("reports"),
    show_default=True,
    help="The folder that runs are written to.",
)


def exits(command: Callable[..., int]) -> Callable[..., None]:
    """Turn what a command returns into the exit code, and what went wrong into one clear line each."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        endure_readers_leaving()
        try:
            code = command(*args, **kwargs)
        except RampgateError as error:
            for line in Redactor().text(str(error)).splitlines():
                click.echo(f"rampgate: {clean(line)}", err=True)
            code = error.exit_code
        except Exception as error:  # noqa: BLE001  # a defect is one line and has its own exit code
            text = Redactor().text(f"{type(error).__name__}: {error}")
            click.echo(f"rampgate: a defect of rampgate: {clean(text)}", err=True)
            code = ExitCode.INTERNAL
        except KeyboardInterrupt:
            click.echo("rampgate: interrupted", err=True)
            code = ExitCode.HOLD
        sys.exit(int(code))

    wrapped.__doc__ = keep_lines(command.__doc__)
    return wrapped


def keep_lines(text: str | None) -> str:
    r"""A docstring with click's mark of lines that stay as they are; a raw one holds but its name."""
    return (text or "").replace(r"\b", "\b")
