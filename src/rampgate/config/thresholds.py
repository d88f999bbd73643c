"""What [thresholds] may say, and the thresholds in force when it says nothing."""

from __future__ import annotations

from pydantic import Field, model_validator

from rampgate.checks.frame.check import DefaultThreshold
from rampgate.checks.frame.discovery import checks, once
from rampgate.checks.frame.table import Table
from rampgate.outcome import Severity

CRITICAL = Severity.CRITICAL


class ThresholdSettings(Table):
    """[thresholds.NAME]: a condition that must hold, or with bad = true one that must not; also as a text."""

    expect: str
    severity: Severity | None = Field(
        default=None, description="that of the default of this name, else warning"
    )
    bad: bool | None = Field(default=None, description="that of the default of this name, else false")
    where: dict[str, str] = Field(default_factory=dict)
    abort: bool = Field(default=True, description="under load: whether it may end the run early")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: object) -> object:
        if not isinstance(given, str | dict | cls):
            raise ValueError("accepted is a text such as error_rate < 1%, or a table with expect")  # noqa: TRY004  # pydantic wants a ValueError
        return {"expect": given} if isinstance(given, str) else given


_BUILT_IN = (
    DefaultThreshold("service_up", "up == 1", CRITICAL),
    DefaultThreshold("sign_in", "sign_in_up == 1", CRITICAL),
    DefaultThreshold("mongodb_up", "mongodb_up == 1", CRITICAL),
    DefaultThreshold("mongodb_round_trip", "mongodb_round_trip == 1", CRITICAL),
    DefaultThreshold("performance_critical", "lighthouse_performance_score < 50", CRITICAL, bad=True),
    DefaultThreshold("redis_up", "redis_up == 1"),
    DefaultThreshold("redis_round_trip", "redis_round_trip == 1"),
    DefaultThreshold("performance", "lighthouse_performance_score >= 85"),
    DefaultThreshold("accessibility", "lighthouse_accessibility_score >= 95"),
    # Before a deploy.
    DefaultThreshold("monitor_up", "monitor_up == 1", CRITICAL),
    DefaultThreshold("jobs_up", "jobs_down == 0", CRITICAL),
    DefaultThreshold("rules_loaded", "rules_missing == 0", CRITICAL),
    DefaultThreshold("metrics_delivered", "metrics_missing == 0", CRITICAL),
    DefaultThreshold("backup_taken", "backup_taken == 1", CRITICAL),
    DefaultThreshold("backup_restorable", "backup_differences == 0", CRITICAL),
    DefaultThreshold("command_succeeds", "command_exit_code == 0", CRITICAL),
    DefaultThreshold("flags_at_start", "flag_start_mismatches == 0", CRITICAL),
    DefaultThreshold("flag_sources_agree", "flag_sources_differ == 0", CRITICAL),
    DefaultThreshold("flag_scenarios", "flag_scenario_mismatches == 0", CRITICAL),
    DefaultThreshold("flag_nesting", "flag_nesting_broken == 0", CRITICAL),
    DefaultThreshold("testers_reached", "testers_unreached == 0"),
    DefaultThreshold("looks_same", "visual_difference == 0"),
    # The steps of a deploy.
    DefaultThreshold("flag_off_when_on", "flag_off_when_on == 0", CRITICAL),
    DefaultThreshold("visit_seen", "visit_seen == 1"),
    DefaultThreshold("cache_hits", "cache_misses == 0"),
    DefaultThreshold("queries_use_index", "query_uses_index == 1"),
    DefaultThreshold("paging_repeats", "paging_repeats == 0", CRITICAL),
    DefaultThreshold("paging_gaps", "paging_gaps == 0", CRITICAL),
    DefaultThreshold("theme_switches", "theme_switched == 1"),
    DefaultThreshold("theme_shifts_nothing", "theme_layout_shift < 0.01"),
    DefaultThreshold("console_quiet", "console_errors == 0"),
    DefaultThreshold("bundle_not_grown", "bundle_growth <= 0%"),
    DefaultThreshold("service_worker_active", "service_worker_active == 1"),
    DefaultThreshold("serves_offline", "offline_page_up == 1"),
    DefaultThreshold("list_reaches_end", "list_reached_end == 1"),
    DefaultThreshold("list_is_short", "list_rows_too_many == 0"),
    DefaultThreshold("jobs_done", "job_done == 1"),
    # After a rollback.
    DefaultThreshold("features_off", "features_left == 0", CRITICAL),
    DefaultThreshold("tab_off", "tab_features_left == 0", CRITICAL),
)


def defaults() -> tuple[DefaultThreshold, ...]:
    """The rules of all stages. Settings may add to them, or change one by its name."""
    found = (*_BUILT_IN, *(threshold for check in checks() for threshold in check.thresholds))
    once("threshold", [threshold.name for threshold in found])
    return found
