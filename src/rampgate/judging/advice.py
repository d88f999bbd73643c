"""Floor 2. What to type after a verdict: one command, and what has to be different when it is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.outcome import Cause, Decision, Outcome

if TYPE_CHECKING:
    from rampgate.judging.verdict import Verdict

_LOAD = ("load/", "extended/load::")
_LOADED = "extended"
"""The stage that has a load run of its own."""
_SPREAD = ("--processes", "--master")
_ORDER = (Outcome.FAILED, Outcome.ERROR, Outcome.UNDECIDED)


def next_command(verdict: Verdict) -> str:
    """What to type next; empty when nothing needs to be."""
    if verdict.decision is Decision.PROMOTE:
        return ""
    if verdict.decision is Decision.ROLLBACK:
        return f"roll the percentage back, then: {_again(verdict, load=False)}"
    return _after_hold(verdict) if verdict.checks else "rampgate init, which writes a rampgate.toml"


def _after_hold(verdict: Verdict) -> str:
    first = {result.outcome: result.check for result in reversed(verdict.checks)}
    holding = next((outcome for outcome in _ORDER if outcome in first), None)
    load = first[holding].startswith(_LOAD) if holding else set(verdict.stages) == {"load"}
    again = _again(verdict, load=load)
    if holding is Outcome.FAILED:
        return f"mend it, then: {again}"
    if holding is None or any(reason.endswith(": interrupted") for reason in verdict.reasons):
        return again
    if load:
        return _after_load(verdict, holding, again)
    return "rampgate doctor" if holding is Outcome.ERROR else again


def _after_load(verdict: Verdict, holding: Outcome, again: str) -> str:
    """After a load run that failed nothing: what kept it from an answer."""
    causes = {result.cause for result in verdict.checks}
    if Cause.NOTHING in causes and _can_be_told(again):
        return f"{again} --users 1 --duration 10s, where one user shows what keeps it from asking"
    if Cause.LOST in causes:
        return f"see in the lost worker's own output why it ended, then: {again}"
    if holding is Outcome.ERROR:
        return f"mend it, then: {again}"
    if Cause.STARVED in causes:
        return f"{again} on a quieter machine{_spread(verdict, again)}"
    more = "" if Cause.SHORT in causes else "a longer plateau or "
    return f"{more}more users under [load], then: {again}"


def _spread(verdict: Verdict, again: str) -> str:
    """How a generator gets more processors, where that can be said on the command line."""
    if not _can_be_told(again):
        return ""
    typed = [word for header in verdict.headers for word in header.get("invocation", ())]
    cores = "" if any(word.startswith(_SPREAD) for word in typed) else ", with --processes -1 (one per core)"
    return f"{cores}, or with workers on more machines (docs/load.md)"


def _can_be_told(again: str) -> bool:
    """Whether it is the command that takes the load run's own options."""
    return again == "rampgate load"


def _again(verdict: Verdict, *, load: bool) -> str:
    """How that is run again which holds: the load run, or the run's own stage; a demo stays a demo."""
    typed = [word for header in verdict.headers for word in header.get("invocation", ())]
    demo = any(word.startswith("--demo") for word in typed)
    stages = [stage for stage in verdict.stages if stage != "load"]
    if load and _LOADED not in stages:
        return "rampgate demo" if demo else "rampgate load"
    stage = stages[0] if stages else "immediate"
    return f"pytest -m {stage} --demo" if demo else f"pytest -m {stage}"
