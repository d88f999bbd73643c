"""The settings as types: what rampgate.toml may say. Loading them is loading's work."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, PrivateAttr, create_model, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rampgate.checks.frame.discovery import checks, once
from rampgate.checks.frame.secrets import Address, Headers, SentSecret
from rampgate.checks.frame.table import Duration, Percent, Size, Table, UrlPath
from rampgate.config.load_settings import LoadSettings
from rampgate.config.predeploy import (
    BackupSettings,
    BaselineSettings,
    BundleSettings,
    CommandSettings,
    MonitoringSettings,
    VisualSettings,
)
from rampgate.config.rollout import RolloutSettings
from rampgate.config.steps import DeploySettings
from rampgate.config.subjects import (
    LoginSettings,
    MongoSettings,
    RedisSettings,
)
from rampgate.config.thresholds import ThresholdSettings
from rampgate.config.waivers import CheckSettings, WaiverSettings
from rampgate.config.watch_settings import SoakSettings, WatchSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rampgate.checks.endpoints import EndpointSettings, LatencySettings
    from rampgate.checks.flag_service.settings import FlagSettings
    from rampgate.checks.journeys import JourneySettings
    from rampgate.checks.pages import PageSettings
    from rampgate.checks.running_version.settings import VersionSettings


class TargetSettings(Table):
    """[target]: where the deployment answers. At least one of web and api."""

    name: str = "deployment"
    web: Address | None = None
    api: Address | None = None
    health: UrlPath = "/health"
    timeout: Duration = Field(default=10.0, gt=0)
    max_body: Size = Field(default=10_000_000, ge=1024, le=1_000_000_000)
    max_headers: Size = Field(default=64 * 1024, ge=1024, le=96 * 1024)
    headers: Headers = Field(default_factory=dict)
    admin_token: SentSecret = ""

    def base(self, service: str | None) -> str:
        """The base address of ``web`` or ``api``, of the other where it has none, "" where neither has."""
        first, second = (self.web, self.api) if service == "web" else (self.api, self.web)
        return first or second or ""


StageName = Literal["predeploy", "deploy", "immediate", "extended", "rollback", "load"]

_BUDGETS = {"predeploy": 1800.0, "extended": 4500.0, "load": 3600.0}
"""Time budgets that differ from the default of 15 minutes."""


class StageSettings(Table):
    """[stages.NAME]: time budget, patience, and subjects that must be configured."""

    budget: Duration = 900.0
    patience: Duration = 30.0
    require: list[str] = Field(default_factory=list)


class EvidenceSettings(Table):
    """[evidence]: what of a page's content may be kept."""

    page_content: Literal["none", "masked", "full"] = "masked"


class DemoStageSettings(Table):
    """[demo.stages.NAME]: what differs for a stage (``predeploy``) or a step (``deploy-backend``).

    ``settings`` are dotted settings with their values; ``values`` come from the ready file as in [demo];
    ``metrics`` are entries that take the place of those of [[metrics]] with their names. What a stage
    ``watch`` says holds of ``watch-full``, too.
    """

    arguments: list[str] = Field(default_factory=list)
    settings: dict[str, str] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    metrics: list[dict[str, Any]] = Field(default_factory=list)


class DemoSettings(Table):
    """[demo]: the command that brings up a reference deployment and writes a ready file of JSON.

    ``values`` maps a setting (dotted) to a key of that file, ``settings`` to a value; ``stacks`` names
    further arguments for what else may be brought up.
    """

    command: list[str] = Field(min_length=1)
    stacks: dict[str, list[str]] = Field(default_factory=dict)
    ready_within: Duration = 60.0
    settings: dict[str, str] = Field(default_factory=dict)
    values: dict[str, str] = Field(default_factory=dict)
    metrics: list[dict[str, Any]] = Field(default_factory=list)
    stages: dict[str, DemoStageSettings] = Field(default_factory=dict)


