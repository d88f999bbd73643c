"""Do their requests go on being answered?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.soak import Watched
    from rampgate.evidence.run import Expect
    from rampgate.stage.stage_watch import StageWatch

pytestmark = pytest.mark.extended


def test_error_rate_stays(soak_errors: Watched, stage_watch: StageWatch, expect: Expect) -> None:
    """How many requests failed while it is watched; their limits are the watch's."""
    expect.record(*stage_watch.measured(soak_errors))
