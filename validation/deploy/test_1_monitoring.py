"""After the monitoring: would it see a visit?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage import steps

if TYPE_CHECKING:
    from rampgate.config.steps import MonitoringStepSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.deploy


def test_flags_are_on(
    monitoring_flags: MonitoringStepSettings, stage_context: StageContext, expect: Expect
) -> None:
    """What the step switches on reads on for an account that must have it."""
    expect(steps.flags(stage_context, monitoring_flags))


@pytest.mark.alone
def test_a_visit_is_counted(
    monitoring_visit: MonitoringStepSettings,
    stage_context: StageContext,
    expect: Expect,
) -> None:
    """A browser's visit shows up in the deployment's metrics, and in Prometheus."""
    expect(*steps.visit(stage_context, monitoring_visit))
