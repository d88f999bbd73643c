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

    A metric that is not named here may carry any label: the checks of a user's own measure it.

    Args:
        where: label -> value, as the settings say.
        metric: what the threshold is about.
        settings: name the endpoints, pages and flags.
    """
    known = _known(metric, settings)
    if known is None:
        return
    for label, value in where.items():
        if label not in known:
            accepted = f"accepted are {', '.join(known)}" if known else f"{metric} has no labels"
            yield f"where: found the label {label!r}; {near(label, list(known))}{accepted}"
        elif label == "ramp_stage":
            if not _RAMP_STAGE.fullmatch(value):
                yield f"where.ramp_stage: found {value!r}; accepted are {_RAMP_STAGES}"
        elif value not in known[label]:
            accepted = ", ".join(known[label]) or f"none, for the settings name no such {label}"
            yield f"where.{label}: found {value!r}; accepted are {accepted}"


def _known(metric: str, settings: Settings) -> Mapping[str, Sequence[str]] | None:
    """Label -> the values that it can have; None of a metric that may carry any."""
    if check := check_of(metric):
        return check.labels(settings.table(check.table))
    endpoints, pages = settings.endpoints, settings.pages
    under_load = {
        "endpoint": [endpoint.name for endpoint in endpoints if endpoint.load],
        "cohort": ["on", "off"],
        "ramp_stage": [],
    }
    of_service = {"service": ["web", "api"]}
    of_audit = {
        "page": [page.name for page in pages if page.lighthouse],
        "form_factor": ["mobile", "desktop"],
    }
    return {
        **dict.fromkeys(("http_req_duration", "http_req_failed"), under_load),
        **dict.fromkeys(("up", "time_to_healthy"), of_service),
        **dict.fromkeys(("lighthouse_performance_score", "lighthouse_accessibility_score"), of_audit),
    }.get(metric)
