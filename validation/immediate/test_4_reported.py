"""What does the deployment say about itself?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.checks import metrics
from rampgate.stage import rollback

if TYPE_CHECKING:
    from rampgate.checks.frame.check import Context
    from rampgate.checks.frame.source import MetricSettings
    from rampgate.config.rollout import DataSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.immediate


def test_metric_is_a_number(metric: MetricSettings, check_context: Context, expect: Expect) -> None:
    """Each reported metric is one number, and keeps its threshold unless it is only shown."""
    if metric.show_only:
        expect.record(*metrics.measure(metric, check_context))
    else:
        expect.confirmed(lambda: metrics.measure(metric, check_context))


def test_data_is_counted(rollback_data: DataSettings, stage_context: StageContext, expect: Expect) -> None:
    """What users have written is counted and shown, to be compared with after a rollback."""
    expect.record(rollback.data(stage_context, rollback_data))
