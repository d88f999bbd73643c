"""Do the pages look as somebody has accepted?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rampgate.config.subjects import PageSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.visual_look import VisualLook

pytestmark = pytest.mark.predeploy


@pytest.mark.alone
def test_page_looks_as_accepted(visual: PageSettings, visual_look: VisualLook, expect: Expect) -> None:
    """No more pixels than tolerated differ from the accepted picture of this browser and these fonts."""
    expect(*visual_look.page(visual))
