"""A rehearsal: everything that waits takes less time, and nothing else is different. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rampgate.checks.frame.forms import counts_votes
from rampgate.model import formats

if TYPE_CHECKING:
    from rampgate.config.settings import Settings
    from rampgate.config.watch_policy import WatchPolicy

_LOAD_S, _SOAK_S, _INTERVAL_S, _AGE_S = 30.0, 60.0, 2.0, 15.0
"""What is shorter than that decides nothing, or outlasts a busy machine's pause between two rounds."""
_ENTRIES = ("metrics", "journeys")
"""The tables whose entries have times of their own."""
_VISITS_S, _VOTES_S = 60.0, 120.0
"""Visits come seldom, and a user votes once a minute, so that a shorter window may hold none."""
_WINDOW = 2.0
"""A window holds so many intervals at least."""


def scaled(settings: Settings, factor: float) -> Settings:
    """The settings of a rehearsal.

    Args:
        settings: as they are meant.
        factor: how many times faster; 1 changes nothing.
    """
    if factor == 1:
        return settings
    watch, extended = settings.watch, settings.load.extended
    interval = _less(watch.interval, factor, _INTERVAL_S)
    windows = {
        key: _less(getattr(watch, key), factor, _WINDOW * interval) for key in ("window", "failures_window")
    }
    faster = watch.model_copy(
        update={
            **windows,
            "interval": interval,
            "recovery": watch.recovery / factor,
            "max_age": _less(watch.max_age, factor, _AGE_S),
        }
    )
    load = extended.model_copy(update={"duration": _less(extended.duration, factor, _LOAD_S)})
    soak = settings.soak.model_copy(update={"duration": _less(settings.soak.duration, factor, _SOAK_S)})
    return settings.model_copy(
        update={
            "watch": faster,
            "load": settings.load.model_copy(update={"extended": load}),
            "soak": soak,
            **{
                name: [_entry(each, factor, watch.window) for each in getattr(settings, name, ())]
                for name in _ENTRIES
            },
        }
    )


def scaled_rules(policy: WatchPolicy, factor: float) -> WatchPolicy:
    """The rules of a rehearsal: what must hold for a time must for less of it.

    Args:
        policy: the rules as they are meant.
        factor: how many times faster; 1 changes nothing.
    """
    if factor == 1:
        return policy
    rules = tuple(
        replace(each, threshold=replace(each.threshold, duration_s=each.threshold.duration_s / factor))
        for each in policy.rules
    )
    monitoring, vitals = policy.monitoring, policy.monitoring.web_vitals
    if vitals:
        interval = _less(vitals.collection_interval, factor, _INTERVAL_S)
        window = _less(vitals.aggregation_interval, factor, _VISITS_S)
        faster = vitals.model_copy(update={"collection_interval": interval, "aggregation_interval": window})
        monitoring = monitoring.model_copy(update={"web_vitals": faster})
    return replace(policy, rules=rules, monitoring=monitoring)


def with_one_audit(settings: Settings, factor: float) -> Settings:
    """The settings with the first of the pages to audit alone: an audit takes as long in a rehearsal.

    Args:
        settings: name the pages.
        factor: how many times faster; 1 changes nothing.
    """
    first = next((page for page in settings.pages if page.lighthouse), None)
    if factor == 1 or first is None:
        return settings
    pages = [page.model_copy(update={"lighthouse": page is first}) for page in settings.pages]
    return settings.model_copy(update={"pages": pages})


def said(factor: float) -> str:
    """How a rehearsal is named beside its verdict."""
    return f"rehearsal: time scale {formats.number(factor)}"


def _less(seconds: float, factor: float, least: float) -> float:
    """So many times shorter, but not below the least, and never longer than it was."""
    return max(seconds / factor, min(least, seconds))


def _entry(entry: Any, factor: float, window: float) -> Any:
    """An entry with its own times."""
    least = {
        "every": _INTERVAL_S,
        "interval": _INTERVAL_S,
        "window": _WINDOW * _INTERVAL_S,
        "max_age": _AGE_S,
    }
    if counts_votes(entry):
        least["window"] = _VOTES_S
        entry = entry.model_copy(update={"window": entry.window or window})
    given = {key: getattr(entry, key) for key in least if getattr(entry, key, None)}
    return entry.model_copy(update={key: _less(value, factor, least[key]) for key, value in given.items()})
