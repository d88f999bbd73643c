"""Does it stay as fast for those who use it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.soak import Watched
    from rampgate.evidence.run import Expect
    from rampgate.stage.stage_watch import StageWatch

pytestmark = pytest.mark.extended


def test_performance_stays(soak_performance: Watched, stage_watch: StageWatch, expect: Expect) -> None:
    """Web vitals, API times and Lighthouse scores while it is watched; their limits are the watch's."""
    expect.record(*stage_watch.measured(soak_performance))
