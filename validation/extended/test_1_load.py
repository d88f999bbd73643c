"""Does it bear the load of a working day?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.load_settings import LoadSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.load import LoadRunner

pytestmark = pytest.mark.extended


@pytest.mark.alone
def test_flat_profile_runs_to_its_end(load: LoadSettings, load_runner: LoadRunner, expect: Expect) -> None:
    """The flat profile runs to its end; what its users measure is judged in checks of its own."""
    expect.record(load_runner.flat(load.extended.users, load.extended.duration, "load.extended.duration"))
