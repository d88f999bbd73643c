"""The plan of a rollout: its stages with dates, what each can see, and what may fail it by chance."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rampgate.model import formats
from rampgate.rollout import ledger, traffic
from rampgate.rollout.detect import SURE, Comparing
from rampgate.rollout.plan_records import Plan, Seen, Stage
from rampgate.rollout.plan_table import render
from rampgate.rollout.soak import observed
from rampgate.rollout.transitions import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rampgate.config.rollout import FreezeSettings, RolloutSettings
    from rampgate.config.settings import Settings
    from rampgate.rollout.records import Rollout

__all__ = ["Plan", "render", "rows"]

TWICE = 2.0
_PER_CENT = 100.0


def rows(settings: Settings, rollout: Rollout | None, typed: float | None, now: float) -> Plan:
    """The plan as it is from now on.

    Args:
        settings: in force.
        rollout: the newest one, None where there is none; one that does not rise is planned anew.
        typed: votes or requests of all users a second, None for those that the watch has measured.
        now: seconds since the epoch.

    Raises:
        ConfigurationError: the rules of the watch cannot be read.
        EvidenceError: what a watch has written cannot be read.
    """
    plan, base = settings.rollout, Path(settings.file).parent
    found, source = traffic.traffic_of(settings, base, typed)
    risk = traffic.risk_of(settings, base) if found else None
    stages = []
    for stage in dated(settings, rollout, now):
        seen = None
        if found and risk and stage.soak and 0 < stage.percentage < _PER_CENT:
            seen = _seen(Comparing(found, risk, stage.percentage / _PER_CENT), stage.soak, plan.harm)
        stages.append(replace(stage, seen=seen))
    last = stages[-1]
    ends = now if last.begins is None else last.begins
    refused = list(_too_short(stages, plan, settings.file)) if "harm" in plan.model_fields_set else []
    return Plan(stages, ends, ledger.ledger(settings, base), found, source, plan.harm, refused, plan.guide)


def _seen(comparing: Comparing, soak: float, harm: float) -> Seen:
    return Seen(comparing.smallest(soak), comparing.seen_after(harm), comparing.seen_after(TWICE))


def dated(settings: Settings, rollout: Rollout | None, now: float) -> Iterator[Stage]:
    """Every percentage with its dates, as ``rows`` has them, without what each can see.

    Args:
        settings: in force.
        rollout: as ``rows``.
        now: seconds since the epoch.

    Raises:
        EvidenceError: what a watch has written cannot be read.
    """
    plan = settings.rollout
    rises = rollout is not None and rollout.status in {Status.RUNNING, Status.PAUSED, Status.COMPLETE}
    at = now
    for percentage in plan.percentages:
        soak, phase = plan.soak_at(percentage), plan.phase(percentage)
        if rises and rollout and percentage < rollout.percentage:
            yield Stage(phase, percentage, soak, None, None)
        elif rises and rollout and percentage == rollout.percentage:
            seen = observed(settings, rollout) if soak else 0.0
            at = now + max(0.0, soak - seen)
            yield Stage(phase, percentage, soak, rollout.changed, at)
        else:
            begins, freezes = _thawed(plan, at)
            at = begins + soak
            yield Stage(phase, percentage, soak, begins, at, freezes)


def _thawed(plan: RolloutSettings, at: float) -> tuple[float, tuple[FreezeSettings, ...]]:
    """The first moment from then on in which a percentage may rise, and the freezes that are waited for."""
    freezes: list[FreezeSettings] = []
    while freeze := plan.frozen(at):
        freezes.append(freeze)
        at = freeze.ends.timestamp()
    return at, tuple(freezes)


def _too_short(stages: Sequence[Stage], plan: RolloutSettings, file: str) -> Iterator[str]:
    for stage in stages:
        if stage.seen and stage.too_short:
            at, asks = f"{stage.percentage:g}", f"{formats.number(plan.harm)} times the background errors"
            needs = f"accepted are {formats.duration(stage.seen.ask_s)} or more, or another rollout.harm"
            if math.isinf(stage.seen.ask_s):
                needs = "accepted is a larger rollout.harm: no soak sees this one"
            yield (
                f"{file}: rollout.soak.{at}: found {formats.duration(stage.soak)}, which does not see {asks} "
                f"in {formats.percent(SURE)} of the cases (rollout.harm); {needs}"
            )
