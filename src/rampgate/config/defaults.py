"""The thresholds that are in force when the settings say nothing."""

from __future__ import annotations

from rampgate.outcome import Severity

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING

DEFAULTS: tuple[tuple[str, str, Severity, bool], ...] = (
    # name, text, severity, whether the text says what is bad
    ("error_rate_critical", "error_rate > 5%", CRITICAL, True),
    ("body_failures", "body_failure_rate > 5%", CRITICAL, True),
    ("api_p95_critical", "api_response_time_p95 > 5000ms", CRITICAL, True),
    ("service_up", "up == 1", CRITICAL, False),
    ("page_up", "page_up == 1", CRITICAL, False),
    ("sign_in", "sign_in_up == 1", CRITICAL, False),
    ("mongodb_up", "mongodb_up == 1", CRITICAL, False),
    ("mongodb_round_trip", "mongodb_round_trip == 1", CRITICAL, False),
    ("flag_on_when_off", "flag_on_when_off == 0", CRITICAL, False),
    ("performance_critical", "lighthouse_performance_score < 50", CRITICAL, True),
    ("error_rate_warning", "error_rate < 2%", WARNING, False),
    ("api_p95_suite", "api_response_time_p95 < 500ms", WARNING, False),
    ("api_p95_script", "api_response_time_p95 < 1000ms", WARNING, False),
    ("redis_up", "redis_up == 1", WARNING, False),
    ("redis_round_trip", "redis_round_trip == 1", WARNING, False),
    ("version", "wrong_version == 0", WARNING, False),
    ("flag_equality", "flag_mismatches == 0", WARNING, False),
    ("flag_sticky", "flag_changed == 0", WARNING, False),
    ("performance", "lighthouse_performance_score >= 85", WARNING, False),
    ("accessibility", "lighthouse_accessibility_score >= 95", WARNING, False),
    # Before a deploy.
    ("monitor_up", "monitor_up == 1", CRITICAL, False),
    ("jobs_up", "jobs_down == 0", CRITICAL, False),
    ("rules_loaded", "rules_missing == 0", CRITICAL, False),
    ("metrics_delivered", "metrics_missing == 0", CRITICAL, False),
    ("alert_delivered", "alert_delivered == 1", CRITICAL, False),
    ("backup_taken", "backup_taken == 1", CRITICAL, False),
    ("backup_restorable", "backup_differences == 0", CRITICAL, False),
    ("command_succeeds", "command_exit_code == 0", CRITICAL, False),
    ("flags_at_start", "flag_start_mismatches == 0", CRITICAL, False),
    ("flag_sources_agree", "flag_sources_differ == 0", CRITICAL, False),
    ("flag_scenarios", "flag_scenario_mismatches == 0", CRITICAL, False),
    ("flag_nesting", "flag_nesting_broken == 0", CRITICAL, False),
    ("testers_reached", "testers_unreached == 0", WARNING, False),
    ("looks_same", "visual_difference == 0", WARNING, False),
    # The steps of a deploy.
    ("flag_off_when_on", "flag_off_when_on == 0", CRITICAL, False),
    ("visit_seen", "visit_seen == 1", WARNING, False),
    ("cache_hits", "cache_misses == 0", WARNING, False),
    ("queries_use_index", "query_uses_index == 1", WARNING, False),
    ("paging_repeats", "paging_repeats == 0", CRITICAL, False),
    ("paging_gaps", "paging_gaps == 0", CRITICAL, False),
    ("theme_switches", "theme_switched == 1", WARNING, False),
    ("theme_shifts_nothing", "theme_layout_shift < 0.01", WARNING, False),
    ("console_quiet", "console_errors == 0", WARNING, False),
    ("bundle_not_grown", "bundle_growth <= 0%", WARNING, False),
    ("service_worker_active", "service_worker_active == 1", WARNING, False),
    ("serves_offline", "offline_page_up == 1", WARNING, False),
    ("list_reaches_end", "list_reached_end == 1", WARNING, False),
    ("list_is_short", "list_rows_too_many == 0", WARNING, False),
    ("jobs_done", "job_done == 1", WARNING, False),
)
"""The rules of all stages, as a table. Settings may add to them, or change one by its name."""
