"""Are the features gone where they were tried?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rampgate.stage import rollback

if TYPE_CHECKING:
    from rampgate.checks.flag_service.settings import FlagSettings
    from rampgate.evidence.run import Expect
    from rampgate.stage.context import StageContext

pytestmark = pytest.mark.rollback


def test_features_are_off_for_the_account(
    rollback_account: FlagSettings, stage_context: StageContext, expect: Expect
) -> None:
    """What the steps of a deploy showed as on for the account of [login] reads off for it."""
    expect(rollback.of_account(stage_context, rollback_account))
