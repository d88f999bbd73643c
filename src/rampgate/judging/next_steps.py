"""What to type after a verdict: one command, and what has to be different when it is typed."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from rampgate.judging.settings_first import look_first, rate_limited
from rampgate.outcome import Cause, Decision, Outcome

if TYPE_CHECKING:
    from rampgate.judging.results import CheckResult, Verdict

_LOAD = ("load/", "predeploy/load::", "extended/load::")
_LOADED = ("predeploy", "extended")
"""The stages that have a load run of their own, each with what its settings under [load] begin with."""
_DEPLOY, _WATCH = "deploy", "watch"
_PICTURE = "visual_difference"
_VERSION = "wrong_version"
_BASELINE_FIRST = "run pytest -m predeploy first"
_LONGER = "a longer [flags] duration"
"""What a judgement of too few users ends with."""
_KEY = re.compile(r"(?!(?:alerts|commands)\.[^.:]+: )([a-z_]+)\.[^:\n]+: ")
"""What the message of a wrong setting begins with; the name of a channel or a command alone is no key."""
_MAY_BE_MISSING = "version"
"""A setting whose absence is an error too; others are in the header where they can be wrong."""
_NOT_ALLOWED = "; allowed_hosts: "
"""Stands in what the guard refuses."""
_REFUSED_HOST = re.compile(r"(?:'([^']+)'|the target) resolves to (\S+), which is not allowed")
"""Its name, else its address."""
_SPREAD = ("--processes", "--master")
_MEASURED = "this target is being measured"
_TIME_UP = ": the stage's time of "
_ORDER = (Outcome.FAILED, Outcome.ERROR, Outcome.UNDECIDED)


def next_command(verdict: Verdict) -> str:
    """What to type next; empty when nothing needs to be."""
    if verdict.decision is Decision.PROMOTE:
        return ""
    if verdict.decision is Decision.ROLLBACK:
        first = next((f.cause for f in verdict.findings if f.cause and f.cause.critical), None)
        load = set(verdict.stages) == {"load"} or bool(first and first.check.startswith(_LOAD))
        first_of_all = look_first(verdict)
        back = f"roll the percentage back, then: {_command(verdict, load=load)}"
        return f"{first_of_all}; otherwise {back}" if first_of_all else back
    if any(": was not started: " in reason for reason in verdict.reasons):
        load = verdict.stages[-1:] == ("load",)
        once_more = _command(verdict, load=load)
        measured = any(_MEASURED in reason for reason in verdict.reasons)
        return f"{once_more} --wait" if measured else f"correct what it says, then: {once_more}"
    return _for_hold(verdict) if verdict.checks else _for_empty_plan(verdict)


def _for_empty_plan(verdict: Verdict) -> str:
    """After an empty plan: what would fill it."""
    if steps := _steps(verdict):
        tables = " and ".join(f"[{_DEPLOY}.{step}]" for step in steps)
        return f"configure {tables} in rampgate.toml, then: {_command(verdict, load=False)}"
    return "rampgate init, which writes a rampgate.toml"


def _for_hold(verdict: Verdict) -> str:
    first = {result.outcome: result for result in reversed(verdict.checks)}
    holding = next((outcome for outcome in _ORDER if outcome in first), None)
    load = first[holding].check.startswith(_LOAD) if holding else set(verdict.stages) == {"load"}
    command = _command(verdict, load=load)
    if holding is Outcome.FAILED:
        fix = _versions(verdict) or look_first(verdict) or "fix it"
        return f"{fix}, {_or_accept(verdict)}then: {command}"
    if any(reason.endswith(": interrupted") or _TIME_UP in reason for reason in verdict.reasons):
        return _for_cut_short(verdict, command)
    if holding is None:
        return _for_skips(verdict, command)
    if holding is Outcome.ERROR:
        step = _for_a_setting(first[holding], verdict) or rate_limited(first[holding].message)
        if step:
            return f"{step}, then: {command}"
    if load:
        return _for_load(verdict, holding, command)
    return "rampgate doctor" if holding is Outcome.ERROR else _for_undecided(verdict, command)


def _for_undecided(verdict: Verdict, command: str) -> str:
    """After a run that measured too little: what would give more."""
    undecided = [result for result in verdict.checks if result.outcome is Outcome.UNDECIDED]
    if any(_LONGER in judgement.sentence for result in undecided for judgement in result.judgements):
        return f"{_LONGER}, then: {command}"
    starved = any(result.cause == Cause.STARVED for result in verdict.checks)
    return f"{command} on a quieter machine" if starved else command


def _for_cut_short(verdict: Verdict, command: str) -> str:
    """After a run that was interrupted, or whose time was used up."""
    if any(_TIME_UP in reason for reason in verdict.reasons):
        return f"a larger budget under [stages.{verdict.stages[0]}], then: {command}"
    return command


def _versions(verdict: Verdict) -> str:
    """Which version to deploy, where the first finding is that another one answers."""
    cause = verdict.findings[0].cause
    failed = {j.metric for j in cause.judgements if j.outcome is Outcome.FAILED} if cause else set()
    if cause is None or failed != {_VERSION}:
        return ""
    for record in verdict.records:
        seen = record.get("measurement")
        if record.get("check") == cause.check and isinstance(seen, dict) and seen.get("metric") == _VERSION:
            details = seen.get("details", {})
            expected, versions = details.get("expected"), details.get("versions", {})
            others = " and ".join(str(version) for version in versions if version != expected)
            if expected is None:
                return f"deploy one version, where {others} answer"
            return f"deploy {expected}, where {others} answered (or change version.expected)"
    return ""


def _or_accept(verdict: Verdict) -> str:
    """How pictures are accepted, where nothing failed but that they differ."""
    failed = [result for result in verdict.checks if result.outcome is Outcome.FAILED]
    pages = [_pictured(result) for result in failed]
    if not all(pages):
        return ""
    named = " ".join(f"--page {shlex.quote(page)}" for page in pages)
    return f"or if it is meant: rampgate accept {verdict.run} {named} --by YOU, "


def _pictured(result: CheckResult) -> str:
    """The page whose picture differs; "" where that is not all that failed."""
    failed = [judgement for judgement in result.judgements if judgement.outcome is Outcome.FAILED]
    differs = failed and all(judgement.metric == _PICTURE for judgement in failed)
    return result.check.partition("[")[2].removesuffix("]") if differs else ""


def _for_skips(verdict: Verdict, command: str) -> str:
    """After a run in which nothing was worse than skipped, or never ran."""
    if not all(_BASELINE_FIRST in reason for reason in verdict.reasons):
        return command
    demo = " --demo" if _is_demo(verdict) else ""
    return f"pytest -m predeploy{demo} of the version before, then: {command}"


def _for_a_setting(result: CheckResult, verdict: Verdict) -> str:
    """What to do where an error is of a setting's making: its message begins with the setting's key."""
    if _NOT_ALLOWED in result.message:
        host = _REFUSED_HOST.search(result.message)
        name = f'"{host[1] or host[2]}"' if host else "that host"
        return f"add {name} to allowed_hosts if it may be measured"
    found = _KEY.match(result.message)
    known = {_MAY_BE_MISSING}.union(*(header.get("settings", {}) for header in verdict.headers))
    if found is None or found[1] not in known:
        return ""
    return "look at [version] in rampgate.toml" if found[1] == _MAY_BE_MISSING else "fix rampgate.toml"


def _for_load(verdict: Verdict, holding: Outcome, command: str) -> str:
    """After a load run that failed nothing: what kept it from an answer."""
    causes = {result.cause for result in verdict.checks}
    if Cause.NOTHING in causes and _takes_options(command):
        return f"{command} --users 1 --duration 10s, where one user shows what keeps it from asking"
    if Cause.LOST in causes:
        return f"see in the lost worker's own output why it ended, then: {command}"
    if holding is Outcome.ERROR:
        return f"fix it, then: {command}"
    if Cause.STARVED in causes:
        return f"{command} on a quieter machine{_spread(verdict, command)}"
    if any(word.startswith("--time-scale") for word in _typed(verdict)):
        return f"{command} without --time-scale"
    longer, more = _keys_in_force(verdict)
    enough = more if Cause.SHORT in causes else f"{longer} or {more}"
    return f"{command} with {enough}" if "--" in enough else f"{enough}, then: {command}"


def _keys_in_force(verdict: Verdict) -> tuple[str, str]:
    """What makes the load longer, and what more: the options that were typed, else the keys that counted."""
    stage = next((stage for stage in verdict.stages if stage in _LOADED), "")
    if stage:
        return "a longer duration", f"more users under [load.{stage}]"
    loads = [header.get("settings", {}).get("load") for header in verdict.headers]
    load: dict[str, Any] = next(filter(None, loads), {})
    typed = {word.partition("=")[0] for word in _typed(verdict)}

    def key(name: str) -> str:
        return f"--{name}" if f"--{name}" in typed else name

    open_model = load.get("executor") == "constant-arrival-rate"
    more = f"a higher {key('rate')}" if open_model else f"more {key('users')}"
    if load.get("stages"):
        return "a longer steady stage", "more users in [load] stages"
    longer = f"a longer {key('duration') if load.get('duration') else 'plateau'}"
    return longer, more if "--" in more + longer else f"{more} under [load]"


def _spread(verdict: Verdict, command: str) -> str:
    """How a generator gets more processors, where that can be said on the command line."""
    if not _takes_options(command):
        return ""
    given = any(word.startswith(_SPREAD) for word in _typed(verdict))
    cores = "" if given else ", with --processes -1 (one per core)"
    return f"{cores}, or with workers on more machines (docs/load.md)"


def _takes_options(command: str) -> bool:
    """Whether it is the command that takes the load run's own options."""
    return command == "rampgate load"


