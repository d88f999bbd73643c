"""Would anybody hear of it if the deploy went wrong?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.checks import alerts

if TYPE_CHECKING:
    from rampgate.checks.frame.check import Context
    from rampgate.evidence.run import Expect

pytestmark = pytest.mark.predeploy


def test_channel_delivers(alert: alerts.AlertChannel, check_context: Context, expect: Expect) -> None:
    """Each channel takes a test message, and it arrives where that can be seen."""
    expect(*alerts.measure(alert, check_context))
