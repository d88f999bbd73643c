"""[flags]: where flags are read, and what they must be."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PrivateAttr

from rampgate.checks.flag_service.request import FlagRequest
from rampgate.checks.frame.table import Duration, JMESPath, Percent, Table, UrlPath
from rampgate.model.buckets import Unit, bucket


class BulkSettings(Table):
    """[flags.bulk]: many users in one POST of {users_key: [{user_key, workspace_key}], flags_key: [...]}."""

    path: UrlPath
    chunk: int = Field(default=500, ge=1)
    users_key: str = "users"
    user_key: str = "userId"
    workspace_key: str = "workspaceId"
    flags_key: str = "flags"
    results: JMESPath = "results[].flags"


class FlagStoreSettings(Table):
    """flags.start.store: where the flags' store is read."""

    path: UrlPath
    flags: JMESPath = Field(default="flags[].[name, enabled, percentage]", description="name, on, percentage")


class FlagStartSettings(Table):
    """[flags.start]: the values before a rollout; dotenv file, deployment and store must agree on them."""

    values: dict[str, bool] = Field(min_length=1)
    percentage: Percent = 0.0
    dotenv: Path | None = None
    variable: str = Field(default="FEATURE_{FLAG}", description="{FLAG}: the flag in CAPITAL_LETTERS")
    percentage_variable: str = "FEATURE_ROLLOUT_PERCENTAGE"
    store: FlagStoreSettings | None = None


class FlagScratchSettings(Table):
    """[flags.scratch]: a store of flags that may be filled and thrown away; {store} is its name."""

    path: UrlPath = Field(description="PUT makes it, DELETE removes it")
    evaluate: UrlPath
    prefix: str = "rampgate-scratch-"


class FlagSettings(FlagRequest):
    """Where flags are read, and what they must be."""

    algorithm: Literal["md5-mod100", "unknown"] = Field(
        default="unknown", description='`"md5-mod100"`: compared user by user'
    )
    hash: Literal["seed", "salted"] = Field(
        default="seed",
        description='of `rollout.unit`, `user:workspace` by default; `"salted"`: of `flag:user:workspace`',
    )
    semantics: Literal["seed", "overrides-first"] = Field(
        default="overrides-first", description='or `"seed"`: the percentage first'
    )
    expected: dict[str, Percent] = Field(min_length=1, description="flag = percentage; 0 means on for nobody")
    duration: Duration = Field(
        default=300.0,
        gt=0,
        description="at most, over all flags and both times that everybody is asked, at 50 requests a "
        "second; one in bulk is one; too short to decide, it is refused",
    )
    bulk: BulkSettings | None = Field(
        default=None,
        description="many users at once: `path`, `chunk`, `users_key`, `user_key`, `workspace_key`, "
        "`flags_key`, `results`",
    )
    start: FlagStartSettings | None = Field(default=None, description="see below: before a rollout")
    scratch: FlagScratchSettings | None = Field(default=None, description="see below: before a rollout")
    required: bool = True
    _unit: Unit = PrivateAttr(default="user+workspace")

    @property
    def unit(self) -> Unit:
        """What a percentage is a percentage of, as [rollout] says."""
        return self._unit

    def counted_in(self, unit: Unit) -> None:
        """Take what [rollout] says."""
        self._unit = unit

    @property
    def has_arms(self) -> bool:
        """Whether a whole workspace, or a user in every workspace, must have a flag or not have it."""
        return self._unit != "user+workspace"

    @property
    def parted(self) -> list[str]:
        """Flags that some have and others have not, where it is asked who has them in which workspace."""
        everybody = 100.0
        return [name for name, at in self.expected.items() if self.names_workspace and 0 < at < everybody]

    def place(self, flag: str, user: str, workspace: str) -> int:
        """The reference bucket, 0 to 99, of a user in a workspace."""
        return bucket(user, workspace, flag if self.hash == "salted" else None, self._unit)