def _command(verdict: Verdict, *, load: bool) -> str:
    """How that which holds is run once more: the load run, or the run's own stage; a demo stays a demo."""
    demo = _is_demo(verdict)
    stages = [stage for stage in verdict.stages if stage != "load"]
    if load and not set(_LOADED) & set(stages):
        return "rampgate demo" if demo else "rampgate load"
    if stages == [_WATCH]:
        return shlex.join(word for word in _typed(verdict) if word != "--once") or "rampgate watch"
    words = ["pytest", "-m", stages[0] if stages else "immediate"]
    words += [f"--step={step}" for step in _steps(verdict)]
    return " ".join([*words, "--demo"] if demo else words)


def _is_demo(verdict: Verdict) -> bool:
    return any(word.startswith("--demo") for word in _typed(verdict))


def _typed(verdict: Verdict) -> list[str]:
    return [word for header in verdict.headers for word in header.get("invocation", ())]


def _steps(verdict: Verdict) -> list[str]:
    """The steps of a deploy that were checked: without them it is refused when typed once more."""
    named = [step for header in verdict.headers for step in header.get("steps", ())]
    places = [result.check.partition("/")[::2] for result in verdict.checks]
    files = [rest.partition("::")[0] for stage, rest in places if stage == _DEPLOY]
    return list(dict.fromkeys(named or files)) if _DEPLOY in verdict.stages else []
