"""Floor 3. The settings as types: what rampgate.toml may say. Loading them is loading's work."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from rampgate.config.values import (  # pydantic reads these when the classes are made
    Address,  # noqa: TC001  # as said
    Duration,  # noqa: TC001  # as said
    JMESPath,  # noqa: TC001  # as said
    Percent,  # noqa: TC001  # as said
    Stages,  # noqa: TC001  # as said
    UrlPath,  # noqa: TC001  # as said
)
from rampgate.outcome import Severity


class Part(BaseModel):
    """Base of every table: unknown keys are errors, values are fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TargetSettings(Part):
    """[target]: where the deployment answers. At least one of web and api."""

    name: str = "deployment"
    web: Address | None = None
    api: Address | None = None
    health: UrlPath = "/health"
    timeout: Duration = Field(default=10.0, gt=0)
    headers: dict[str, str] = {}
    admin_token: str = ""


class VersionSettings(Part):
    """[version]: where the running version is read, and which one is expected."""

    path: UrlPath = "/health"
    value: JMESPath = "version"
    instance: JMESPath = "instance"
    expected: str | None = None
    connections: int = Field(default=50, ge=1, le=1000)
    required: bool = True


class FormSettings(Part):
    """[login.form]: how a browser signs in with the account of [login.body]."""

    path: UrlPath
    email_key: str = Field(default="email", description="key of [login.body]")
    password_key: str = Field(default="password", description="key of [login.body]")
    email_selector: str = "input[name=email]"
    password_selector: str = "input[name=password]"  # noqa: S105  # a CSS selector, not a password
    submit: str = "button[type=submit]"
    lands_on: UrlPath = "/"


class LoginSettings(Part):
    """[login]: how a known-good account signs in."""

    path: UrlPath
    body: dict[str, str] = Field(min_length=1)
    token: JMESPath = "token"  # noqa: S105  # where in the answer the token stands, not a token
    form: FormSettings | None = None
    needs: list[Literal["mongodb", "redis"]] = []
    required: bool = True

    @model_validator(mode="after")
    def _form_keys_exist(self) -> LoginSettings:
        keys = {self.form.email_key, self.form.password_key} if self.form else set()
        if missing := sorted(keys - set(self.body)):
            raise ValueError(
                f"form names {missing[0]!r}; accepted are the keys of body: {', '.join(self.body)}"
            )
        return self


class EndpointSettings(Part):
    """[[endpoints]]: an API endpoint whose latency and body are judged."""

    name: str
    path: UrlPath
    method: Literal["GET", "HEAD"] = "GET"
    sign_in: bool = True
    body: JMESPath | None = Field(default=None, description="JMESPath of what must be there")
    minimum: float = 1
    needs: list[Literal["mongodb", "redis"]] = []
    load: bool = False
    weight: float = Field(default=1.0, gt=0)
    required: bool = True


class PageSettings(Part):
    """[[pages]]: a web page, and whether Lighthouse audits it."""

    name: str
    path: UrlPath
    sign_in: bool = False
    lighthouse: bool = False
    form_factor: Literal["mobile", "desktop"] = "mobile"
    required: bool = True


class BulkSettings(Part):
    """[flags.bulk]: many users in one POST of {users_key: [{user_key, workspace_key}], flags_key: [...]}."""

    path: UrlPath
    chunk: int = Field(default=500, ge=1)
    users_key: str = "users"
    user_key: str = "userId"
    workspace_key: str = "workspaceId"
    flags_key: str = "flags"
    results: JMESPath = "results[].flags"


class FlagSettings(Part):
    """[flags]: where flags are read, and what they must be."""

    path: str = Field(description="with {flag}, {user}, {workspace}")
    value: JMESPath = "enabled"
    algorithm: Literal["md5-mod100", "unknown"] = "unknown"
    hash: Literal["seed", "salted"] = "seed"
    semantics: Literal["seed", "overrides-first"] = "overrides-first"
    expected: dict[str, Percent] = Field(min_length=1)
    bulk: BulkSettings | None = None
    required: bool = True

    @field_validator("path")
    @classmethod
    def _has_places(cls, path: str) -> str:
        missing = [place for place in ("{flag}", "{user}") if place not in path]
        if not path.startswith("/") or missing:
            raise ValueError("accepted is a path with {flag}, {user} and perhaps {workspace}")
        return path


