"""Is everything up, and would its monitoring notice if it were not?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.predeploy import MonitoringSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.look import Look
    from rampgate.stage.monitoring_look import MonitoringLook

pytestmark = pytest.mark.predeploy


def test_service_is_up(service: str, look: Look, expect: Expect) -> None:
    """The web server and the API answer their health address with 2xx."""
    expect(look.health(service))


def test_monitoring_is_up(monitoring: str, monitoring_look: MonitoringLook, expect: Expect) -> None:
    """Each service of the monitoring, and the deployment's own, answers that it is healthy."""
    expect(monitoring_look.health(monitoring))


def test_jobs_are_up(
    monitoring_jobs: MonitoringSettings, monitoring_look: MonitoringLook, expect: Expect
) -> None:
    """Prometheus reaches each target of each job."""
    expect(monitoring_look.jobs())


def test_rules_are_loaded(
    monitoring_rules: MonitoringSettings, monitoring_look: MonitoringLook, expect: Expect
) -> None:
    """Prometheus has loaded each alerting rule, and can evaluate it."""
    expect(monitoring_look.rules())


def test_metrics_are_delivered(
    monitoring_metrics: MonitoringSettings, monitoring_look: MonitoringLook, expect: Expect
) -> None:
    """Prometheus has a number now for each metric that will decide later."""
    expect(monitoring_look.metrics())
