"""The policy files: rollback-triggers.yml, production-alerts.yml and production-monitoring.yml.

Each is known by the one key at its top. Every key has an effect, and an unknown one is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationError, field_validator

from rampgate.checks.frame.table import Duration, Table, seconds
from rampgate.config.problems import near, sentences
from rampgate.io.yaml_file import read_yaml
from rampgate.model.redact import Redactor
from rampgate.outcome import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

Text = Annotated[str, Field(min_length=1)]
_DAYS = 86_400.0
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class TriggerFile(Table):
    """rollback-triggers.yml: what is bad, as texts, by severity."""

    rollback_triggers: dict[Severity, list[Text] | None]


class AlertEntry(Table):
    """One alert of production-alerts.yml."""

    name: Text
    condition: Text
    severity: Severity = Severity.WARNING
    duration: Duration = 0.0
    runbook: str = ""
    owner: str = ""


class AlertFile(Table):
    """production-alerts.yml: what is bad for how long, in groups."""

    alerts: dict[str, list[AlertEntry]]


def retention(text: object) -> float:
    """Seconds of a duration, or of a text in days such as ``90d``.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(text, str) and text.strip().endswith("d") and text.strip()[:-1].isdigit():
        return float(text.strip()[:-1]) * _DAYS
    return seconds(text)


class WebVitalsPart(Table):
    """monitoring.web_vitals: how often they are read, over which time, and how long runs are kept."""

    collection_interval: Duration = Field(default=30.0, gt=0)
    aggregation_interval: Duration = Field(default=300.0, gt=0)
    retention: Duration = Field(default=90 * _DAYS, gt=0)

    @field_validator("retention", mode="before")
    @classmethod
    def _in_days(cls, given: object) -> float:
        return retention(given)


class LighthousePart(Table):
    """monitoring.lighthouse: when the watch audits which pages."""

    schedule: str = "0 */6 * * *"
    urls: list[Text] = Field(default_factory=list)

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, schedule: str) -> str:
        from cronsim import CronSim, CronSimError

        try:
            CronSim(schedule, _EPOCH)
        except CronSimError as error:
            raise ValueError(
                f"accepted are the five fields of cron, such as '0 */6 * * *': {error}"
            ) from None
        return schedule


class ApiPart(Table):
    """monitoring.api_performance: the bins of reports and exports in ms, and a limit of the error rate."""

    latency_buckets: list[float] = Field(default_factory=list)
    error_rate_threshold: str | None = None

    @field_validator("latency_buckets")
    @classmethod
    def _rise(cls, buckets: list[float]) -> list[float]:
        if any(later <= earlier for earlier, later in zip([0.0, *buckets], buckets, strict=False)):
            raise ValueError("accepted are milliseconds that rise, such as [50, 100, 200]")
        return buckets


class DatabasePart(Table):
    """monitoring.database: how long an operation may take, and how much of the pool may be in use."""

    slow_query_threshold: str | None = None
    connection_pool_threshold: str | None = None


class CachePart(Table):
    """monitoring.cache: the least share of hits, and how much of its memory it may use."""

    hit_rate_threshold: str | None = None
    memory_threshold: str | None = None


class Monitoring(Table):
    """What production-monitoring.yml says under ``monitoring``."""

    web_vitals: WebVitalsPart = WebVitalsPart()
    lighthouse: LighthousePart | None = None
    api_performance: ApiPart = ApiPart()
    database: DatabasePart = DatabasePart()
    cache: CachePart = CachePart()

    def limits(self) -> dict[str, str]:
        """Key -> the threshold that it stands for; what is good."""
        return {
            f"{part}.{key}": f"{condition} {limit}"
            for part, keys in _LIMITS.items()
            for key, condition in keys.items()
            if (limit := getattr(getattr(self, part), key))
        }


_LIMITS = {
    "api_performance": {"error_rate_threshold": "error_rate <="},
    "database": {
        "slow_query_threshold": "database_query_time_p95 <=",
        "connection_pool_threshold": "database_connection_pool <=",
    },
    "cache": {"hit_rate_threshold": "cache_hit_rate >=", "memory_threshold": "cache_memory <="},
}
"""Part -> key -> the threshold that it completes; what is good."""


class MonitoringFile(Table):
    """production-monitoring.yml."""

    monitoring: Monitoring


_KINDS: dict[str, type[Table]] = {
    "rollback_triggers": TriggerFile,
    "alerts": AlertFile,
    "monitoring": MonitoringFile,
}


@dataclass
class PolicyFiles:
    """What the policy files say; a file that is not there says nothing.

    Args:
        triggers: rollback-triggers.yml.
        alerts: production-alerts.yml.
        monitoring: production-monitoring.yml.
        paths: top-level key -> its file, for messages.
    """

    triggers: TriggerFile = field(default_factory=lambda: TriggerFile(rollback_triggers={}))
    alerts: AlertFile = field(default_factory=lambda: AlertFile(alerts={}))
    monitoring: Monitoring = field(default_factory=Monitoring)
    paths: dict[str, str] = field(default_factory=dict)


def paths(policy: Path | Sequence[Path] | None, base: Path) -> list[Path]:
    """The policy files that the settings name, which are relative to a folder."""
    named = [policy] if isinstance(policy, Path) else policy or []
    return [base / path for path in named]


def read(paths: Sequence[Path], problems: list[str]) -> PolicyFiles:
    """Read the policy files.

    Args:
        paths: one for each kind at most.
        problems: takes a sentence for each problem: file, key, what was found, what is accepted.
    """
    found = PolicyFiles()
    for path in paths:
        try:
            file = _read(path, problems)
        except ValueError as error:
            problems.append(f"{path}: {error}")
            continue
        if file is None:
            continue
        key = next(key for key, kind in _KINDS.items() if isinstance(file, kind))
        if key in found.paths:
            problems.append(
                f"{path}: {key} stands in {found.paths[key]} already; accepted is one file of each kind"
            )
        found.paths[key] = str(path)
        if isinstance(file, TriggerFile):
            found.triggers = file
        elif isinstance(file, AlertFile):
            found.alerts = file
        elif isinstance(file, MonitoringFile):
            found.monitoring = file.monitoring
    return found


def _read(path: Path, problems: list[str]) -> Table | None:
    """The file as its kind has it.

    Raises:
        ValueError: it cannot be read, or is of no kind.
    """
    content = read_yaml(path)
    keys = list(content) if isinstance(content, dict) else []
    if len(keys) != 1 or keys[0] not in _KINDS:
        found = ", ".join(map(str, keys)) or "no keys"
        hint = near(keys[0], list(_KINDS)) if keys else ""
        raise ValueError(f"found {found} at the top; {hint}accepted is one of {', '.join(_KINDS)}")
    kind = _KINDS[keys[0]]
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        problems += sentences(error, str(path), {}, Redactor(), root=kind)
        return None
