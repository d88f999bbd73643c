"""What a watch is made of: where it reads, what was asked of it, and what its run is about."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rampgate.config import policy, watch_policy
from rampgate.config.locate import source
from rampgate.config.named_checks import refuse_unknown
from rampgate.errors import ConfigurationError
from rampgate.evidence.session import Setup
from rampgate.watch import finish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rampgate.config.settings import Settings
    from rampgate.config.watch_policy import WatchPolicy
    from rampgate.evidence.run import Run
    from rampgate.model.redact import Redactor
    from rampgate.watch.rounds import Position

STAGE = "watch"
ONCE_S = 60.0
"""Cron starts a round once a minute at most."""


@dataclass(frozen=True)
class Source:
    """Where a watch reads.

    Args:
        read: reads the metric of an entry of [[metrics]].
        position: says what is watched.
        puts_off: whether the metric of an entry is not read now.
        measuring: who measures the target beside us, "" where nobody does.
        begin: is given the run whose id requests carry from now on.
    """

    read: Callable[[Any], Sequence[Any]]
    position: Callable[[], Position]
    puts_off: Callable[[Any], bool] = lambda _: False
    measuring: Callable[[], str] = lambda: ""
    begin: Callable[[Run], None] = lambda _: None


@dataclass(frozen=True)
class Asked:
    """What was asked of a watch.

    Args:
        seconds: how long it is to last, 0 for no time.
        once: whether it is one round of many, each of a process of its own.
        command: what is run when it rolls back; words may be secrets.
        invocation: what was typed.
        notes: what a reader must know from the beginning.
        rehearsal: whether it takes less time than it should.
        time_scale: how many times faster than meant everything goes that waits; 1: not at all.
        within: the stage that it belongs to, "" when it stands for itself.
        file: in which it remembers, None for the one of its target.
    """

    seconds: float
    once: bool = False
    command: Sequence[str] = ()
    invocation: Sequence[str] = ()
    notes: Sequence[str] = ()
    rehearsal: bool = False
    time_scale: float = 1.0
    within: str = ""
    file: Path | None = None


def rules_of(settings: Settings, base: Path) -> WatchPolicy:
    """The rules of a watch.

    Raises:
        ConfigurationError: every problem of them; there is none.
    """
    rules = watch_policy.build(settings, base)
    if not rules.rules:
        where = settings.file if Path(settings.file).is_file() else source(None)
        raise ConfigurationError(
            f"{where}: nothing to watch: accepted are rules in policy files or watch.thresholds"
        )
    return rules


def setup_of(settings: Settings, redactor: Redactor, base: Path, rules: WatchPolicy, asked: Asked) -> Setup:
    """What the run of a watch is made of."""
    entries = {entry.name: entry for entry in settings.table("metrics")}
    planned = finish.plan_of(entries, rules)
    refuse_unknown(settings, STAGE, (each.check for each in planned.checks))
    return Setup(
        stage=STAGE,
        settings=settings,
        redactor=redactor,
        policy=policy.build(settings, base),
        plan=planned,
        tests=finish.number_of_tests(entries, rules),
        invocation=asked.invocation,
        notes=[*asked.notes, *(f"ignored by watch.ignore: {name}" for name in rules.ignored)],
        rehearsal=asked.rehearsal,
        time_scale=asked.time_scale,
        within=asked.within,
        rules=[
            {**each.threshold.to_json(), "name": each.name, "runbook": each.runbook, "owner": each.owner}
            for each in rules.rules
        ],
    )


def subject_of(settings: Settings, rules: WatchPolicy) -> str:
    """A digest of what is judged by what: a watch goes on with another only where it is the same."""
    judged = [
        settings.percentage,
        settings.version.expected if settings.version else None,
        [entry.model_dump(mode="json") for entry in settings.table("metrics")],
        [[each.name, str(each.threshold), str(each.threshold.severity), each.place] for each in rules.rules],
        settings.watch.model_dump(mode="json", exclude={"on_critical", "alerts", "runbook", "owner"}),
    ]
    return hashlib.sha256(json.dumps(judged, sort_keys=True, default=str).encode()).hexdigest()


def channels_of(settings: Settings) -> Mapping[str, tuple[str, float]]:
    """Name of each alert channel -> its address, a secret, and seconds for sending.

    Raises:
        ConfigurationError: a name that no channel has.
    """
    known = {channel.name: channel for channel in settings.table("alerts")}
    names = list(known) if settings.watch.alerts is None else settings.watch.alerts
    if wrong := [name for name in names if name not in known]:
        accepted = ", ".join(known) or "none, for there are no [[alerts]]"
        raise ConfigurationError(
            f"{settings.file}: watch.alerts: found {wrong[0]!r}; accepted are {accepted}"
        )
    return {name: (known[name].url.get_secret_value(), known[name].timeout) for name in names}
