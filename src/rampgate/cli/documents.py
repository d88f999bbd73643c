"""The commands that make the documents of a rollout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rampgate.cli.rollout import rollout_command

if TYPE_CHECKING:
    from rampgate.rollout.session import Session

_FILE = click.Path(dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option(
        "--out", type=_FILE, metavar="FILE", help="Where it goes (default: beside the rollout's state)."
    ),
    click.option(
        "--format", "form", type=click.Choice(["markdown", "html", "both"]), default="both", show_default=True
    ),
    click.option("--template", type=_FILE, metavar="FILE", help="Of your own (.md.j2 or .html.j2)."),
    click.option("--send", is_flag=True, help="Send a short form of it to the [[alerts]] channels."),
)


@rollout_command(*_OPTIONS)
def announce(session: Session, **given: Any) -> int:
    """Write the announcement: schedule with dates, what is expected, monitoring, rollback plan, contacts."""
    return _make(session, "announce", given)


@rollout_command(*_OPTIONS)
def report(session: Session, **given: Any) -> int:
    """Write the report: before and after, users reached, issues and what became of them."""
    return _make(session, "report", given)


def _make(session: Session, name: str, given: dict[str, Any]) -> int:
    from rampgate.documents import command

    forms = command.FORMS[given["form"]]
    options = command.Options(given["out"], forms, given["template"], given["send"])
    return command.make(session, name, options)
