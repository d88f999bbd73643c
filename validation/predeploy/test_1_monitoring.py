"""Is everything up, and would its monitoring notice if it were not?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage import monitoring as measure

if TYPE_CHECKING:
    from rampgate.config.plan import MonitoringService
    from rampgate.config.predeploy import MonitoringSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.predeploy


def test_service_is_up(service: str, stage_context: StageContext, expect: Expect) -> None:
    """The web server and the API answer their health address with 2xx."""
    expect(stage_context.health(service))


def test_monitoring_is_up(monitoring: MonitoringService, stage_context: StageContext, expect: Expect) -> None:
    """Each service of the monitoring, and the deployment's own, answers that it is healthy."""
    expect(measure.health(stage_context, monitoring.settings, monitoring.name))


def test_jobs_are_up(
    monitoring_jobs: MonitoringSettings, stage_context: StageContext, expect: Expect
) -> None:
    """Prometheus reaches each target of each job."""
    expect(measure.jobs(stage_context, monitoring_jobs))


def test_rules_are_loaded(
    monitoring_rules: MonitoringSettings, stage_context: StageContext, expect: Expect
) -> None:
    """Prometheus has loaded each alerting rule, and can evaluate it."""
    expect(measure.rules(stage_context, monitoring_rules))


def test_metrics_are_delivered(
    monitoring_metrics: MonitoringSettings, stage_context: StageContext, expect: Expect
) -> None:
    """Prometheus has a number now for each metric that will decide later."""
    expect(measure.metrics(stage_context, monitoring_metrics))
