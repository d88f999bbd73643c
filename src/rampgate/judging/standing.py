"""What counts of a verdict at a moment: what was measured, or what overrules it and has not expired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rampgate.clock import SystemClock
from rampgate.model import formats
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from rampgate.errors import ExitCode
    from rampgate.judging.results import Verdict


class Standing(NamedTuple):
    """What counts.

    Args:
        decision: by which a command exits.
        sentence: what overrules the verdict, or no longer does; "" where nothing ever did.
    """

    decision: Decision
    sentence: str = ""

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` adds to verdict.json; nothing where nothing overrules."""
        if not self.sentence:
            return {}
        code = int(self.decision.exit_code)
        return {"exit_code": code, "counts_now": self.decision.value, "counts_why": self.sentence}


def standing(verdict: Verdict, now: float) -> Standing:
    """What counts at a moment.

    A promotion by anything but evidence is for ``rampgate verdict`` and for the exit code of a run alone:
    whoever judges a release, or a step of a rollout, goes by ``verdict.decision``.

    Args:
        verdict: of a run.
        now: seconds since the epoch.
    """
    measured, override, over = verdict.decision, verdict.override, []
    if override and override.at <= now < override.expires:
        left = formats.elapsed(override.expires - now)
        says = f"{override.verdict.name} by an override of {override.by}'s for {left} more"
        return Standing(override.verdict, f"{says}; without it {measured.name}")
    if override and now < override.at:
        over.append(f"{override.named} was made later than now, as the clock here has it, and does not count")
    elif override:
        ago = formats.elapsed(now - override.expires)
        over.append(f"{override.named} expired {ago} ago, and counts for nothing")
    # A clock that was set back brings no waiver back.
    last = max((record["time"] for record in verdict.records), default=now)
    until = formats.moment(verdict.waived_until)
    if verdict.waived_until > max(now, last):
        over.append(f"PROMOTE with waivers until {until}; without them {measured.name}")
        return Standing(Decision.PROMOTE, "; ".join(over))
    if verdict.waived_until:
        over.append(f"a waiver expired at {until}")
    return Standing(measured, f"{'; '.join(over)}: {measured.name}" if over else "")


def exit_code(verdict: Verdict) -> ExitCode:
    """The exit code of a command that ends with a verdict now."""
    return standing(verdict, SystemClock().now()).decision.exit_code
