"""[rollout]: the plan by which a percentage rises, what it takes to go on, and what changes it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, field_validator, model_validator

from rampgate.actuators.command import CommandActuator
from rampgate.actuators.dotenv import DotenvActuator
from rampgate.actuators.flagd import FlagdActuator
from rampgate.actuators.http import HttpActuator
from rampgate.actuators.mongodb import MongodbActuator
from rampgate.checks.flag_service.users import User, fresh_users
from rampgate.checks.frame.table import Duration, JMESPath, Percent, Table, UrlPath
from rampgate.judging.guides import Guide
from rampgate.model.buckets import Unit

_DAY_S = 86_400.0
_EVERYBODY = 100.0
ActuatorEntry = Annotated[
    DotenvActuator | HttpActuator | MongodbActuator | FlagdActuator | CommandActuator,
    Field(discriminator="kind"),
]


class EnrolledSettings(Table):
    """[[rollout.enrolled]]: who has the features by an override, whatever the percentage."""

    user: str = Field(default="", description="none: everybody of the workspace")
    workspace: str = ""

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if not self.user and not self.workspace:
            raise ValueError("accepted is a user, a workspace, or both")
        return self

    @property
    def someone(self) -> User:
        """The user, or a fresh one of the workspace."""
        return User(self.user or fresh_users(1)[0].user, self.workspace)

    def has(self, user: User) -> bool:
        """Whether it is about a user."""
        return self.user == user.user if self.user else self.workspace == user.workspace


class FreezeSettings(Table):
    """[[rollout.freezes]]: a time in which no percentage rises. No rollback is ever stopped by one."""

    begins: AwareDatetime = Field(description="with an offset, such as 2026-12-23T18:00:00+01:00")
    ends: AwareDatetime
    why: str = ""

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.ends <= self.begins:
            raise ValueError("accepted are ends after begins")
        return self

    def holds(self, at: float) -> bool:
        """Whether a moment, in seconds since the epoch, is within."""
        return self.begins.timestamp() <= at < self.ends.timestamp()


class ExposureSettings(Table):
    """[rollout.exposure]: how many distinct users were on each side lately, as the deployment counts them.

    Whoever is enrolled, and our own requests, must not be in them.
    """

    path: UrlPath = Field(description="of target.api; {flag}: asked for the first of the features")
    on: JMESPath = "on"
    off: JMESPath = "off"
    admin: bool = Field(default=False, description="asked with `target.admin_token`")


class DataSettings(Table):
    """[rollout.data]: what users have written meanwhile, which must still be there after a rollback."""

    path: UrlPath = Field(description="of target.api, asked with the account of [login]")
    count: JMESPath = Field(default="length(@)", description="a number, or a list that is counted")
    minimum: float = Field(default=1.0, ge=0, description="of it, where no run before has counted more")


class ContactSettings(Table):
    """[[rollout.contacts]]: whom the readers of its documents may ask."""

    role: str = Field(description="such as `deployment lead`, `on call`, `escalation`")
    name: str = ""
    contact: str = ""


class RolloutSettings(Table):
    """[rollout]: the percentages of the plan, and how they are moved."""

    features: list[str] = Field(default=[], description="flags of [flags] that move together")
    unit: Unit = Field(default="user+workspace", description="what a percentage is a percentage of")
    percentages: list[Percent] = Field(default=[0, 5, 15, 25, 50, 75, 100], min_length=1)
    soak: dict[str, Duration] = Field(
        default={},
        description="percentage = time observed there; none: 24 h up to `beta`, 12 h above",
    )
    beta: Percent = Field(default=25.0, description="up to here the plan calls users beta; 0 % is internal")
    require: list[str] = Field(default=["immediate"], description="stages whose PROMOTE a step up needs")
    approval: Literal["none", "required"] = Field(
        default="none", description="`required`: by somebody else than who started"
    )
    heartbeat: Duration = Field(default=120.0, gt=0, description="how old the watch's last round may be")
    propagation: Duration = Field(default=60.0, gt=0, description="until the last user reads a change")
    settle: Duration = Field(default=2.0, ge=0, description="how long all must read it then")
    users: int = Field(default=100, ge=20, le=2000, description="for whom a change is read back")
    gradual_step: Percent = Field(default=25.0, gt=0, description="points of a gradual rollback")
    gradual_watch: Duration = Field(default=900.0, description="observed time after each of its steps")
    floor: dict[str, Percent] = Field(
        default={}, description="version = percentage below which a rollback loses data"
    )
    harm: float = Field(default=5.0, gt=1, description="the harm a soak should see, in background errors")
    background: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="share of requests that fail anyway; none: as the watch has seen",
    )
    enrolled: list[EnrolledSettings] = Field(default=[])
    freezes: list[FreezeSettings] = Field(default=[])
    exposure: ExposureSettings | None = None
    tab: str | None = Field(
        default=None, description="name of one of [[pages]], which asks for its flags itself"
    )
    data: DataSettings | None = None
    contacts: list[ContactSettings] = Field(default=[])
    promises: dict[str, str] = Field(
        default={}, description="metric = a limit such as `< 400ms`, or a change such as `-30%`"
    )
    templates: Path | None = Field(default=None, description="folder of templates of its documents")
    actuators: list[ActuatorEntry] = Field(default=[])
    runbook: str = Field(default="", description="what to do when it holds or rolls back; in each message")
    owner: str = Field(default="", description="who does it")

    @field_validator("percentages")
    @classmethod
    def _rise(cls, percentages: list[float]) -> list[float]:
        if any(later <= earlier for earlier, later in pairwise(percentages)):
            raise ValueError("accepted are percentages that rise, such as [0, 5, 15, 25, 50, 75, 100]")
        return percentages

    @field_validator("actuators")
    @classmethod
    def _have_names(cls, actuators: list[ActuatorEntry]) -> list[ActuatorEntry]:
        names = [each.name for each in actuators]
        if len(set(names)) < len(names):
            raise ValueError("accepted are actuators with names of their own")
        return actuators

    @model_validator(mode="after")
    def _soaks_fit(self) -> Self:
        known = [f"{each:g}" for each in self.percentages]
        if unknown := sorted(set(self.soak) - set(known)):
            raise ValueError(
                f"found soak {', '.join(unknown)}; accepted are percentages of the plan: {', '.join(known)}"
            )
        steps = [f"{each:g}" for each in self.percentages[:-1] if each]
        if self.soak and (missing := [each for each in steps if each not in self.soak]):
            raise ValueError(f"found a soak without {', '.join(missing)}; accepted is one for each step")
        return self

    @property
    def guide(self) -> Guide:
        """What to do when it holds or rolls back, and who does it."""
        return Guide(self.runbook, self.owner)

    def soak_at(self, percentage: float) -> float:
        """Seconds that must be observed at a percentage before the next one."""
        if "soak" in self.model_fields_set:
            return self.soak.get(f"{percentage:g}", 0.0)
        if percentage in {0.0, self.percentages[-1]}:
            return 0.0
        return _DAY_S if percentage <= self.beta else _DAY_S / 2

    def above(self, percentage: float) -> float | None:
        """The next percentage of the plan, None after the last one."""
        return next((each for each in self.percentages if each > percentage), None)

    def phase(self, percentage: float) -> str:
        """``internal``, ``beta`` or ``general``."""
        return "internal" if percentage == 0 else "beta" if percentage <= self.beta else "general"

    def frozen(self, at: float) -> FreezeSettings | None:
        """The freeze in which a moment, in seconds since the epoch, lies; None where there is none."""
        return next((each for each in self.freezes if each.holds(at)), None)

    def down(self, percentage: float) -> float:
        """The next percentage of a gradual rollback: so many points less, and from there on the plan's."""
        if percentage > self.gradual_step:
            return max(self.gradual_step, percentage - self.gradual_step)
        return max((each for each in self.percentages if each < percentage), default=0.0)
