"""Does it bear a little load before the deploy? Last, so that nothing else is measured under it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.load_settings import LoadSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.load import LoadRunner

pytestmark = pytest.mark.predeploy


@pytest.mark.alone
def test_short_load_runs_to_its_end(load: LoadSettings, load_runner: LoadRunner, expect: Expect) -> None:
    """A few users for a short while, to their end; what they measure is judged in checks of its own."""
    expect.record(load_runner.flat(load.predeploy.users, load.predeploy.duration, "load.predeploy.duration"))
