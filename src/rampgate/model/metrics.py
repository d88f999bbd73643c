"""The metrics that thresholds may name: each with its kind, its unit and one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

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
    """One metric: its name in thresholds, kind, canonical unit, and what it says."""

    name: str
    kind: Kind
    unit: str
    says: str


_ALL = (
    Metric(
        "error_rate", Kind.RATE, "", "share of requests that failed: no answer, or not the expected status"
    ),
    Metric("api_response_time", Kind.LATENCY, "ms", "time to the last byte of an API answer"),
    Metric("body_failure_rate", Kind.RATE, "", "share of 2xx answers whose body fails its check"),
    Metric("http_req_duration", Kind.LATENCY, "ms", "response time under load"),
    Metric("http_req_failed", Kind.RATE, "", "share of requests under load that failed"),
    Metric("abort_evidence", Kind.VALUE, "", "log evidence, while a load runs, that a threshold is broken"),
    Metric("up", Kind.VALUE, "", "1 when the service answers its health address with 2xx, else 0"),
    Metric("mongodb_up", Kind.VALUE, "", "1 when MongoDB answers a ping, else 0"),
    Metric("redis_up", Kind.VALUE, "", "1 when Redis answers a ping, else 0"),
    Metric("mongodb_round_trip", Kind.VALUE, "", "1 when a document written is read back, else 0"),
    Metric("redis_round_trip", Kind.VALUE, "", "1 when a key written is read back, else 0"),
    Metric("cache_hit_rate", Kind.VALUE, "%", "keyspace hits among all look-ups since the server started"),
    Metric("time_to_healthy", Kind.VALUE, "s", "seconds to the first healthy answer"),
    Metric("sign_in_up", Kind.VALUE, "", "1 when a known-good account can sign in, else 0"),
    Metric("page_up", Kind.VALUE, "", "1 when the page answers with 2xx, else 0"),
    Metric("wrong_version", Kind.COUNT, "", "connections answered by another version than the expected"),
    Metric("flag_mismatches", Kind.COUNT, "", "flag decisions that differ from the reference bucket"),
    Metric("flag_changed", Kind.COUNT, "", "flag decisions that changed when asked again"),
    Metric("flag_on_when_off", Kind.COUNT, "", "users who get a flag that must be off for everybody"),
    Metric("flag_share", Kind.SHARE, "", "share of users for whom a flag is on"),
    Metric("lighthouse_performance_score", Kind.SCORE, "", "Lighthouse performance, 0 to 100"),
    Metric("lighthouse_accessibility_score", Kind.SCORE, "", "Lighthouse accessibility, 0 to 100"),
    Metric("monitor_up", Kind.VALUE, "", "1 when a monitoring service answers that it is healthy, else 0"),
    Metric("jobs_down", Kind.COUNT, "", "scrape jobs of Prometheus that are not up"),
    Metric("rules_missing", Kind.COUNT, "", "alerting rules that Prometheus has not loaded"),
    Metric("metrics_missing", Kind.COUNT, "", "metrics that nobody delivers to Prometheus"),
    Metric("alert_delivered", Kind.VALUE, "", "1 when a channel took a message and it arrived, else 0"),
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
    Metric("web_vitals_lcp", Kind.VALUE, "ms", "75th percentile of visits: largest contentful paint"),
    Metric("web_vitals_cls", Kind.VALUE, "", "75th percentile of visits: cumulative layout shift"),
    Metric("web_vitals_inp", Kind.VALUE, "ms", "75th percentile of visits: interaction to next paint"),
    Metric("web_vitals_fcp", Kind.VALUE, "ms", "75th percentile of visits: first contentful paint"),
    Metric("web_vitals_ttfb", Kind.VALUE, "ms", "75th percentile of visits: time to first byte"),
    Metric("user_feedback_score", Kind.VALUE, "", "mean of the users' marks"),
    Metric("database_connection_failures", Kind.COUNT, "", "failed connections to the database"),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""Every built-in metric by name; settings may add their own."""

ALIASES: dict[str, str] = {"performance_score": "lighthouse_performance_score"}
"""Other names under which policies know a metric."""


def registry(declared: Iterable[Mapping[str, Any]] = ()) -> dict[str, Metric]:
    """The built-in metrics and those that settings declare (tables with a name and a unit)."""
    own = (Metric(m["name"], Kind.VALUE, m.get("unit", ""), "reported by the deployment") for m in declared)
    return {**{metric.name: metric for metric in own}, **METRICS}
