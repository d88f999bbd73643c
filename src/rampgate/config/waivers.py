"""Tables about checks by their ids: [[waivers]], and [checks] with runbooks and owners."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from rampgate.checks.frame.table import Table

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class WaiverSettings(Table):
    """[[waivers]]: a check that is known to be bad; until then it holds nothing, and every report says so."""

    check: Text = Field(description="its id, as `verdict.json` and the reports have it")
    reason: Text
    by: Text
    expires: AwareDatetime = Field(description="with an offset, such as 2026-12-15T09:00:00+01:00")


class CheckSettings(Table):
    """[checks.ID]: what to do, and who does it, where a check fails whose id begins so."""

    runbook: str = ""
    owner: str = ""
