"""The settings of what is made sure of before a deploy: backups, monitoring, alerts, commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from rampgate.checks.frame.secrets import Address, Argument, Headers, StoreAddress
from rampgate.checks.frame.table import Duration, Percent, Table, UrlPath


class BackupSettings(Table):
    """[backups]: where backups of [mongodb] and [redis] go, and where they are proven to be restorable."""

    folder: Path = Path("backups")
    name: str = Field(default="pre-deploy-{date}-{run}", description="with {date}, {store}, {run}")
    databases: list[str] = Field(default=[], description="empty: the one that the URI names, else all")
    scratch_prefix: str = Field(default="rampgate_scratch_", pattern=r"^rampgate[A-Za-z0-9_-]*$")
    scratch_mongodb: StoreAddress = Field(default="", description="URI of another server to restore into")
    may_be_empty: list[Literal["mongodb", "redis"]] = Field(
        default=[], description="stores that need not hold anything; of others an empty one holds"
    )
    timeout: Duration = Field(default=1800.0, gt=0)
    required: bool = True

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        try:
            filled = name.format(date="d", store="s", run="r")
        except (KeyError, IndexError, ValueError, AttributeError):
            filled = ""
        if not filled or filled.startswith(".") or "/" in filled or "\0" in filled:
            raise ValueError("accepted is the name of a folder, with {date}, {store} and {run} or without")
        return name


class MonitoringSettings(Table):
    """[monitoring]: the monitoring that must be up before anything is deployed, and what it must deliver."""

    prometheus: Address | None = None
    alertmanager: Address | None = None
    grafana: Address | None = None
    headers: dict[Literal["prometheus", "alertmanager", "grafana"], Headers] = Field(
        default={}, description="sent to that service alone: its tenant, its token; secret"
    )
    performance: UrlPath | None = Field(default=None, description="of target.api, asked with admin_token")
    jobs: list[str] | Literal[False] = Field(
        default=[], description="scrape jobs that must be up; false: what is measured is pushed"
    )
    rules: list[str] = Field(default=[], description="alerting rules that must be loaded")
    metrics: dict[str, str] = Field(default={}, description="name -> PromQL that must give a number")
    timeout: Duration = Field(default=10.0, gt=0)
    required: bool = True


class CommandSettings(Table):
    """[[commands]]: a command of the deployment that must end with 0: build, test, lint."""

    name: str = Field(min_length=1)
    command: Annotated[list[Argument], Field(min_length=1)]
    folder: Path = Path()
    timeout: Duration = Field(default=900.0, gt=0)
    required: bool = True


class BundleSettings(Table):
    """[bundle]: how large the scripts are: files of a build folder, else what a page transfers."""

    folder: Path | None = None
    pattern: str = "**/*.js"
    page: str | None = Field(default=None, description="name of one of [[pages]]")
    required: bool = True

    @model_validator(mode="after")
    def _is_somewhere(self) -> BundleSettings:
        if self.folder is None and self.page is None:
            raise ValueError("accepted is a folder, or a page")
        return self


class VisualSettings(Table):
    """[visual]: pages whose looks must not change, compared with pictures that somebody has accepted."""

    pages: list[str] = Field(min_length=1, description="names of [[pages]]")
    folder: Path = Path("visual-baselines")
    masks: dict[str, list[str]] = Field(default={}, description="page -> CSS selectors that are not compared")
    tolerance: Percent = Field(default=0.1, description="percent of pixels that may differ")
    width: int = Field(default=1280, ge=200, le=4000)
    height: int = Field(default=800, ge=200, le=4000)
    accept_first: bool = Field(default=False, description="for a demo: compare with a first look of its own")


class BaselineSettings(Table):
    """[baseline]: what is measured before the deploy, to be compared with afterwards."""

    endpoints: bool = True
    pages: bool = True
    vitals: UrlPath | None = Field(default=None, description="of target.api, asked with admin_token")
    required: bool = True
