"""The release that a watch is about, and what is remembered of it beyond one run."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.errors import ExitCode, RampgateError
from rampgate.evidence import session
from rampgate.model import formats
from rampgate.model.formats import moment
from rampgate.model.increments import added, plain
from rampgate.outcome import Outcome, Severity
from rampgate.watch.endings import Ending

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rampgate.clock import Clock
    from rampgate.config.settings import Settings
    from rampgate.evidence.session import Setup
    from rampgate.watch.asked import Source
    from rampgate.watch.engine import Engine
    from rampgate.watch.rounds import Position, Round
    from rampgate.watch.state import WatchState

LATCHED = "latched"
"""Under which critical failures are remembered, whatever else is forgotten."""
_MOST = 200


class RolledBackError(RampgateError):
    """A run before has shown that this release is bad, and one round more cannot change that."""

    exit_code = ExitCode.ROLLBACK


def asked(source: Source, setup: Setup, run_id: str, clock: Clock) -> Position:
    """Percentage and version now, asked before the run has a header that says them."""
    with tempfile.TemporaryDirectory(prefix="rampgate-") as folder:
        place = Path(folder) / run_id
        place.mkdir()
        run = session.open_journal(setup, place, "position", clock=clock)
        source.begin(run)
        try:
            return source.position()
        finally:
            run.journal.close()


def setup_of(setup: Setup, position: Position) -> Setup:
    """What the run is made of: its release has the percentage that is in force."""
    if position.percentage is None:
        return setup
    settings = setup.settings.model_copy(update={"percentage": position.percentage})
    return replace(setup, settings=settings)


def same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two may be the same percentage and version; what is not known may be anything.

    Versions that answer side by side are one as long as one of them goes on.
    """
    (percentage, versions), (former, before) = one[:2], other[:2]
    if percentage is not None and former is not None and percentage != former:
        return False
    return not (versions and before) or bool(set(versions) & set(before))


def carry_over(kept: Mapping[str, Any], engine: Engine, position: Position, at: float) -> None:
    """Of a run before, an episode that is open goes on; of the same release, what cohorts have shown.

    Args:
        kept: what the engine of that run has written.
        engine: of the run that begins.
        position: what is watched.
        at: now, seconds since the epoch.
    """
    for name, rule in engine.rules.items():
        if name in kept["rules"]:
            rule.carry_over(kept["rules"][name], at)
    if same((position.percentage, position.versions), kept["position"][:2]):
        engine.cohorts.carry_over(kept.get("cohorts", {}))


def remember(remembered: WatchState, engine: Engine, found: Round, run_id: str) -> None:
    """Remember what a round has come to, within a transaction."""
    for name, rule in engine.rules.items():
        counted = found.counted.get(rule.rule.threshold.metric, {}) if rule.test is not None else {}
        if counted:
            remembered.add_block(name, list(plain(reduce(added, counted.values()))))
    remembered.put("engine", engine.to_json())
    remembered.put("heartbeat", found.at)
    latch(remembered, engine, run_id)


def latch(remembered: WatchState, engine: Engine, run_id: str) -> None:
    """Remember each critical failure since the last change, within a transaction."""
    percentage, versions, *_ = engine.position
    known = remembered.get(LATCHED) or []
    names = {(each["rule"], each["rolls_back"]) for each in known if each["run"] == run_id}
    fired = [
        (name, rule.fired_at, f"{rule.rule.threshold}: {rule.fired_value}", rule.decides)
        for name, rule in engine.rules.items()
        if rule.fired and rule.severity is Severity.CRITICAL and rule.fired_at >= engine.changed_at
    ]
    new = [
        {"rule": name, "at": at, "what": what, "rolls_back": decides, "run": run_id}
        | {"percentage": percentage, "versions": list(versions)}
        for name, at, what, decides in fired
        if (name, decides) not in names
    ]
    if new:
        remembered.put(LATCHED, [*known, *new][-_MOST:])


def latched(remembered: WatchState, position: Position, run_id: str = "") -> list[dict[str, Any]]:
    """Critical failures of the release that is in force, of other runs than this one."""
    here = (position.percentage, position.versions)
    return [
        each
        for each in remembered.get(LATCHED) or []
        if each["run"] != run_id and same(here, (each["percentage"], each["versions"]))
    ]


def refuse_latched(remembered: WatchState, position: Position) -> None:
    """Begin nothing for a release that must be rolled back.

    Raises:
        RolledBackError: a run before has shown that.
    """
    for each in latched(remembered, position):
        if each["rolls_back"]:
            raise RolledBackError(
                f"run {each['run']} has shown that this release must be rolled back: "
                "ROLLBACK until another percentage or version is in force"
            )


def ending(settings: Settings, begun: float | None, engine: Engine) -> Ending:
    """Whether what was watched is the release of the header, and no run before has shown it to be bad.

    Args:
        settings: name the expected version, and the percentage where none was in force when the run began.
        begun: the percentage that was.
        engine: what the watch knows.
    """
    for rolls_back in (True, False):
        for each in engine.before:
            if each["rolls_back"] is rolls_back:
                says = f"run {each['run']} has shown at {moment(each['at'])} {each['what']}"
                severity = Severity.CRITICAL if rolls_back else Severity.WARNING
                return Ending(Outcome.FAILED, f"{says}: until another percentage or version", severity)
    wrong = _others(settings, settings.percentage if begun is None else begun, engine)
    return Ending(Outcome.FAILED if wrong else Outcome.PASSED, wrong or "as it began", Severity.WARNING)


def _others(settings: Settings, percentage: float | None, engine: Engine) -> str:
    expected = settings.version.expected if settings.version else None
    in_force, seen = engine.position.percentage, sorted(engine.versions)
    if in_force is not None and in_force != percentage:
        said = "no percentage" if percentage is None else f"{formats.number(percentage)} %"
        return f"{formats.number(in_force)} % is in force, and this run is about {said}"
    if expected and seen and seen != [expected]:
        return f"version {' and '.join(seen)} answered (expected {expected})"
    if len(seen) > 1:
        return f"versions {' and '.join(seen)} answered (expected one)"
    return ""
