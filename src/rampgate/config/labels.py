"""Which labels a measurement can carry, so that no threshold's ``where`` waits for one in vain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rampgate.checks.frame.discovery import check_of
from rampgate.config.problems import near

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rampgate.config.settings import Settings

_RAMP_STAGE = re.compile(r"plateau|whole run|stage \d+: \S+ to \S+ users")
_RAMP_STAGES = "plateau, whole run, or a stage as the report names it (stage 1: 0 to 20 users)"


def wrong(where: Mapping[str, str], metric: str, settings: Settings) -> Iterator[str]:
    """What of a ``where`` no measurement of this metric can ever carry, each as key, found, accepted.

    Args:
        where: label -> value, as the settings say.
        metric: what the threshold is about.
        settings: name the endpoints, pages and flags.
    """
    known = _known(metric, settings)
    for label, value in where.items():
        if label not in known:
            accepted = f"accepted are {', '.join(known)}" if known else f"{metric} has no labels"
            yield f"where: found the label {label!r}; {near(label, list(known))}{accepted}"
        elif label == "ramp_stage":
            if not _RAMP_STAGE.fullmatch(value):
                yield f"where.ramp_stage: found {value!r}; accepted are {_RAMP_STAGES}"
        elif (values := known[label]) is not None and value not in values:
            accepted = ", ".join(values) or f"none, for the settings name no such {label}"
            yield f"where.{label}: found {value!r}; accepted are {accepted}"


def _known(metric: str, settings: Settings) -> Mapping[str, Sequence[str] | None]:
    """Label -> the values that it can have, None where they are not known before."""
    own = _of_settings(settings)
    own |= {name: dict.fromkeys(labels) for labels, names in _ANY for name in names}
    if metric not in own and (check := check_of(metric)):
        return check.labels(settings.table(check.table))
    return own.get(metric, {})


_ANY = (
    ((), ("api_outage",)),
    (("bundle",), ("bundle_bytes", "bundle_bytes_gzip", "bundle_growth")),
    (("command",), ("command_exit_code", "command_time")),
    (("path",), ("cache_misses",)),
    (("percentage",), ("flag_scenario_mismatches",)),
    (("query",), ("query_uses_index",)),
    (("service",), ("monitor_up", "backup_taken", "backup_differences", "backup_bytes", "backup_time")),
    (("service",), ("restore_time",)),
    (("source",), ("flag_start_mismatches",)),
    (("sources",), ("flag_sources_differ",)),
    (("threshold",), ("abort_evidence",)),
    (("where",), ("visit_seen",)),
)
"""Labels, and the metrics that carry just these; what is neither here nor below nor in checks/ has none."""
_OF_PAGES = (
    "console_errors",
    "list_reached_end",
    "list_rows",
    "list_rows_too_many",
    "offline_page_up",
    "picture_taken",
    "service_worker_active",
    "theme_layout_shift",
    "theme_switched",
    "visual_difference",
)


def _of_settings(settings: Settings) -> dict[str, dict[str, Sequence[str] | None]]:
    """Metric -> label -> values that the settings name."""
    endpoints, pages, target = settings.endpoints, settings.pages, settings.target
    audited = [page for page in pages if page.lighthouse]
    flags = list(settings.flags.expected) if settings.flags else []
    web = ["web"] if target.web and target.web != target.api else []
    services = [*web, *(["api"] if target.api else [])]
    under_load: dict[str, Sequence[str] | None] = {
        "endpoint": [endpoint.name for endpoint in endpoints if endpoint.load],
        "cohort": ["on", "off"],
        "ramp_stage": [],
    }
    of_audit: dict[str, Sequence[str] | None] = {
        "page": [page.name for page in audited],
        "form_factor": sorted({page.form_factor for page in audited}),
    }
    found = dict.fromkeys(("http_req_duration", "http_req_failed"), under_load)
    found |= dict.fromkeys(("lighthouse_performance_score", "lighthouse_accessibility_score"), of_audit)
    named: tuple[tuple[str, Sequence[str], tuple[str, ...]], ...] = (
        ("service", services, ("up", "time_to_healthy")),
        ("service", services[-1:], ("wrong_version", "version_lost", "instances_missing")),
        ("service", ["mongodb"], ("mongodb_up", "mongodb_round_trip")),
        ("service", ["redis"], ("redis_up", "redis_round_trip", "cache_hit_rate")),
        ("flag", flags, ("flag_changed", "flag_share", "flag_on_when_off", "flag_nesting_broken")),
        ("page", [page.name for page in pages], _OF_PAGES),
    )
    return found | {name: {label: values} for label, values, names in named for name in names}
