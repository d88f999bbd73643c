"""The command by which a person overrules what a run came to."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from rampgate.cli.base import REPORTS, exits
from rampgate.errors import ConfigurationError, ExitCode, RampgateError

if TYPE_CHECKING:
    from pathlib import Path

    from rampgate.model.redact import Redactor

_LONGEST = 500
"""Characters of who and why, which every report has whole."""


@click.command()
@click.argument("run")
@click.option("--verdict", required=True, type=click.Choice(["promote", "hold", "rollback"]))
@click.option("--by", required=True, metavar="NAME", help="Who answers for it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is in every report.")
@click.option("--expires", required=True, metavar="TIME", help="For how long it counts: 2h, 30m.")
@REPORTS
@exits
def override(  # its options
    run: str, verdict: str, by: str, reason: str, expires: str, reports: Path
) -> int:
    r"""Let another verdict of RUN count for a while; every report has it in red.

    rampgate verdict exits by it. It is for the evidence of the run as it is now: more of it, by RAMPGATE_RUN,
    makes it void. The newest one decides. It never meets --require, and never rampgate rollout advance.

    \b
    Examples:
      rampgate override latest --verdict promote --by ada --reason "PSP is down, not we" --expires 2h
      rampgate override latest --verdict hold --by ada --reason "no longer" --expires 2h    take it back
    """
    from rampgate.clock import SystemClock
    from rampgate.evidence import journal, overrides
    from rampgate.outcome import Decision
    from rampgate.report import table, write_all

    seconds = _checked(by, reason, expires)
    folder = journal.find_run(reports, run)
    said = overrides.Said(Decision(verdict), by.strip(), reason.strip(), seconds)
    decided = overrides.override(folder, said, SystemClock(), _redactor())
    write_all(decided, folder)
    table.render(decided, table.console(), folder=folder)
    return ExitCode.PROMOTE


def _checked(by: str, reason: str, expires: str) -> float:
    """For how many seconds it is to count, where all that must be said is."""
    from rampgate.checks.frame.table import seconds
    from rampgate.judging.overrides import LONGEST_S
    from rampgate.model.redact import Redactor

    problems = [
        f"--{name}: found nothing; accepted is {what}"
        for name, given, what in (("by", by, "the name of who answers for it"), ("reason", reason, "why"))
        if not given.strip()
    ]
    problems += [
        f"--{name}: found {len(given):,} characters; accepted are up to {_LONGEST}"
        for name, given in (("by", by), ("reason", reason))
        if len(given) > _LONGEST
    ]
    found, why = 0.0, f"accepted is a duration such as 30m or 2h, at most {LONGEST_S / 3600:g}h"
    with suppress(ValueError):
        found = seconds(expires)
    if not 0 < found <= LONGEST_S:
        problems.append(f"--expires: found {Redactor().text(repr(expires))}; {why}")
    if problems:
        raise ConfigurationError(problems)
    return found


def _redactor() -> Redactor:
    """Knows the secrets of the settings here, where there are any that can be read."""
    from rampgate.config.loading import load
    from rampgate.model.redact import Redactor

    with suppress(RampgateError):
        return load()[1]
    return Redactor()
