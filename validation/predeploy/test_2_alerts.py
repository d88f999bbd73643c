"""Would anybody hear of it if the deploy went wrong?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.predeploy import AlertSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.alert_look import AlertLook

pytestmark = pytest.mark.predeploy


def test_channel_delivers(alert: AlertSettings, alert_look: AlertLook, expect: Expect) -> None:
    """Each channel takes a test message, and it arrives where that can be seen."""
    expect(alert_look.channel(alert))
