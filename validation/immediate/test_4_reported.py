"""What does the deployment say about itself?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.checks import metrics

if TYPE_CHECKING:
    from rampgate.checks.frame.check import Context
    from rampgate.checks.frame.source import MetricSettings
    from rampgate.evidence.run import Expect

pytestmark = pytest.mark.immediate


def test_metric_is_a_number(metric: MetricSettings, check_context: Context, expect: Expect) -> None:
    """Each reported metric is one number, and keeps its threshold unless it is only shown."""
    if metric.show_only:
        expect.record(*metrics.measure(metric, check_context))
    else:
        expect.confirmed(lambda: metrics.measure(metric, check_context))
