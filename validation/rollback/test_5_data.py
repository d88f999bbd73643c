"""Is what users wrote meanwhile still there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.outcome import Severity
from rampgate.stage import rollback

if TYPE_CHECKING:
    from rampgate.config.rollout import DataSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.rollback


def test_data_is_still_there(
    rollback_data: DataSettings, stage_context: StageContext, expect: Expect
) -> None:
    """There is no less of it than the newest run of the rollout counted, and `minimum` at least."""
    found, least = rollback.data(stage_context, rollback_data), rollback.least(stage_context, rollback_data)
    expect(found, that=f"data_items >= {least:g}", severity=Severity.CRITICAL)
