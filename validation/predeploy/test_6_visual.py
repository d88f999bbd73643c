"""Do the pages look as somebody has accepted?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage import visual as measure

if TYPE_CHECKING:
    from rampgate.config.plan import VisualPage
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.predeploy


@pytest.mark.alone
def test_page_looks_as_accepted(visual: VisualPage, stage_context: StageContext, expect: Expect) -> None:
    """No more pixels than tolerated differ from the accepted picture of this browser and these fonts."""
    expect(*measure.compare_page(stage_context, visual, expect))
