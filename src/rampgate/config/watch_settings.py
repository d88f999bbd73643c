"""[watch]: how a rollout is watched between its steps."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from rampgate.checks.frame.secrets import Argument
from rampgate.checks.frame.table import Duration, JMESPath, Table, UrlPath
from rampgate.config.thresholds import ThresholdSettings

ALERT, ROLLBACK = "alert", "rollback"


class PercentageSettings(Table):
    """watch.percentage: where the flag service says which percentage is in force."""

    path: UrlPath = Field(description="of `target.api`")
    value: JMESPath = Field(description="JMESPath of the percentage, 0 to 100")
    admin: bool = Field(default=False, description="asked with `target.admin_token`")


class WatchThreshold(ThresholdSettings):
    """[watch.thresholds.NAME]: as [thresholds.NAME]; ``… for 30m`` may follow the limit."""

    runbook: str = ""
    owner: str = ""

    @model_validator(mode="after")
    def _is_of_all(self) -> Self:
        """What has no effect over time is refused."""
        if wrong := {"where", "abort"} & self.model_fields_set:
            raise ValueError(
                f"found {' and '.join(sorted(wrong))}; accepted are expect, severity, bad, runbook, owner: "
                "a watch judges all labels of a metric together (an entry of [[metrics]] may select some)"
            )
        return self


class WatchSettings(Table):
    """[watch]: what the metrics of [[metrics]] are read and judged by while a percentage is in force."""

    interval: Duration = Field(default=30.0, gt=0, description="between two readings of a metric")
    window: Duration = Field(default=300.0, gt=0, description="over which counters make a value")
    failures_window: Duration = Field(default=300.0, gt=0, description="the same of a `count`")
    recovery: Duration = Field(default=60.0, description="a threshold must be kept until its episode ends")
    max_age: Duration = Field(default=120.0, gt=0, description="of a sample; an older one is no reading")
    min_responses: int = Field(default=30, ge=1, description="of user_feedback_score; fewer are undecided")
    margin: float = Field(
        default=0.3, ge=0, lt=100, description="points that the users with the feature may fail more"
    )
    confirmations: int = Field(
        default=3, ge=1, description="readings that confirm a metric which is read seldom"
    )
    percentage: PercentageSettings | None = None
    on_critical: list[Argument] = Field(
        default_factory=list, description='a command to run then, beside the alert, or `"rollback"`'
    )
    alerts: list[str] | None = Field(default=None, description="names of [[alerts]]; none given: all of them")
    thresholds: dict[str, WatchThreshold] = Field(default_factory=dict)
    ignore: list[str] = Field(
        default_factory=list, description="rules of the policy files that no metric is there for"
    )
    runbook: str = Field(default="", description="of rules that name none")
    owner: str = ""

    @field_validator("on_critical", mode="before")
    @classmethod
    def _alert_alone(cls, given: object) -> object:
        if isinstance(given, str) and given not in {ALERT, ROLLBACK}:
            raise ValueError('accepted is "alert", "rollback", or a command as a list of texts')
        return [] if given == ALERT else [ROLLBACK] if given == ROLLBACK else given


class SoakSettings(Table):
    """[soak]: one watch of [[metrics]] by the rules of `rampgate watch`, begun with the extended stage."""

    duration: Duration = Field(
        default=1800.0, gt=0, description="that must be observed; the load of the stage comes on top of it"
    )
    required: bool = Field(default=True, description="whether the stage holds where a check of it is skipped")
