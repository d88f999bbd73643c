"""What does the deployment say about itself?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.subjects import MetricSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.immediate


def test_metric_is_a_number(metric: MetricSettings, stage_context: StageContext, expect: Expect) -> None:
    """Each reported metric is one number, and keeps its threshold where there is one."""
    expect(stage_context.metric(metric))
