"""The traffic that a watch has measured, which says what the soaks to come can see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.checks.frame.forms import counts_votes
from rampgate.config import watch_policy
from rampgate.model.cohorts import Pair, together
from rampgate.rollout.detect import Risk, Traffic
from rampgate.rollout.ledger import alphas
from rampgate.watch import state as watch_state
from rampgate.watch.cohorts import compared_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rampgate.config.settings import Settings

ASSUMED = 0.005
"""Share of requests that is said to fail where neither the settings nor a watch know it."""
_PER_CENT = 100.0


def risk_of(settings: Settings, base: Path) -> Risk:
    """What the comparisons of a watch allow.

    Raises:
        ConfigurationError: the rules of the watch cannot be read.
    """
    alpha = alphas(settings, watch_policy.build(settings, base))
    return Risk(settings.watch.margin / _PER_CENT, alpha.test, alpha.rollback)


def traffic_of(settings: Settings, base: Path, typed: float | None) -> tuple[Traffic | None, str]:
    """What is compared, and how that is known; None where it is not.

    Args:
        settings: in force.
        base: the folder that policy files are relative to.
        typed: requests or votes a second that were typed, None for those that the watch has measured.

    Raises:
        ConfigurationError: the rules of the watch cannot be read.
        EvidenceError: what the watch remembers cannot be read.
    """
    entries = {entry.name: entry for entry in settings.table("metrics")}
    compared = compared_in(entries, watch_policy.build(settings, base).metrics)
    if not compared:
        return None, "no metric is counted by cohort: no soak can see a harm to users with the feature alone"
    measured = dict(_measured(settings))
    # Votes of users are what a hold stands on; of what else there is, the most.
    best = max(compared, key=lambda each: (counts_votes(each), _rate(measured.get(each.name))))
    votes, interval = counts_votes(best), float(getattr(best, "interval", None) or settings.watch.interval)
    unit = "votes" if votes else "requests"
    endpoints, seconds = measured.get(best.name, ({}, 0.0))
    total = together(endpoints.values())
    known = seconds > 0 and total.off + total.on > 0
    if typed is None and not known:
        return None, f"no watch has counted {unit} of {best.name} yet: give them a second with --traffic"
    rate = typed if typed is not None else (total.on + total.off) / seconds
    background, how = _background(settings, total)
    many = sum(1 for each in endpoints.values() if each.on + each.off) or 1
    says = f"{unit} of {best.name}, {'as typed' if typed is not None else 'as the watch has counted them'}"
    return Traffic(rate, background, votes, many, interval), f"{says}; background errors {how}"


def _background(settings: Settings, total: Pair) -> tuple[float, str]:
    if settings.rollout.background is not None:
        return settings.rollout.background, "as set"
    if total.off:
        return min(0.5, max(total.off_failed, 1) / total.off), "as the watch has counted them"
    return ASSUMED, "assumed: no watch has counted any"


def _rate(found: tuple[dict[str, Pair], float] | None) -> float:
    if not found or not found[1]:
        return 0.0
    total = together(found[0].values())
    return (total.on + total.off) / found[1]


def _measured(settings: Settings) -> Iterator[tuple[str, tuple[dict[str, Pair], float]]]:
    """Of each metric that a watch compares its votes by endpoint, and in how many seconds."""
    path = watch_state.file_of(settings)
    if not path.exists():
        return
    with watch_state.WatchState(path, new=False) as remembered:
        engine = remembered.get("engine") or {}
    for name, comparison in engine.get("cohorts", {}).get("tests", {}).items():
        test = comparison["tests"][0]
        yield name, ({key: Pair(*counts) for key, counts in test["total"].items()}, test["seconds"])
