"""After the monitoring: would it see a visit?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.steps import MonitoringStepSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.monitoring_look import MonitoringLook
    from rampgate.stage.step_look import StepLook

pytestmark = pytest.mark.deploy


def test_flags_are_on(monitoring_flags: MonitoringStepSettings, step_look: StepLook, expect: Expect) -> None:
    """What the step switches on reads on for an account that must have it."""
    expect(step_look.flags(monitoring_flags))


@pytest.mark.alone
def test_a_visit_is_counted(
    monitoring_visit: MonitoringStepSettings,
    step_look: StepLook,
    monitoring_look: MonitoringLook,
    expect: Expect,
) -> None:
    """A browser's visit shows up in the deployment's metrics, and in Prometheus."""
    expect(*step_look.visit(monitoring_visit, monitoring_look))
