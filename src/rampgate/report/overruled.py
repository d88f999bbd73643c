"""What every report says, in red, where something overrules a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.model.formats import moment
from rampgate.model.text import clean
from rampgate.outcome import Decision

if TYPE_CHECKING:
    from rampgate.judging.results import Verdict

_LONGEST = 1_200
_ARROW = "\N{RIGHTWARDS ARROW}"


def lines(verdict: Verdict) -> list[str]:
    """The override, then waivers; nothing where there is neither. Whether they count depends on the time."""
    measured, override, found = verdict.decision.name, verdict.override, []
    if override:
        until = f"by {override.by} until {moment(override.expires)}: {override.reason}"
        found.append(f"OVERRIDDEN: {measured} {_ARROW} {override.verdict.name} {until}")
    if verdict.waived_until:
        until = moment(verdict.waived_until)
        found.append(f"WAIVED: {measured} {_ARROW} {Decision.PROMOTE.name} until {until}")
    found += [f"{each.check}: {each.waiver.sentence}" for each in verdict.checks if each.waiver]
    return [clean(line, _LONGEST) for line in found]
