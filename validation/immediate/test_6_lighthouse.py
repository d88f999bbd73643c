"""Are the pages fast and accessible in a real browser? Last, since it takes longest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.probes.lighthouse import AUDITS

if TYPE_CHECKING:
    from rampgate.checks.pages import PageSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.immediate


@pytest.mark.alone
def test_page_scores_well(audit: PageSettings, stage_context: StageContext, expect: Expect) -> None:
    """Lighthouse's median scores of performance and accessibility keep their limits."""
    expect.sequentially(stage_context.audit(audit), AUDITS)