class FixedSettings(BaseSettings):
    """What rampgate.toml says beside the tables of checks/."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        env_prefix="RAMPGATE_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    _file: str = PrivateAttr(default="rampgate.toml")

    environment: str = "production"
    percentage: Percent | None = None
    reports: Path = Path("reports")
    policy: Path | list[Path] | None = None
    allowed_hosts: list[str] = ["localhost", "127.0.0.0/8", "::1"]
    allow_writes: bool = False
    target: TargetSettings = TargetSettings()
    login: LoginSettings | None = None
    mongodb: MongoSettings | None = None
    redis: RedisSettings | None = None
    thresholds: dict[str, ThresholdSettings] = {}
    checks: dict[str, CheckSettings] = {}
    waivers: list[WaiverSettings] = []
    stages: dict[StageName, StageSettings] = {}
    load: LoadSettings = LoadSettings()
    watch: WatchSettings = WatchSettings()
    soak: SoakSettings = SoakSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    rollout: RolloutSettings = RolloutSettings()
    backups: BackupSettings | None = None
    monitoring: MonitoringSettings | None = None
    commands: list[CommandSettings] = []
    bundle: BundleSettings | None = None
    visual: VisualSettings | None = None
    baseline: BaselineSettings | None = None
    deploy: DeploySettings = DeploySettings()
    demo: DemoSettings | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> FixedSettings:
        several = ("commands", *(check.table for check in checks() if check.several))
        for table in several:
            names = [entry.name for entry in self.table(table)]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(
                    f"{table}: the name {twice[0]!r} stands twice; accepted is a name of its own for each"
                )
        return self

    @model_validator(mode="after")
    def _waived_once(self) -> FixedSettings:
        waived = [each.check for each in self.waivers]
        if twice := sorted({check for check in waived if waived.count(check) > 1}):
            raise ValueError(f"waivers: {twice[0]!r} stands twice; accepted is one waiver for each check")
        return self

    @model_validator(mode="after")
    def _something_is_backed_up(self) -> FixedSettings:
        """A backup of nothing would be left out of the plan, though one is configured."""
        if self.backups and not (self.mongodb or self.redis):
            raise ValueError("backups: nothing to back up; accepted is a [mongodb] or a [redis] beside it")
        return self

    @model_validator(mode="after")
    def _writes_are_allowed(self) -> FixedSettings:
        """Whoever asks for a POST asks thousands of times for what may write."""
        posted = [endpoint.name for endpoint in self.table("endpoints") if endpoint.method == "POST"]
        if posted and not self.allow_writes:
            raise ValueError(
                f"endpoints: {posted[0]!r} is asked by POST; accepted is allow_writes = true beside it"
            )
        return self

    @model_validator(mode="after")
    def _metrics_can_be_read(self) -> FixedSettings:
        """Where each metric is read is known before the first reading."""
        for entry in self.table("metrics"):
            if entry.needs and not reduce(
                lambda at, key: at and getattr(at, key), entry.needs.split("."), self
            ):
                raise ValueError(f"metrics: {entry.name} is read from {entry.needs}, which must be given")
        return self

    @model_validator(mode="after")
    def _flags_are_counted_in_the_unit(self) -> FixedSettings:
        """What a percentage is a percentage of is said in [rollout] alone, and asked for."""
        flags, rollout = self.table("flags"), self.rollout
        if not flags:
            return self
        needed = {"unit: found workspace": rollout.unit == "workspace"}
        needed["enrolled: found a workspace without a user"] = any(not each.user for each in rollout.enrolled)
        if not flags.names_workspace and any(needed.values()):
            found = "; ".join(f"rollout.{key}" for key, is_so in needed.items() if is_so)
            raise ValueError(f"{found}; accepted is {{workspace}} in path, body or headers of [flags]")
        flags.counted_in(rollout.unit)
        return self

    @model_validator(mode="after")
    def _pages_exist(self) -> FixedSettings:
        """A page that is named elsewhere is one of [[pages]]."""
        known = [page.name for page in self.table("pages")]
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
        audited = [entry for entry in self.table("metrics") if entry.name.startswith("lighthouse_")]
        named = {
            "metrics.of": [entry.of for entry in audited if getattr(entry, "of", "")],
            "visual.pages": self.visual.pages if self.visual else (),
            "visual.masks": self.visual.masks if self.visual else (),
            "bundle.page": [self.bundle.page] if self.bundle else (),
            "rollout.tab": [self.rollout.tab],
            "deploy.monitoring.page": [monitoring.page] if monitoring else (),
            "deploy.frontend.theme.page": [frontend.theme.page] if frontend and frontend.theme else (),
            "deploy.frontend.console": frontend.console if frontend else (),
            "deploy.advanced.service_worker": [advanced.service_worker] if advanced else (),
            "deploy.advanced.list.page": [advanced.list.page] if advanced and advanced.list else (),
        }
        for key, names in named.items():
            yield from ((key, name) for name in names if name is not None)

    def table(self, name: str) -> Any:
        """What a table says: of a check, what its file makes of it; None or [] where it is not there."""
        return getattr(self, name)

    def stage(self, name: str) -> StageSettings:
        """The settings of a stage, its defaults when the file says nothing."""
        settings = next((each for stage, each in self.stages.items() if stage == name), StageSettings())
        if name in _BUDGETS and "budget" not in settings.model_fields_set:
            return settings.model_copy(update={"budget": _BUDGETS[name]})
        return settings

    @property
    def file(self) -> str:
        """The file that was read, for messages about it."""
        return self._file

    def read_from(self, file: str) -> Self:
        """Keep which file was read."""
        self._file = file
        return self

    def to_json(self) -> dict[str, Any]:
        """Plain JSON for a journal's header, secrets masked; without what brings up a demo."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"demo"})


if TYPE_CHECKING:

    class Settings(FixedSettings):
        """All of rampgate.toml; RAMPGATE_TARGET__WEB and the like win over it."""

        flags: FlagSettings | None = None
        version: VersionSettings | None = None
        pages: list[PageSettings] = []
        endpoints: list[EndpointSettings] = []
        latency: LatencySettings = LatencySettings()
        journeys: list[JourneySettings] = []
else:
    fields = {table: field for check in checks() for table, field in check.fields.items()}
    once("table", [*FixedSettings.model_fields, *fields])
    Settings = create_model("Settings", __base__=FixedSettings, **fields)
