"""What the tables of the settings have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from rampgate.outcome import Severity


class Part(BaseModel):
    """Base of every table: unknown keys are errors, values are fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ThresholdSettings(Part):
    """[thresholds.NAME]: a condition that must hold, or with bad = true one that must not."""

    expect: str
    severity: Severity = Severity.WARNING
    bad: bool = False
    where: dict[str, str] = Field(default_factory=dict)
    abort: bool = Field(default=True, description="under load: whether it may end the run early")