class MongoSettings(Part):
    """[mongodb]: the database behind the deployment."""

    uri: str
    database: str = "rampgate"
    timeout: Duration = 3.0
    required: bool = True


class RedisSettings(Part):
    """[redis]: the cache behind the deployment."""

    url: str
    timeout: Duration = 3.0
    required: bool = True


class MetricSettings(Part):
    """[[metrics]]: one number that the deployment reports about itself as JSON."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    path: UrlPath
    value: JMESPath
    unit: str = ""
    admin: bool = False
    required: bool = True


class ThresholdSettings(Part):
    """[thresholds.NAME]: a condition that must hold, or with bad = true one that must not."""

    expect: str
    severity: Severity = Severity.WARNING
    bad: bool = False
    where: dict[str, str] = {}
    abort: bool = Field(default=True, description="under load: whether it may end the run early")


StageName = Literal["predeploy", "deploy", "immediate", "extended", "rollback", "load"]

_BUDGETS = {"extended": 3600.0}
"""Time budgets that differ from the default of 15 minutes."""


class StageSettings(Part):
    """[stages.NAME]: time budget, patience, and subjects that must be configured."""

    budget: Duration = 900.0
    patience: Duration = 30.0
    require: list[str] = []


class AccountsSettings(Part):
    """[load.accounts]: who signs in under load; one of ``pattern``, ``csv`` and ``command``."""

    pattern: str | None = Field(default=None, description="a name with {n}, which runs from 1 to count")
    count: int = Field(default=100, ge=1)
    csv: Path | None = None
    command: list[str] = []
    password: str = ""
    user: JMESPath = Field(default="user.id", description="the user's id in the answer to a sign-in")
    workspace: JMESPath = Field(default="user.workspaceId", description="the workspace's id in the same")


class LoadSettings(Part):
    """[load]: how many users when, what they do, and what is judged.

    ``stages`` wins over ``duration``, which makes a flat profile of ``users``; both win over ``ramp_up``,
    ``plateau`` and ``ramp_down``.
    """

    executor: Literal["ramping-users", "constant-arrival-rate"] = "ramping-users"
    users: int = Field(default=20, ge=1)
    ramp_up: Duration = 10.0
    plateau: Duration = 30.0
    ramp_down: Duration = 5.0
    stages: Stages | None = None
    duration: Duration | None = Field(default=None, gt=0)
    rate: float | None = Field(default=None, gt=0, description="iterations per second")
    time_scale: float = Field(default=1.0, gt=0, description="20 = twenty times faster")
    flat_users: int = Field(default=50, ge=1, description="of the extended stage's flat profile")
    flat_duration: Duration = Field(default=600.0, gt=0)
    pause: Duration = 1.0
    accounts: AccountsSettings | None = None
    abort: Literal["on", "trial", "off"] = "on"
    thresholds: dict[str, list[str | ThresholdSettings]] = {
        "http_req_duration": ["p(95)<1000"],
        "http_req_failed": ["rate<0.02"],
    }


class EvidenceSettings(Part):
    """[evidence]: what of a page's content may be kept."""

    page_content: Literal["none", "masked", "full"] = "masked"


class DemoSettings(Part):
    """[demo]: the command that brings up a reference deployment and writes a ready file of JSON.

    ``values`` maps a setting (dotted) to a key of that file.
    """

    command: list[str] = Field(min_length=1)
    ready_within: Duration = 60.0
    values: dict[str, str] = {}


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
    demo: DemoSettings | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> Settings:
        for table, names in (
            ("endpoints", [endpoint.name for endpoint in self.endpoints]),
            ("pages", [page.name for page in self.pages]),
            ("metrics", [metric.name for metric in self.metrics]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(
                    f"{table}: the name {twice[0]!r} stands twice; accepted is a name of its own for each"
                )
        return self

    def stage(self, name: str) -> StageSettings:
        """The settings of a stage, its defaults when the file says nothing."""
        told = next((told for stage, told in self.stages.items() if stage == name), StageSettings())
        if name in _BUDGETS and "budget" not in told.model_fields_set:
            return told.model_copy(update={"budget": _BUDGETS[name]})
        return told

    def to_json(self) -> dict[str, Any]:
        """Plain JSON for a journal's header; redacted there."""
        return self.model_dump(mode="json", exclude_none=True)
