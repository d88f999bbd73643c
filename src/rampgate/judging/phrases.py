"""What sentences say about a threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rampgate.judging import wording
from rampgate.judging.threshold import Aggregation, Threshold

if TYPE_CHECKING:
    from rampgate.model.measurement import Measurement

_IS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "equal to", "!=": "other than"}
_IS_NOT = {"<": "not below", "<=": "above", ">": "not above", ">=": "below", "==": "not", "!=": "equal to"}
_NOUNS = {
    Aggregation.RATE: "requests",
    Aggregation.QUANTILE: "requests",
    Aggregation.SHARE: "users",
    Aggregation.COUNT: "observations",
    Aggregation.MEDIAN: "scores",
    Aggregation.VALUE: "values",
}

# What 1 and what 0 say of a metric that is one or the other.
_STATES = {
    "up": ("answers", "does not answer"),
    "monitor_up": ("answers that it is healthy", "does not answer that it is healthy"),
    "alert_delivered": ("the channel took the message", "the message was not delivered"),
    "backup_taken": ("a whole backup was written", "no whole backup was written"),
    "visit_seen": ("a visit is counted", "a visit is not counted"),
    "query_uses_index": ("answered from an index", "not answered from an index"),
    "theme_switched": ("the switch changes the theme", "the switch does not change the theme"),
    "service_worker_active": ("a service worker controls the page", "no service worker controls the page"),
    "offline_page_up": ("the page comes without a network", "the page does not come without a network"),
    "list_reached_end": ("the list can be read to its end", "the list cannot be read to its end"),
    "job_done": ("the job was done in time", "the job was not done in time"),
}
# What a metric counts, after the number of those that were wrong and the number of all.
_COUNTED = {
    "jobs_down": "{k} of {n} scrape jobs not up",
    "rules_missing": "{k} of {n} alerting rules not loaded",
    "metrics_missing": "{k} of {n} metrics not delivered",
    "backup_differences": "{n} comparisons with the backup, differences: {k}",
    "flag_start_mismatches": "{k} of {n} values of flags not as at the start",
    "flag_sources_differ": "{k} of {n} flags on which the sources do not agree",
    "flag_scenario_mismatches": "{k} of {n} decisions not as planned",
    "flag_nesting_broken": "{k} of {n} times a user lost the flag as the percentage rose",
    "testers_unreached": "{k} of {n} testers not reached",
    "flag_off_when_on": "{k} of {n} flags off that must be on",
    "cache_misses": "{k} of {n} repeated requests not answered from the cache",
    "paging_repeats": "{k} of {n} items came twice",
    "paging_gaps": "items read: {n}, left out: {k}",
    "console_errors": "errors on the console: {k}",
    "list_rows_too_many": "{k} of {n} looks at the list found too many rows",
    "command_exit_code": "ended with {k}",
}


def plain(threshold: Threshold, seen: Measurement, value: float, *, passed: bool) -> str:
    """The whole sentence of a metric that has words of its own: ``0 of 3 scrape jobs not up``.

    "" where it has none, or where the threshold is another than the one that the words are about.
    """
    wanted_value = threshold.limit if threshold.good()[0] == "==" and not threshold.bad else None
    if wanted_value == 1 and value in {0, 1}:
        return _STATES.get(threshold.metric, ("", ""))[not passed]
    if wanted_value != 0:
        return ""
    if threshold.metric == "visual_difference":
        return "looks as accepted" if passed else f"{wording.number(value)} % of the pixels differ"
    says = _COUNTED.get(threshold.metric, "").format(k=wording.number(value), n=f"{seen.n:,}")
    return says if passed or not says else f"{says}, {limit(threshold)} wanted"


def words(threshold: Threshold) -> str:
    """The metric in words: ``error rate``."""
    return threshold.metric.replace("_", " ")


def noun(threshold: Threshold) -> str:
    """What is counted: ``requests``."""
    return _NOUNS[threshold.aggregation]


def limit(threshold: Threshold) -> str:
    """The limit with its unit: ``2 %``, ``500 ms``, ``85``."""
    if threshold.aggregation in {Aggregation.RATE, Aggregation.SHARE}:
        return wording.percent(threshold.limit)
    return f"{wording.number(threshold.limit)} {threshold.unit}".rstrip()


def wanted(threshold: Threshold) -> str:
    """The good side: ``2 % allowed``, ``at least 85 wanted``."""
    if threshold.aggregation is Aggregation.RATE:
        return f"{limit(threshold)} allowed"
    return f"{_IS[threshold.good()[0]]} {limit(threshold)} wanted"


def ruling(threshold: Threshold, *, passed: bool) -> str:
    """On which side it lies: ``is below 2 %``; of a condition that must not hold, whether it holds."""
    if threshold.bad:
        return f'{"does not trigger" if passed else "triggers"} "{threshold.source}"'
    return f"is {(_IS if passed else _IS_NOT)[threshold.operator]} {limit(threshold)}"


def verdict(threshold: Threshold, *, passed: bool) -> str:
    """The same after a colon, where the numbers stand before it: ``above the limit``."""
    if threshold.bad:
        return ruling(threshold, passed=passed)
    return "within the limit" if passed else "above the limit"


def forecast(threshold: Threshold, seen: Measurement, more: int | None) -> str:
    """How much more it takes: ``needs about 900 more requests, 5 s at this rate``."""
    if more is None:
        return "the observed rate sits at the limit, where no number decides"
    says = f"needs about {wording.about(more)} more {noun(threshold)}"
    if seen.n and seen.end > seen.start:
        says += f", {wording.duration(more * (seen.end - seen.start) / seen.n)} at this rate"
    return says
