"""The settings as types: what rampgate.toml may say. Loading them is loading's work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rampgate.config.load_settings import LoadSettings
from rampgate.config.part import Part, ThresholdSettings
from rampgate.config.predeploy import (
    AlertSettings,
    BackupSettings,
    BaselineSettings,
    BundleSettings,
    CommandSettings,
    MonitoringSettings,
    RolloutSettings,
    VisualSettings,
)
from rampgate.config.steps import DeploySettings
from rampgate.config.subjects import (  # pydantic reads these when the classes are made
    EndpointSettings,
    FlagSettings,
    LoginSettings,
    MetricSettings,
    MongoSettings,
    PageSettings,
    RedisSettings,
    VersionSettings,
)
from rampgate.config.values import (  # pydantic reads these when the classes are made
    Address,
    Duration,
    Percent,
    UrlPath,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class TargetSettings(Part):
    """[target]: where the deployment answers. At least one of web and api."""

    name: str = "deployment"
    web: Address | None = None
    api: Address | None = None
    health: UrlPath = "/health"
    timeout: Duration = Field(default=10.0, gt=0)
    headers: dict[str, str] = Field(default_factory=dict)
    admin_token: str = ""


StageName = Literal["predeploy", "deploy", "immediate", "extended", "rollback", "load"]

_BUDGETS = {"predeploy": 1800.0, "extended": 3600.0, "load": 3600.0}
"""Time budgets that differ from the default of 15 minutes."""


class StageSettings(Part):
    """[stages.NAME]: time budget, patience, and subjects that must be configured."""

    budget: Duration = 900.0
    patience: Duration = 30.0
    require: list[str] = Field(default_factory=list)


class EvidenceSettings(Part):
    """[evidence]: what of a page's content may be kept."""

    page_content: Literal["none", "masked", "full"] = "masked"


class DemoStageSettings(Part):
    """[demo.stages.NAME]: what differs for a stage (``predeploy``) or a step (``deploy-backend``).

    ``settings`` are dotted settings with their values; ``values`` come from the ready file as in [demo].
    """

    arguments: list[str] = Field(default_factory=list)
    settings: dict[str, str] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)


class DemoSettings(Part):
    """[demo]: the command that brings up a reference deployment and writes a ready file of JSON.

    ``values`` maps a setting (dotted) to a key of that file, ``settings`` to a value; ``stacks`` names
    further arguments for what else may be brought up.
    """

    command: list[str] = Field(min_length=1)
    stacks: dict[str, list[str]] = Field(default_factory=dict)
    ready_within: Duration = 60.0
    settings: dict[str, str] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    stages: dict[str, DemoStageSettings] = Field(default_factory=dict)


class Settings(BaseSettings):
    """All of rampgate.toml; RAMPGATE_TARGET__WEB and the like win over the file."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        env_prefix="RAMPGATE_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    environment: str = "production"
    percentage: Percent | None = None
    reports: Path = Path("reports")
    policy: Path | None = None
    allowed_hosts: list[str] = ["localhost", "127.0.0.0/8", "::1"]
    allow_writes: bool = False
    target: TargetSettings = TargetSettings()
    version: VersionSettings | None = None
    login: LoginSettings | None = None
    endpoints: list[EndpointSettings] = []
    pages: list[PageSettings] = []
    flags: FlagSettings | None = None
    mongodb: MongoSettings | None = None
    redis: RedisSettings | None = None
    metrics: list[MetricSettings] = []
    thresholds: dict[str, ThresholdSettings | str] = {}
    stages: dict[StageName, StageSettings] = {}
    load: LoadSettings = LoadSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    rollout: RolloutSettings = RolloutSettings()
    backups: BackupSettings | None = None
    monitoring: MonitoringSettings | None = None
    alerts: list[AlertSettings] = []
    commands: list[CommandSettings] = []
    bundle: BundleSettings | None = None
    visual: VisualSettings | None = None
    baseline: BaselineSettings | None = None
    deploy: DeploySettings = DeploySettings()
    demo: DemoSettings | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> Settings:
        for table, names in (
            ("endpoints", [endpoint.name for endpoint in self.endpoints]),
            ("pages", [page.name for page in self.pages]),
            ("metrics", [metric.name for metric in self.metrics]),
            ("alerts", [alert.name for alert in self.alerts]),
            ("commands", [command.name for command in self.commands]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(
                    f"{table}: the name {twice[0]!r} stands twice; accepted is a name of its own for each"
                )
        return self

    @model_validator(mode="after")
    def _something_is_backed_up(self) -> Settings:
        """A backup of nothing would be left out of the plan, though somebody wants one."""
        if self.backups and not (self.mongodb or self.redis):
            raise ValueError("backups: nothing to back up; accepted is a [mongodb] or a [redis] beside it")
        return self

    @model_validator(mode="after")
    def _pages_exist(self) -> Settings:
        """A page that is named elsewhere is one of [[pages]]."""
        known = [page.name for page in self.pages]
        wrong = [
            f"{key}: found {name!r}; accepted are the names of [[pages]]: {', '.join(known) or 'none'}"
            for key, name in self._named_pages()
            if name not in known
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _named_pages(self) -> Iterator[tuple[str, str]]:
        monitoring, frontend, advanced = self.deploy.monitoring, self.deploy.frontend, self.deploy.advanced
        named = {
            "visual.pages": self.visual.pages if self.visual else (),
            "visual.masks": self.visual.masks if self.visual else (),
            "bundle.page": [self.bundle.page] if self.bundle else (),
            "deploy.monitoring.page": [monitoring.page] if monitoring else (),
            "deploy.frontend.theme.page": [frontend.theme.page] if frontend and frontend.theme else (),
            "deploy.frontend.console": frontend.console if frontend else (),
            "deploy.advanced.service_worker": [advanced.service_worker] if advanced else (),
            "deploy.advanced.list.page": [advanced.list.page] if advanced and advanced.list else (),
        }
        for key, names in named.items():
            yield from ((key, name) for name in names if name is not None)

    def stage(self, name: str) -> StageSettings:
        """The settings of a stage, its defaults when the file says nothing."""
        told = next((told for stage, told in self.stages.items() if stage == name), StageSettings())
        if name in _BUDGETS and "budget" not in told.model_fields_set:
            return told.model_copy(update={"budget": _BUDGETS[name]})
        return told

    def to_json(self) -> dict[str, Any]:
        """Plain JSON for a journal's header; redacted there."""
        return self.model_dump(mode="json", exclude_none=True)
