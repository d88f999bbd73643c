"""Settings of a watch that reads every metric of the policy files from Prometheus, in each form."""

from __future__ import annotations

import json
from pathlib import Path

MONITORING = Path(__file__).parents[2] / "monitoring"
POLICY = [
    str(MONITORING / name)
    for name in ("rollback-triggers.yml", "production-alerts.yml", "production-monitoring.yml")
]


def written(
    folder: Path, metrics: str | None = None, policy: list[str] | None = None, rest: str = ""
) -> Path:
    """The settings as a file in a folder."""
    path = folder / "rampgate.toml"
    head = HEAD.replace("{policy}", json.dumps(POLICY if policy is None else policy))
    path.write_text(head + rest + (METRICS if metrics is None else metrics), encoding="utf-8")
    return path


HEAD = """
environment = "proof"
policy = {policy}
[target]
api = "http://127.0.0.1:5000"
[monitoring]
prometheus = "http://127.0.0.1:9090"
"""
METRICS = """
[[metrics]]
name = "error_rate"
source = "promql"
total = "http_requests_total"
failed = "http_requests_total{status=~'5..'}"
[[metrics]]
name = "api_response_time"
source = "promql"
total = "http_request_duration_seconds_count"
buckets = "http_request_duration_seconds_bucket"
[[metrics]]
name = "lighthouse_performance_score"
source = "promql"
value = "min(lighthouse_performance_score)"
[[metrics]]
name = "database_connection_failures"
source = "promql"
count = "database_connection_failures_total"
[[metrics]]
name = "user_feedback_score"
source = "promql"
value = "avg(user_feedback_score)"
responses = "sum(user_feedback_responses)"
[[metrics]]
name = "web_vitals_lcp"
source = "promql"
unit = "s"
value = "max(web_vitals_lcp_p75_seconds)"
[[metrics]]
name = "up"
source = "promql"
value = "up{job='api'}"
[[metrics]]
name = "mongodb_up"
source = "promql"
value = "mongodb_up"
[[metrics]]
name = "database_query_time"
source = "promql"
total = "database_query_seconds_count"
buckets = "database_query_seconds_bucket"
[[metrics]]
name = "database_connection_pool"
source = "promql"
unit = "%"
value = "database_connection_pool_percent"
[[metrics]]
name = "cache_hit_rate"
source = "promql"
total = "cache_lookups_total"
failed = "cache_lookups_total{result='miss'}"
[[metrics]]
name = "cache_memory"
source = "promql"
unit = "%"
value = "redis_memory_percent"
"""
