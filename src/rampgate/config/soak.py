"""What the watch inside the extended stage is about: the subjects of the checks that wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from rampgate.config.settings import Settings

FULL_S = 1800.0
"""A watch that is to observe less is a rehearsal: it decides nothing for a release."""
_METRICS = {
    "soak_performance": ("api_response_time", "web_vitals_", "lighthouse_"),
    "soak_errors": ("error_rate",),
    "soak_feedback": ("user_feedback_score",),
}


class Watched(NamedTuple):
    """What one check of the watch shows.

    Args:
        metrics: names of [[metrics]].
        required: whether the stage holds where it does not run.
    """

    metrics: tuple[str, ...]
    required: bool


def subjects(settings: Settings) -> dict[str, dict[str, Watched]]:
    """Subject -> what it is about, where there are rules and a metric of that kind; else nothing.

    Args:
        settings: have [soak], [[metrics]], the policy and [watch.thresholds].
    """
    ruled = bool(settings.policy or settings.watch.thresholds)
    names = [entry.name for entry in settings.table("metrics")] if ruled else []
    found = {
        subject: tuple(name for name in names if name.startswith(kinds))
        for subject, kinds in _METRICS.items()
    }
    required = settings.soak.required
    return {subject: {"": Watched(own, required)} if own else {} for subject, own in found.items()}


def is_short(settings: Settings) -> bool:
    """Whether the stage watches for less time than it should: a rehearsal, which decides nothing."""
    return settings.soak.duration < FULL_S and any(map(bool, subjects(settings).values()))


def without_a_rule(settings: Settings, ruled: Collection[str]) -> list[str]:
    """A sentence for each subject that no rule judges, though it is not made to show only.

    Args:
        settings: have [[metrics]].
        ruled: names of the metrics that the rules are about.
    """
    shown = {entry.name for entry in settings.table("metrics") if entry.show_only}
    asked = (each[""].metrics for each in subjects(settings).values() if each)
    return [
        f"{settings.file}: no rule names {' or '.join(metrics)}, which the stage is to watch; accepted is "
        "one in a policy file or under watch.thresholds, or show_only = true at the metric"
        for metrics in asked
        if not set(metrics) & set(ruled) and not set(metrics) <= shown
    ]


def seconds(settings: Settings, *, loaded: bool) -> float:
    """How long the watch of the stage is to observe.

    Args:
        settings: have [soak] and [load].
        loaded: whether the stage makes its own load meanwhile, whose minutes say less.
    """
    return settings.soak.duration + (settings.load.extended.duration if loaded else 0.0)
