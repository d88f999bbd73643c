"""The settings of a load run: [load] and [load.accounts]."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from rampgate.checks.frame.secrets import Argument
from rampgate.checks.frame.table import Duration, JMESPath, Stages, Table
from rampgate.config.thresholds import ThresholdSettings


class AccountsSettings(Table):
    """[load.accounts]: who signs in under load; one of ``pattern``, ``csv`` and ``command``."""

    pattern: str | None = Field(default=None, description="a name with {n}, which runs from 1 to count")
    count: int = Field(default=100, ge=1)
    csv: Path | None = None
    command: list[Argument] = Field(default_factory=list)
    password: SecretStr = SecretStr("")
    user: JMESPath = Field(default="user.id", description="the user's id in the answer to a sign-in")
    workspace: JMESPath = Field(default="user.workspaceId", description="the workspace's id in the same")


LOAD_THRESHOLDS = {
    "http_req_duration": [ThresholdSettings(expect="p(95)<1000")],
    "http_req_failed": [ThresholdSettings(expect="rate<0.02")],
}
"""What holds a load run, beside what rolls back."""


class ExtendedLoad(Table):
    """[load.extended]: the flat profile of the extended stage."""

    users: int = Field(default=50, ge=1)
    duration: Duration = Field(default=600.0, gt=0)


class PredeployLoad(Table):
    """[load.predeploy]: the short flat profile of the predeploy stage; decides rate<0.02 of an endpoint."""

    users: int = Field(default=10, ge=1)
    duration: Duration = Field(default=60.0, gt=0)


class LoadSettings(Table):
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
    extended: ExtendedLoad = ExtendedLoad()
    predeploy: PredeployLoad = PredeployLoad()
    pause: Duration = 1.0
    accounts: AccountsSettings | None = None
    max_renewals: float = Field(default=1.0, ge=0, description="of an account's session, per minute")
    abort: Literal["on", "report", "off"] = "on"
    thresholds: dict[str, list[ThresholdSettings]] = Field(default=LOAD_THRESHOLDS, validate_default=True)

    @field_validator("thresholds")
    @classmethod
    def _beside_defaults(
        cls, given: dict[str, list[ThresholdSettings]]
    ) -> dict[str, list[ThresholdSettings]]:
        """A metric that is not named keeps its defaults; an empty list drops them."""
        return {**LOAD_THRESHOLDS, **given}
