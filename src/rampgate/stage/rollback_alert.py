"""Tells the people on call that a rollback was not seen to take effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.errors import RampgateError
from rampgate.evidence import session
from rampgate.io import apprise_sender
from rampgate.judging.next_steps import next_command
from rampgate.model import formats
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from rampgate.evidence.run import Run
    from rampgate.judging.results import Verdict

STAGE = "rollback"
_REASONS = 5


def alert(setup: session.Setup, run: Run, verdict: Verdict) -> list[str]:
    """Send one message to each of [[alerts]] where the verification of a rollback holds, and journal it.

    Args:
        setup: of the run; no other stage alerts.
        run: that has ended.
        verdict: what it came to.

    Returns:
        A line for each channel, without secrets: whether it took the message.
    """
    channels = setup.settings.table("alerts")
    if setup.stage != STAGE or verdict.decision is Decision.PROMOTE or not channels:
        return []
    title, text = map(setup.redactor.text, _message(setup, verdict))
    said = []
    for channel in channels:
        try:
            sent = apprise_sender.deliver(
                channel.url.get_secret_value(), title, text, channel.timeout, "failure"
            )
            why = "" if sent.sent else sent.why
        except RampgateError as error:
            why = str(error)
        took = f"did not take the message: {why}" if why else "took the message"
        said.append(setup.redactor.text(f"alerts.{channel.name} {took}"))
    book = session.open_journal(
        setup, run.folder, session.process_name("alerts"), invocation=run.invocation
    ).journal
    try:
        for line in said:
            book.write("event", text=f"{line} ({title})")
    except RampgateError as error:
        said.append(str(error))
    finally:
        book.close()
    return said


def _message(setup: session.Setup, verdict: Verdict) -> tuple[str, str]:
    """Title and text."""
    settings, release = setup.settings, verdict.start.get("release", {})
    version, percentage = release.get("version"), release.get("percentage")
    at = "" if percentage is None else f" at {formats.number(percentage)} %"
    where = f"{' '.join(filter(None, (settings.target.name, version)))}, {settings.environment}{at}"
    following = next_command(verdict)
    lines = [*verdict.reasons[:_REASONS], *([f"next: {following}"] if following else [])]
    lines += settings.rollout.guide.lines
    return f"rampgate: the rollback is not verified, {where}", "\n".join([*lines, f"run {verdict.run}"])
