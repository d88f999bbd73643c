"""Does a page that stays open read off?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage.rollback_tab import reads_off

if TYPE_CHECKING:
    from rampgate.checks.pages import PageSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.rollback


def test_open_tab_reads_off(rollback_tab: PageSettings, stage_context: StageContext, expect: Expect) -> None:
    """In a browser the page reads that the features are off, once it is loaded again at the latest."""
    left, *shown = reads_off(stage_context, rollback_tab)
    expect(left)
    expect.record(*shown)
