"""What do they say of it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.soak import Watched
    from rampgate.evidence.run import Expect
    from rampgate.stage.stage_watch import StageWatch

pytestmark = pytest.mark.extended


def test_feedback_stays(soak_feedback: Watched, stage_watch: StageWatch, expect: Expect) -> None:
    """The mean of the users' marks while it is watched; their limits are the watch's."""
    expect.record(*stage_watch.measured(soak_feedback))
