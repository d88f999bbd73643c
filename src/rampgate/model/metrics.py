"""The metrics that thresholds may name: each with its kind, its unit and one sentence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rampgate.model.statistics import SD_FLOOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Kind(StrEnum):
    """How a metric is counted, which decides how it may be judged."""

    RATE = "rate"
    """n and failures; judged by an exact binomial bound."""
    LATENCY = "latency"
    """n, exact exceedance counts and a histogram, in milliseconds; judged by exceedances."""
    SHARE = "share"
    """n and how many were on; judged for equality with a percentage, exact and two-sided."""
    COUNT = "count"
    """A number of wrong observations among n; compared exactly, and n = 0 is no evidence."""
    VALUE = "value"
    """One number; compared as it is."""
    SCORE = "score"
    """Several scores of 0 to 100; the median is judged by a stated model."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Args:
        name: in thresholds.
        kind: how it is counted.
        unit: canonical.
        says: what it is, in a sentence.
        good: the sentence when all is well, of a metric that is one or zero, or counts what is wrong. It may
            name ``{n}`` observations, and ``{versions}``; or it is ``{note}``, the measurement's own.
        bad: the sentence when it is not, which may name ``{k}``, the wrong ones, too; "" where the note of
            the measurement says it. Of a rate: what failed.
        sd_floor: of a score: the least standard deviation that it is judged with, in points.
        least: observations below which it cannot pass.
        percentile: of a value that is one: which, as a fraction; where it is counted it is judged as such.
    """

    name: str
    kind: Kind
    unit: str
    says: str
    good: str = ""
    bad: str = ""
    sd_floor: float = SD_FLOOR
    least: int = 0
    percentile: float = 0.0


_ALL = (
    Metric("http_req_duration", Kind.LATENCY, "ms", "response time under load"),
    Metric("http_req_failed", Kind.RATE, "", "share of requests under load that failed"),
    Metric(
        "accounts_failed", Kind.COUNT, "", "accounts under load that could not sign in, tried three times"
    ),
    Metric("session_renewals", Kind.VALUE, "", "renewals a minute of the session that ran out most often"),
    Metric(
        "other_requests", Kind.VALUE, "", "requests of other users in the same locustfile, judged nowhere"
    ),
    Metric("abort_evidence", Kind.VALUE, "", "log evidence, while a load runs, that a threshold is broken"),
    Metric("up", Kind.VALUE, "", "1 when the service answers its health address with 2xx, else 0"),
    Metric("mongodb_up", Kind.VALUE, "", "1 when MongoDB answers a ping, else 0"),
    Metric("redis_up", Kind.VALUE, "", "1 when Redis answers a ping, else 0"),
    Metric("mongodb_round_trip", Kind.VALUE, "", "1 when a document written is read back, else 0"),
    Metric("redis_round_trip", Kind.VALUE, "", "1 when a key written is read back, else 0"),
    Metric("cache_hit_rate", Kind.VALUE, "%", "keyspace hits among all look-ups since the server started"),
    Metric("time_to_healthy", Kind.VALUE, "s", "seconds to the first healthy answer"),
    Metric("sign_in_up", Kind.VALUE, "", "1 when a known-good account can sign in, else 0"),
    Metric("lighthouse_performance_score", Kind.SCORE, "", "Lighthouse performance, 0 to 100"),
    Metric(
        "lighthouse_accessibility_score", Kind.SCORE, "", "Lighthouse accessibility, 0 to 100", sd_floor=0.5
    ),
    Metric("monitor_up", Kind.VALUE, "", "1 when a monitoring service answers that it is healthy, else 0"),
    Metric("jobs_down", Kind.COUNT, "", "scrape jobs of Prometheus that are not up"),
    Metric("rules_missing", Kind.COUNT, "", "alerting rules that Prometheus has not loaded"),
    Metric("metrics_missing", Kind.COUNT, "", "metrics that are not delivered to Prometheus"),
    Metric("backup_taken", Kind.VALUE, "", "1 when a whole backup was written, else 0"),
    Metric("backup_differences", Kind.COUNT, "", "differences between the data and its backup, restored"),
    Metric("backup_bytes", Kind.VALUE, "", "bytes of a backup"),
    Metric("backup_time", Kind.VALUE, "s", "seconds that a backup took"),
    Metric("restore_time", Kind.VALUE, "s", "seconds that its proof took"),
    Metric("command_exit_code", Kind.VALUE, "", "exit code of a command"),
    Metric("command_time", Kind.VALUE, "s", "seconds that a command took"),
    Metric("bundle_bytes", Kind.VALUE, "", "bytes of the scripts"),
    Metric("bundle_bytes_gzip", Kind.VALUE, "", "bytes of the scripts, compressed"),
    Metric("bundle_growth", Kind.VALUE, "%", "growth of the scripts against the newest baseline"),
    Metric("flag_start_mismatches", Kind.COUNT, "", "flags that are not at their start values"),
    Metric("flag_sources_differ", Kind.COUNT, "", "flags on whose start value the sources do not agree"),
    Metric(
        "flag_scenario_mismatches", Kind.COUNT, "", "decisions in a scratch store that are not as planned"
    ),
    Metric("flag_nesting_broken", Kind.COUNT, "", "users who lose a flag when the percentage rises"),
    Metric("testers_unreached", Kind.COUNT, "", "testers, on by name, who do not get a flag at its start"),
    Metric("picture_taken", Kind.VALUE, "", "1 when a picture of a page was taken"),
    Metric("visual_difference", Kind.VALUE, "%", "pixels of a page that differ beyond the tolerance"),
    Metric("flag_off_when_on", Kind.COUNT, "", "flags that are off for an account that must have them"),
    Metric("visit_seen", Kind.VALUE, "", "1 when a visit raises what the monitoring counts, else 0"),
    Metric("cache_misses", Kind.COUNT, "", "repeated requests that were not answered from the cache"),
    Metric("query_uses_index", Kind.VALUE, "", "1 when a query is answered from an index, else 0"),
    Metric("paging_repeats", Kind.COUNT, "", "items that paging returns twice"),
    Metric("paging_gaps", Kind.COUNT, "", "items that paging leaves out"),
    Metric("theme_switched", Kind.VALUE, "", "1 when the switch changes the theme, else 0"),
    Metric("theme_layout_shift", Kind.VALUE, "", "layout shift while the theme is switched"),
    Metric("console_errors", Kind.COUNT, "", "errors that a page writes to the console"),
    Metric("service_worker_active", Kind.VALUE, "", "1 when a service worker controls the page, else 0"),
    Metric("offline_page_up", Kind.VALUE, "", "1 when the page comes without a network, else 0"),
    Metric("list_rows", Kind.VALUE, "", "most rows of a list in the page at once"),
    Metric("list_rows_too_many", Kind.COUNT, "", "looks at a list that found more rows than allowed"),
    Metric("list_reached_end", Kind.VALUE, "", "1 when a list can be read to its end, else 0"),
    Metric("job_done", Kind.VALUE, "", "1 when a queued job was done in time, else 0"),
    Metric("job_time", Kind.VALUE, "s", "seconds from queueing a job to its end"),
    Metric("features_left", Kind.COUNT, "", "features that are still on after a rollback"),
    Metric("tab_features_left", Kind.COUNT, "", "features that are still on in a tab after a rollback"),
    Metric("tab_off_time", Kind.VALUE, "s", "seconds until a tab read that the features are off"),
    Metric("data_items", Kind.VALUE, "", "how much of the users' data is there"),
    Metric(
        "web_vitals_lcp",
        Kind.VALUE,
        "ms",
        "75th percentile of visits: largest contentful paint",
        percentile=0.75,
    ),
    Metric(
        "web_vitals_cls",
        Kind.VALUE,
        "",
        "75th percentile of visits: cumulative layout shift",
        percentile=0.75,
    ),
    Metric(
        "web_vitals_inp",
        Kind.VALUE,
        "ms",
        "75th percentile of visits: interaction to next paint",
        percentile=0.75,
    ),
    Metric(
        "web_vitals_fcp",
        Kind.VALUE,
        "ms",
        "75th percentile of visits: first contentful paint",
        percentile=0.75,
    ),
    Metric(
        "web_vitals_ttfb", Kind.VALUE, "ms", "75th percentile of visits: time to first byte", percentile=0.75
    ),
    Metric("user_feedback_score", Kind.VALUE, "", "mean of the users' marks"),
    Metric("database_connection_failures", Kind.COUNT, "", "failed connections to the database"),
    Metric("database_connection_pool", Kind.VALUE, "%", "connections in use among those of the pool"),
    Metric("database_query_time", Kind.LATENCY, "ms", "time of an operation of the database"),
    Metric("cache_memory", Kind.VALUE, "%", "memory that the cache uses of what it may use"),
)

_SENTENCES = {
    "accounts_failed": ("{n} of {n} accounts could sign in", "{k} of {n} accounts could not sign in"),
    "session_renewals": ("{note}", "sessions run out too fast: {note}"),
    "abort_evidence": ("no limit was broken while the load ran", ""),
    "up": ("answers", ""),
    "mongodb_up": ("MongoDB answers", ""),
    "redis_up": ("Redis answers", ""),
    "mongodb_round_trip": (
        "a document that was written is read back",
        "a document that was written is not read back",
    ),
    "redis_round_trip": ("a key that was written is read back", "a key that was written is not read back"),
    "sign_in_up": ("a known-good account can sign in", ""),
    "monitor_up": ("answers that it is healthy", "does not answer that it is healthy"),
    "jobs_down": ("all {n} scrape jobs are up", "{k} of {n} scrape jobs are not up"),
    "rules_missing": ("all {n} alerting rules are loaded", "{k} of {n} alerting rules are not loaded"),
    "metrics_missing": ("all {n} metrics are delivered", "{k} of {n} metrics are not delivered"),
    "backup_taken": ("a whole backup was written", "no whole backup was written"),
    "backup_differences": (
        "{n} comparisons with the backup, no difference",
        "{k} differences in {n} comparisons with the backup",
    ),
    "command_exit_code": ("ended with exit code 0", "ended with exit code {k}"),
    "flag_start_mismatches": (
        "all {n} values of flags are as at the start",
        "{k} of {n} values of flags are not as at the start",
    ),
    "flag_sources_differ": ("the sources agree on all {n} flags", "the sources differ on {k} of {n} flags"),
    "flag_scenario_mismatches": (
        "all {n} decisions are as planned",
        "{k} of {n} decisions are not as planned",
    ),
    "flag_nesting_broken": (
        "no user of {n} lost the flag as the percentage rose",
        "{k} of {n} times a user lost the flag as the percentage rose",
    ),
    "testers_unreached": ("all {n} testers get the flag", "{k} of {n} testers do not get the flag"),
    "visual_difference": ("looks as accepted", "{k} % of the pixels differ"),
    "flag_off_when_on": ("all {n} flags that must be on are on", "{k} of {n} flags that must be on are off"),
    "visit_seen": ("a visit is counted", "a visit is not counted"),
    "cache_misses": (
        "all {n} repeated requests were answered from the cache",
        "{k} of {n} repeated requests were not answered from the cache",
    ),
    "query_uses_index": ("answered from an index", "not answered from an index"),
    "paging_repeats": ("no item of {n} came twice", "{k} of {n} items came twice"),
    "paging_gaps": ("{n} items read, none left out", "{k} items left out, {n} read"),
    "theme_switched": ("the switch changes the theme", "the switch does not change the theme"),
    "console_errors": ("no error on the console", "errors on the console: {k}"),
    "service_worker_active": ("a service worker controls the page", "no service worker controls the page"),
    "offline_page_up": ("the page comes without a network", "the page does not come without a network"),
    "list_rows_too_many": (
        "the list never had too many rows, counted {n} times",
        "the list had too many rows {k} of {n} times",
    ),
    "list_reached_end": ("the list can be read to its end", "the list cannot be read to its end"),
    "job_done": ("the job was done in time", "the job was not done in time"),
    "features_left": ("off, asked {n} times", "{k} of {n} times still on"),
    "tab_features_left": ("{note}", "{k} of {n} features are still on in a tab that was loaded again"),
}
"""The sentences of metrics that have their own: ``Metric.good`` and ``Metric.bad``."""

METRICS: dict[str, Metric] = {
    metric.name: replace(metric, good=good, bad=bad)
    for metric in _ALL
    for good, bad in [_SENTENCES.get(metric.name, ("", ""))]
}
"""Every built-in metric by name; settings may add their own."""

ALIASES: dict[str, str] = {
    "performance_score": "lighthouse_performance_score",
    **{f"web_vitals_{vital}_p75": f"web_vitals_{vital}" for vital in ("lcp", "cls", "inp", "fcp", "ttfb")},
}
"""Other names under which policies know a metric."""


_FACTORS = {("ms", "s"): 1000.0, ("s", "ms"): 0.001}
_FRACTIONS = {Kind.RATE, Kind.SHARE}


def factor(metric: Metric, unit: str) -> float | None:
    """What a value in a unit is multiplied with, so that it is in the one in which its metric is judged.

    Args:
        metric: rates and shares are fractions.
        unit: in which it is read, "" for the metric's own.

    Returns:
        None: the metric is not measured in such a unit.
    """
    if metric.kind in _FRACTIONS:
        return {"": 1.0, "%": 0.01}.get(unit)
    return 1.0 if unit in {"", metric.unit} else _FACTORS.get((metric.unit, unit))


def add(metrics: Iterable[Metric]) -> None:
    """Make the metrics of a check known.

    Raises:
        ValueError: another metric has the name.
    """
    for metric in metrics:
        if METRICS.setdefault(metric.name, metric) != metric:
            raise ValueError(f"the metric {metric.name} is defined twice")


def registry(declared: Iterable[Mapping[str, Any]] = ()) -> dict[str, Metric]:
    """The built-in metrics and those that settings declare (tables with a name and a unit)."""
    entries = list(declared)
    own = (Metric(m["name"], Kind.VALUE, m.get("unit", ""), "reported by the deployment") for m in entries)
    counted = (entry["name"] for entry in entries if entry.get("buckets"))
    return {**{metric.name: metric for metric in own}, **METRICS, **percentiles(counted)}


def percentiles(counted: Iterable[str]) -> dict[str, Metric]:
    """Of metrics that are read as histograms, those that are a percentile, which counts can judge."""
    known = (METRICS[name] for name in counted if name in METRICS)
    return {each.name: replace(each, kind=Kind.LATENCY) for each in known if each.percentile}
